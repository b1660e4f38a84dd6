import { Either } from "effect"
import { type ConfigFault, defaultNodeConfig, isNodeSetting, type NodeConfig, nodeSetting, nodeSettingNames, parseSetting, type SettingName } from "./config.ts"
import { readProperties } from "./java-properties.ts"
import { didYouMean, nearest } from "./nearest.ts"

/** Where a value was written: a file's name and line, `-X`, or a variable of the environment. Errors name it. */
export interface Assignment {
  readonly name: string
  readonly value: string
  readonly from: string
  /** Why the place has no name and no value. */
  readonly unreadable?: string
}

/** Settings of Apache Kafka that tune threads, sockets and machinery which this system does not have: read over, and reported as having no effect. */
const withoutEffect =
  /^(process\.roles|controller\..*|inter\.broker\.(listener\.name|protocol\.version)|listener\.security\.protocol\.map|num\.(network\.threads|io\.threads|recovery\.threads\.per\.data\.dir|replica\..*)|background\.threads|socket\.(send|receive)\.buffer\.bytes|queued\.max\..*|replica\..*|transaction\..*|offsets\.topic\.(replication\.factor|segment\.bytes|compression\.codec)|share\.coordinator\..*|group\.(coordinator|consumer|share|streams)\..*|metadata\.(log|max)\..*|metric.*|log4j.*|connections\.max\.idle\.ms)$/
/** Settings that would change what is kept or who may do what. They are not built, so they are refused: an operator must not believe that they hold. */
const notBuilt = /^(log\.flush\..*|sasl\..*|ssl\..*|security\..*|authorizer\..*|super\.users|quota\..*|remote\.log\..*)$/

/** The entries of a Java properties file. One that cannot be read carries the reason, which `loadConfig` reports. */
export const parseProperties = (text: string, file: string): ReadonlyArray<Assignment> =>
  readProperties(text).map(
    Either.match({
      onLeft: ({ line, reason }) => ({ name: "", value: "", from: `${file}:${line}`, unreadable: reason }),
      onRight: ({ line, name, value }) => ({ name, value, from: `${file}:${line}` })
    })
  )

/** `KAFKA_LOG_DIRS` is `log.dirs`. A variable that is near no setting (KAFKA_HOME, KAFKA_BROKERS …) is somebody else's and is left alone; one that is near is a mistake. */
export const parseVariables = (variables: Readonly<Record<string, string | undefined>>): ReadonlyArray<Assignment> =>
  Object.entries(variables).flatMap(([variable, value]) => {
    if (!variable.startsWith("KAFKA_") || value === undefined) return []
    const name = variable.slice("KAFKA_".length).toLowerCase().replaceAll("_", ".")
    const ours = isNodeSetting(name) || notBuilt.test(name) || (name.length > 5 && near(name))
    return ours ? [{ name, value, from: variable }] : []
  })
const near = (name: string): boolean => {
  const candidate = nearest(name, nodeSettingNames)
  return candidate !== undefined && Math.abs(candidate.length - name.length) <= 2 && candidate.split(".").length === name.split(".").length
}

/** `-X name=value`. */
export const parseOption = (text: string): Either.Either<Assignment, ConfigFault> => {
  const at = text.indexOf("=")
  return at > 0
    ? Either.right({ name: text.slice(0, at).trim(), value: text.slice(at + 1), from: "-X" })
    : Either.left({ name: text, message: `-X ${text}: expected name=value, e.g. -X num.partitions=6.` })
}

/** Where a setting was not written and one of a greater unit was, it says what that says (log.retention.ms: minutes, then hours); no bound stays none. */
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
  /** One line each for settings of Apache Kafka that are read over. */
  readonly notes: ReadonlyArray<string>
}

/** Settings from assignments, later ones over earlier ones. Every mistake is reported, not only the first. */
export const loadConfig = (assignments: ReadonlyArray<Assignment>): Either.Either<Loaded, ReadonlyArray<ConfigFault>> => {
  const values: Record<string, number | boolean | string> = {}
  const set = new Set<SettingName>()
  const notes: Array<string> = []
  const faults: Array<ConfigFault> = []
  for (const { from, name, unreadable, value } of assignments) {
    if (unreadable !== undefined) faults.push({ name: from, message: `${from}: ${unreadable}.` })
    else if (isNodeSetting(name)) {
      const read = parseSetting(name, nodeSetting(name), value)
      if (Either.isLeft(read)) faults.push({ name, message: `${from}: ${read.left.message}` })
      else {
        values[name] = read.right
        set.add(name)
      }
    } else if (notBuilt.test(name)) {
      faults.push({
        name,
        message: `${from}: '${name}' is a setting of Apache Kafka that this version does not have (docs/skipped.md). Remove it to start without it.`
      })
    } else if (withoutEffect.test(name)) {
      notes.push(`${from}: '${name}' has no effect here.`)
    } else {
      faults.push({ name, message: `${from}: there is no setting '${name}'.${didYouMean(name, nodeSettingNames)}` })
    }
  }
  if (faults.length > 0) return Either.left(faults)
  return Either.right({ config: withUnits({ ...defaultNodeConfig, ...values } as NodeConfig, set), set, notes })
}

/** `PLAINTEXT://HOST:PORT`, the first of a list; a host that is left out is 127.0.0.1, unless told otherwise. */
export const parseListener = (name: string, text: string): Either.Either<{ readonly host: string; readonly port: number }, ConfigFault> => {
  const first = text.split(",")[0]?.trim() ?? ""
  const [, protocol = "PLAINTEXT", bracketed, plain = "", port = ""] = first.match(/^(?:([A-Za-z0-9_]+):\/\/)?(?:\[([^\]]+)\]|([^:/[\]]*)):(\d{1,5})$/) ?? []
  const host = bracketed ?? (plain === "" ? "127.0.0.1" : plain)
  if (port === "" || Number(port) > 65_535)
    return Either.left({ name, message: `${name}=${text}: expected PLAINTEXT://HOST:PORT with a port from 0 to 65535.` })
  if (/^(SSL|SASL_)/i.test(protocol)) return Either.left({ name, message: `${name}=${text}: ${protocol} is not built yet (docs/skipped.md); use PLAINTEXT.` })
  return Either.right({ host, port: Number(port) })
}
