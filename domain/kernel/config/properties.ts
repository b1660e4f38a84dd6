import { Either } from "effect"
import {
  authorizerSettings,
  type ConfigFault,
  defaultNodeConfig,
  isNodeSetting,
  type NodeConfig,
  nodeSetting,
  nodeSettingNames,
  ofListener,
  parseSetting,
  type SettingName,
  whyRemoved
} from "../config.ts"
import { didYouMean, nearest } from "../nearest.ts"
import { readProperties } from "./java-properties.ts"

/** Where a value was written: a file's name and line, `-X`, or a variable of the environment. Errors name it. */
export interface Assignment {
  readonly name: string
  readonly value: string
  readonly from: string
  /** Why the entry has no name and no value. */
  readonly unreadable?: string
}

/** The entries of a Java properties file. One that cannot be read carries the reason, which `loadConfig` reports. */
export const parseProperties = (text: string, file: string): ReadonlyArray<Assignment> =>
  readProperties(text).map(
    Either.match({
      onLeft: ({ line, reason }) => ({ name: "", value: "", from: `${file}:${line}`, unreadable: reason }),
      onRight: ({ line, name, value }) => ({ name, value, from: `${file}:${line}` })
    })
  )

/**
 * `KAFKA_LOG_DIRS` is `log.dirs`; as in Apache Kafka's image, two underscores are one and three are a dash.
 * `KAFKA_CFG_LOG_DIRS`, as Bitnami's image spells it, is the same. A variable that resembles no setting (KAFKA_HOME,
 * KAFKA_BROKERS …) belongs to another program and is ignored; one that resembles a setting is a mistake.
 */
export const parseVariables = (variables: Readonly<Record<string, string | undefined>>): ReadonlyArray<Assignment> =>
  Object.entries(variables).flatMap(([variable, value]) => {
    if (!variable.startsWith("KAFKA_") || value === undefined) return []
    const name = variable
      .slice(variable.startsWith("KAFKA_CFG_") ? "KAFKA_CFG_".length : "KAFKA_".length)
      .toLowerCase()
      .replace(/_{1,3}/g, (dashes) => (dashes.length === 1 ? "." : dashes.length === 2 ? "_" : "-"))
    const ours = isNodeSetting(name) || Object.hasOwn(authorizerSettings, name) || olderVariable.test(name) || (name.length > 5 && near(name))
    return ours ? [{ name, value, from: variable }] : []
  })
/** What older images of Kafka set, and no other program would. */
const olderVariable = /^(zookeeper\..+|listener\.name\..+\..+|advertised\.(host\.name|port)|inter\.broker\.protocol\.version|log\.message\.format\.version)$/
/** KAFKA_BROKER_URL is three letters from broker.id, and an application's. */
const near = (name: string): boolean => nearest(name, nodeSettingNames, Math.max(1, Math.floor(name.length / 8))) !== undefined

/** `-X name=value`. */
export const parseOption = (text: string): Either.Either<Assignment, ConfigFault> => {
  const at = text.indexOf("=")
  return at > 0
    ? Either.right({ name: text.slice(0, at).trim(), value: text.slice(at + 1), from: "-X" })
    : Either.left({ name: text, message: `-X ${text}: expected name=value, e.g. -X num.partitions=6.` })
}

/**
 * A setting that is absent has the value of a present one with a greater unit (log.retention.ms: minutes, then hours);
 * no bound stays no bound.
 */
const withUnits = (config: NodeConfig, set: ReadonlySet<SettingName>): NodeConfig => {
  const converted = nodeSettingNames.flatMap((name) => {
    const found = set.has(name) ? undefined : nodeSetting(name).coarser?.find(([other]) => isNodeSetting(other) && set.has(other))
    if (found === undefined) return []
    const value = config[found[0] as SettingName]
    return typeof value === "number" ? [[name, value < 0 ? -1 : value * found[1]] as const] : []
  })
  return { ...config, ...Object.fromEntries(converted) } as NodeConfig
}

