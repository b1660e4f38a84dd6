import { Either } from "effect"
import { nodeSettings, type Setting, type TopicSettingName, topicSettings } from "../kernel/config.ts"
import type { Rejection } from "../kernel/error-code.ts"
import type { Command, ConfigChange } from "./command.ts"
import { type Event, TopicConfigsChanged } from "./event.ts"
import { rejected } from "./rejected.ts"
import { type Cluster, topicByName } from "./state.ts"
import { isTopicSetting, parseTopicConfigs, unknownSetting } from "./topic-config.ts"
import { parseTopicName } from "./topic-name.ts"

type Decision = Either.Either<ReadonlyArray<Event>, Rejection>
type Configs = Readonly<Record<string, string>>

const entriesOf = (list: string): ReadonlyArray<string> =>
  list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")

/** A list with more entries, or with fewer; an entry that is there already is not added again. One that was never set starts from its default, as in Kafka. */
const changedList = (configs: Configs, name: TopicSettingName, operation: "append" | "subtract", value: string): Either.Either<string, Rejection> => {
  const setting: Setting<number> | Setting<boolean> | Setting<string> = nodeSettings[topicSettings[name]]
  if (setting.type !== "list") return rejected("INVALID_CONFIG", `Can't ${operation.toUpperCase()} to key ${name} because its type is not LIST.`)
  const before = entriesOf(configs[name] ?? String(setting.default))
  const named = entriesOf(value)
  const after = operation === "append" ? [...new Set([...before, ...named])] : before.filter((entry) => !named.includes(entry))
  return Either.right(after.join(","))
}

/** The topic's settings after one change; whether values are within their bounds is looked at when all changes are made. What is not set may be deleted, as in Kafka. */
const changed = (configs: Configs, change: ConfigChange): Either.Either<Configs, Rejection> => {
  const { name, operation, value } = change
  if (operation === "delete") {
    if (!Object.hasOwn(configs, name)) return Either.right(configs)
    const { [name]: _, ...rest } = configs
    return Either.right(rest)
  }
  if (!isTopicSetting(name)) return rejected("INVALID_CONFIG", unknownSetting(name))
  if (value === null) return rejected("INVALID_REQUEST", `Null value not supported for : ${name.slice(0, 60)}`)
  const next = operation === "set" ? Either.right(value) : changedList(configs, name, operation, value)
  return Either.map(next, (text) => ({ ...configs, [name]: text }))
}

const same = (one: Configs, other: Configs): boolean => {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}

/** All changes are made or none; the event says what holds afterwards, whole, so that nobody needs the settings before it. */
export const changeTopicConfigs = (cluster: Cluster, command: Extract<Command, { readonly _tag: "ChangeTopicConfigs" }>): Decision =>
  Either.gen(function* () {
    const name = yield* parseTopicName(command.topic)
    const topic = topicByName(cluster, name)
    if (topic === undefined) return yield* rejected("UNKNOWN_TOPIC_OR_PARTITION", `The topic '${name}' does not exist.`)
    const named = new Set(command.changes.map((change) => change.name))
    if (named.size < command.changes.length) return yield* rejected("INVALID_REQUEST", "Error due to duplicate config keys")
    let configs: Configs = command.replace ? {} : topic.configs
    for (const change of command.changes) configs = yield* changed(configs, change)
    const parsed = yield* parseTopicConfigs(Object.entries(configs).map(([setting, value]) => ({ name: setting, value })))
    return command.validateOnly || same(parsed, topic.configs) ? [] : [new TopicConfigsChanged({ topicId: topic.topicId, configs: parsed })]
  })
