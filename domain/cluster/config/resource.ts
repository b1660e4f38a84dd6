import { Either, HashMap } from "effect"
import { groupConflict, type ResourceKind, resourceSettings } from "../../kernel/config.ts"
import { didYouMean } from "../../kernel/nearest.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { ResourceConfigsChanged } from "../event.ts"
import type { Cluster } from "../state.ts"
import { type Configs, changedConfigs, type FindSetting, sameConfigs, tooManyConfigs } from "./changes.ts"

const words: Readonly<Record<ResourceKind, string>> = { group: "group", "client-metrics": "client metrics" }
/** Characters that the name of a group or of a subscription may have. */
const nameCharactersMax = 1000

const none: Configs = {}
/** What was set for a group or a subscription. */
export const resourceConfigsOf = (cluster: Pick<Cluster, "resourceConfigs">, kind: ResourceKind, name: string): Configs => {
  const found = HashMap.get(cluster.resourceConfigs[kind], name)
  return found._tag === "Some" ? found.value : none
}
/** Returns the names that have settings, in order. */
export const configuredNames = (cluster: Pick<Cluster, "resourceConfigs">, kind: ResourceKind): ReadonlyArray<string> =>
  [...HashMap.keys(cluster.resourceConfigs[kind])].sort()

/** A setting of that kind; INVALID_CONFIG names what was probably meant. */
const find =
  (kind: ResourceKind): FindSetting =>
  (name) => {
    const found = resourceSettings(kind).get(name)
    return found === undefined
      ? rejected("INVALID_CONFIG", `Unknown ${words[kind]} config name: ${name.slice(0, 60)}.${didYouMean(name, resourceSettings(kind).keys())}`)
      : Either.right(found.setting)
  }

/** The settings as they count in what the journal may hold: with the name that they are kept under. */
const counted = (name: string, configs: Configs): Configs => (Object.keys(configs).length === 0 ? none : { ...configs, [name]: "" })

/** As for topics; a group need not be there. INVALID_REQUEST for a name that is empty or too long. */
export const changeResourceConfigs = (cluster: Cluster, command: CommandOf<"ChangeResourceConfigs">): Decision =>
  Either.gen(function* () {
    const { kind, name, node, validateOnly } = command
    if (name === "" || name.length > nameCharactersMax)
      return yield* rejected("INVALID_REQUEST", `The name of a ${words[kind]} resource has 1 to ${nameCharactersMax} characters; this one has ${name.length}.`)
    const before = resourceConfigsOf(cluster, kind, name)
    const configs = yield* changedConfigs(before, command, find(kind))
    const conflict = kind === "group" ? groupConflict(node, configs) : undefined
    if (conflict !== undefined) return yield* rejected("INVALID_CONFIG", conflict)
    const tooMany = tooManyConfigs(cluster, counted(name, before), counted(name, configs))
    if (tooMany !== undefined) return yield* Either.left(tooMany)
    return validateOnly || sameConfigs(configs, before) ? [] : [new ResourceConfigsChanged({ kind, name, configs })]
  })