export interface Loaded {
  readonly config: NodeConfig
  /** Names that were set, so that defaults of the command line do not override them. */
  readonly set: ReadonlySet<SettingName>
  /** One line that names the settings that change nothing; none where all have an effect. */
  readonly warnings: ReadonlyArray<string>
}

const notServed = (name: string): string =>
  `${name} asks for security that this version does not have: all listeners are PLAINTEXT, and who may do what is not checked (docs/skipped.md). Remove it to start without it.`

/** The result of one assignment: a value, no effect and perhaps why, or an error. */
type Said = { readonly value: number | boolean | string } | { readonly ineffective: string } | { readonly fault: string }

/** `scram-sha-256.sasl.jaas.config` of a listener is refused where `sasl.jaas.config` is. */
const saidOfListener = (name: string, base: string, value: string): Said => {
  const known = [base, base.replace(/^[^.]+\./, "")].find(isNodeSetting)
  const isRefused = known !== undefined && nodeSetting(known).notBuilt !== undefined && Either.isLeft(parseSetting(known, nodeSetting(known), value))
  return isRefused ? { fault: notServed(name) } : { ineffective: name }
}

const said = (name: string, value: string): Said => {
  if (isNodeSetting(name))
    return Either.match(parseSetting(name, nodeSetting(name), value), { onLeft: ({ message }) => ({ fault: message }), onRight: (read) => ({ value: read }) })
  const harmless = Object.hasOwn(authorizerSettings, name) ? authorizerSettings[name] : undefined
  if (harmless !== undefined) return value.trim() === harmless || value.trim() === "" ? { ineffective: name } : { fault: notServed(name) }
  const base = ofListener(name)
  if (base !== undefined) return saidOfListener(name, base, value)
  const why = whyRemoved(name)
  return why === undefined ? { fault: `there is no setting '${name}'.${didYouMean(name, nodeSettingNames)}` } : { ineffective: `${name} (${why})` }
}

/** The older names of two settings apply where the settings themselves are absent. */
const withOlderNames = (config: NodeConfig, set: Set<SettingName>): NodeConfig => {
  const byId = set.has("broker.id") && config["broker.id"] >= 0 && !set.has("node.id")
  const byDirectory = set.has("log.dir") && !set.has("log.dirs")
  if (byId) set.add("node.id")
  if (byDirectory) set.add("log.dirs")
  return { ...config, ...(byId ? { "node.id": config["broker.id"] } : {}), ...(byDirectory ? { "log.dirs": config["log.dir"] } : {}) }
}

/** Settings from assignments, later ones over earlier ones. Every mistake is reported, not only the first. */
export const loadConfig = (assignments: ReadonlyArray<Assignment>): Either.Either<Loaded, ReadonlyArray<ConfigFault>> => {
  const values: Record<string, number | boolean | string> = {}
  const set = new Set<SettingName>()
  const ineffective = new Set<string>()
  const faults: Array<ConfigFault> = []
  for (const { from, name, unreadable, value } of assignments) {
    const heard = unreadable === undefined ? said(name, value) : { fault: `${unreadable}.` }
    if ("fault" in heard) faults.push({ name: unreadable === undefined ? name : from, message: `${from}: ${heard.fault}` })
    else if ("ineffective" in heard) ineffective.add(heard.ineffective)
    else if (isNodeSetting(name)) {
      values[name] = heard.value
      set.add(name)
      if (nodeSetting(name).noEffect === true) ineffective.add(name)
    }
  }
  if (set.has("node.id") && set.has("broker.id") && values["broker.id"] !== -1 && values["broker.id"] !== values["node.id"])
    faults.push({
      name: "broker.id",
      message: `broker.id=${values["broker.id"]}, node.id=${values["node.id"]}: both name this node, so they must be the same.`
    })
  if (faults.length > 0) return Either.left(faults)
  const warnings = ineffective.size === 0 ? [] : [`settings without effect here: ${[...ineffective].join(", ")}; docs/settings.md says why`]
  return Either.right({ config: withUnits(withOlderNames({ ...defaultNodeConfig, ...values } as NodeConfig, set), set), set, warnings })
}
