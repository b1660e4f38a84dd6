import { Either } from "effect"
import { type AnySetting, entriesOf, parseSetting, textOf } from "../../kernel/config.ts"
import type { Rejection } from "../../kernel/error-code.ts"
import { allConfigCharactersMax, configCharactersMax } from "../bounds.ts"
import type { ConfigChange, ConfigEntry } from "../command.ts"
import { rejected } from "../decision.ts"
import { type Cluster, charactersOf } from "../state.ts"

export type Configs = Readonly<Record<string, string>>
/** The setting of that name, or why there is none. */
export type FindSetting = (name: string) => Either.Either<AnySetting, Rejection>

/**
 * A list with more entries, or with fewer; an entry that is there already is not added again. One that was never set
 * starts from its default, as in Kafka.
 */
const changedList = (configs: Configs, setting: AnySetting, { name, operation }: ConfigChange, value: string): Either.Either<string, Rejection> => {
  if (setting.type !== "list") return rejected("INVALID_CONFIG", `Can't ${operation.toUpperCase()} to key ${name} because its type is not LIST.`)
  const before = entriesOf(configs[name] ?? String(setting.default))
  const named = entriesOf(value)
  return Either.right((operation === "append" ? [...before, ...named] : before.filter((entry) => !named.includes(entry))).join(","))
}

/**
 * Settings after one change; whether values are within their bounds is looked at when all changes are made. What is not
 * set may be deleted, as in Kafka.
 */
const changed = (configs: Configs, change: ConfigChange, find: FindSetting): Either.Either<Configs, Rejection> => {
  const { name, operation, value } = change
  if (operation === "delete") {
    if (!Object.hasOwn(configs, name)) return Either.right(configs)
    const { [name]: _, ...rest } = configs
    return Either.right(rest)
  }
  return Either.flatMap(find(name), (setting) => {
    if (value === null) return rejected("INVALID_REQUEST", `Null value not supported for : ${name.slice(0, 60)}`)
    const next = operation === "set" ? Either.right(value) : changedList(configs, setting, change, value)
    return Either.map(next, (text) => ({ ...configs, [name]: text }))
  })
}

/** A record older than the longest lag must be compacted, and one younger than the shortest must not be. */
const lags = [
  ["min.compaction.lag.ms", "max.compaction.lag.ms"],
  ["log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"]
] as const
const conflict = (configs: Configs): string | undefined => {
  const pair = lags.find(([least, most]) => Number(configs[least] ?? 0) > Number(configs[most] ?? Number.POSITIVE_INFINITY))
  return pair === undefined ? undefined : `${pair[0]}=${configs[pair[0]]}: expected at most what ${pair[1]} says, ${configs[pair[1]]}.`
}

/**
 * Returns the settings in their stored form, each known and within its bounds. INVALID_CONFIG names the first that is
 * not, its value and what is expected. Settings that are the same in `before` are not checked again: a value that an
 * earlier version accepted must not prevent all other changes.
 */
export const parseConfigs = (entries: ReadonlyArray<ConfigEntry>, find: FindSetting, before: Configs = {}): Either.Either<Configs, Rejection> =>
  Either.gen(function* () {
    const configs: Record<string, string> = {}
    let characters = 0
    for (const { name, value } of entries) {
      if (value !== null && before[name] === value && !Object.hasOwn(configs, name)) {
        configs[name] = value
        characters += name.length + value.length
        continue
      }
      const setting = yield* find(name)
      if (value === null) return yield* rejected("INVALID_CONFIG", `Null value not supported for topic configs: ${name}.`)
      characters += name.length + value.length
      if (characters > configCharactersMax) return yield* rejected("INVALID_CONFIG", `The settings have more than ${configCharactersMax} characters.`)
      if (Object.hasOwn(configs, name)) return yield* rejected("INVALID_CONFIG", `${name} is given twice.`)
      const parsed = parseSetting(name, setting, value)
      if (Either.isLeft(parsed)) return yield* rejected("INVALID_CONFIG", parsed.left.message)
      configs[name] = textOf(setting, parsed.right)
    }
    const wrong = conflict(configs)
    return wrong === undefined ? configs : yield* rejected("INVALID_CONFIG", wrong)
  })

/** Makes all changes or none. With `replace` a setting that is not named is removed. */
export const changedConfigs = (
  before: Configs,
  { changes, replace }: { readonly changes: ReadonlyArray<ConfigChange>; readonly replace: boolean },
  find: FindSetting
): Either.Either<Configs, Rejection> =>
  Either.gen(function* () {
    const named = new Set(changes.map(({ name }) => name))
    if (named.size < changes.length) return yield* rejected("INVALID_REQUEST", "Error due to duplicate config keys")
    let configs: Configs = replace ? {} : before
    for (const change of changes) configs = yield* changed(configs, change, find)
    return yield* parseConfigs(
      Object.entries(configs).map(([name, value]) => ({ name, value })),
      find,
      before
    )
  })

/**
 * Returns why settings that replace others are too many for the cluster; undefined where they are not. Fewer than
 * before are never too many.
 */
export const tooManyConfigs = ({ configCharacters }: Pick<Cluster, "configCharacters">, before: Configs, after: Configs): Rejection | undefined => {
  const more = charactersOf(after) - charactersOf(before)
  if (more <= 0 || configCharacters + more <= allConfigCharactersMax) return undefined
  return {
    error: "POLICY_VIOLATION",
    message: `The settings of all topics and nodes would have ${configCharacters + more} characters, the most is ${allConfigCharactersMax}.`
  }
}

export const sameConfigs = (one: Configs, other: Configs): boolean => {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}
