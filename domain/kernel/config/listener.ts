import { Either } from "effect"
import { type ConfigFault, entriesOf, type NodeConfig, type SettingName } from "../config.ts"

/** A named address of a node. */
export interface NamedEndpoint {
  readonly name: string
  readonly host: string
  readonly port: number
}
/** A socket that a node opens; an empty host means every address of the machine. */
export interface NodeListener extends NamedEndpoint {
  /** It serves what the leader decides (`controller.listener.names`), and no client's data. */
  readonly isController: boolean
  /** The address that clients of this listener get; undefined: the one where it listens. */
  readonly advertised: { readonly host: string; readonly port: number } | undefined
}
/** The listeners of a node, from `listeners` and its companions: one socket at least. */
export interface NodeListeners {
  readonly all: ReadonlyArray<NodeListener>
  /** The name of the one through which other nodes reach this one. */
  readonly interBroker: string
}

type Config = Pick<
  NodeConfig,
  | "listeners"
  | "advertised.listeners"
  | "listener.security.protocol.map"
  | "inter.broker.listener.name"
  | "security.inter.broker.protocol"
  | "controller.listener.names"
  | "early.start.listeners"
  | "process.roles"
>

const protocols: ReadonlySet<string> = new Set(["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
const pattern = /^(?:([A-Za-z0-9_.-]+):\/\/)?(?:\[([^\]]+)\]|([^:/[\]]*)):(\d{1,6})$/
const wildcards: ReadonlySet<string> = new Set(["0.0.0.0", "::", "0:0:0:0:0:0:0:0"])

const fail = (name: string, message: string): Either.Either<never, ConfigFault> => Either.left({ name, message })

/** One address of a list; its name in capitals, as Kafka compares them. */
const parseEndpoint = (setting: string, text: string): Either.Either<NamedEndpoint, ConfigFault> => {
  const [, name = "PLAINTEXT", bracketed, plain = "", port = ""] = pattern.exec(text) ?? []
  if (port === "" || Number(port) > 65_535 || (!text.includes("://") && plain === "" && bracketed === undefined))
    return fail(
      setting,
      `${setting}: unable to parse ${text.slice(0, 200)}: expected NAME://HOST:PORT with a port from 0 to 65535; an IPv6 address is in brackets.`
    )
  return Either.right({ name: name.toUpperCase(), host: bracketed ?? plain, port: Number(port) })
}
const parseEndpoints = (setting: string, text: string): Either.Either<ReadonlyArray<NamedEndpoint>, ConfigFault> =>
  Either.all(entriesOf(text).map((entry) => parseEndpoint(setting, entry)))

const repeated = <A>(values: ReadonlyArray<A>): A | undefined => values.find((value, at) => values.indexOf(value) !== at)

const distinctFault = (setting: string, text: string, endpoints: ReadonlyArray<NamedEndpoint>): string | undefined => {
  if (repeated(endpoints.map(({ name }) => name)) !== undefined) return `${setting}=${text}: each listener must have a different name.`
  if (setting !== "listeners") return undefined
  const port = repeated(endpoints.map(({ port }) => port).filter((port) => port !== 0))
  const hosts = endpoints.filter((each) => each.port === port).map(({ host }) => host)
  const isPair = hosts.length === 2 && hosts.every((host) => host !== "") && hosts.filter((host) => host.includes(":")).length === 1
  return port === undefined || isPair
    ? undefined
    : `${setting}=${text}: each listener must have a different port; two may have port ${port} where one has an IPv4 address and the other an IPv6 address.`
}

/** NAME:PROTOCOL, … */
const parseMap = (text: string): Either.Either<ReadonlyMap<string, string>, ConfigFault> => {
  const map = new Map<string, string>()
  for (const entry of entriesOf(text)) {
    const at = entry.lastIndexOf(":")
    const [name, protocol] = [
      entry.slice(0, at).trim().toUpperCase(),
      entry
        .slice(at + 1)
        .trim()
        .toUpperCase()
    ]
    if (at < 1 || name === "") return fail("listener.security.protocol.map", `listener.security.protocol.map: ${entry.slice(0, 200)}: expected NAME:PROTOCOL.`)
    if (!protocols.has(protocol))
      return fail(
        "listener.security.protocol.map",
        `Invalid security protocol ${protocol.slice(0, 60)} defined in listener.security.protocol.map for ${name}: there are PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL.`
      )
    map.set(name, protocol)
  }
  return Either.right(map)
}

/**
 * The protocol of each listener. Without a map in the configuration a controller's listener is PLAINTEXT, as in Kafka,
 * and so is one whose name begins with PLAINTEXT.
 */
const protocolOf = (config: Config, set: ReadonlySet<string>) =>
  Either.map(parseMap(config["listener.security.protocol.map"]), (map) => {
    const isWritten = set.has("listener.security.protocol.map")
    const controllers = namesOf(config["controller.listener.names"])
    return (name: string): string | undefined =>
      map.get(name) ?? (!isWritten && (controllers.includes(name) || name.startsWith("PLAINTEXT")) ? "PLAINTEXT" : undefined)
  })
const namesOf = (text: string): ReadonlyArray<string> => entriesOf(text).map((name) => name.toUpperCase())

/** What cannot be served as its protocol asks is not served at all. */
const protocolFault = (endpoints: ReadonlyArray<NamedEndpoint>, find: (name: string) => string | undefined): string | undefined => {
  for (const { name } of endpoints) {
    const protocol = find(name)
    if (protocol === undefined) return `listeners: no security protocol defined for listener ${name}: add ${name}:PLAINTEXT to listener.security.protocol.map.`
    if (protocol !== "PLAINTEXT")
      return `listeners: ${name} is a listener of ${protocol}, which is not built yet (docs/skipped.md), and it is not opened in plain text instead. Use PLAINTEXT, or remove it.`
  }
  return undefined
}

/** What `process.roles` asks of the listeners, in Kafka's rules. */
const rolesFault = (config: Config, names: ReadonlyArray<string>, controllers: ReadonlyArray<string>): string | undefined => {
  const roles = entriesOf(config["process.roles"]).toSorted().join(",")
  const own = names.filter((name) => controllers.includes(name))
  if (roles === "broker" && own.length > 0)
    return "controller.listener.names must not contain a value appearing in the 'listeners' configuration when process.roles is broker alone."
  if (roles.includes("controller") && controllers.length > 0 && own.length === 0)
    return "controller.listener.names must contain at least one value appearing in the 'listeners' configuration where process.roles has controller."
  if (roles === "controller" && controllers.length > 0 && own.length < names.length)
    return "The listeners must all be of controller.listener.names where process.roles is controller alone."
  if (roles !== "controller" && own.length === names.length)
    return "There must be at least one listener for clients: all listeners appear in controller.listener.names."
  return undefined
}

/**
 * The listener between nodes: the one that is named, else the one of that protocol's name, else the first for clients.
 */
const interBrokerOf = (config: Config, set: ReadonlySet<string>, clients: ReadonlyArray<string>): Either.Either<string, ConfigFault> => {
  const named = config["inter.broker.listener.name"].toUpperCase()
  const setting = named === "" ? "security.inter.broker.protocol" : "inter.broker.listener.name"
  if (named !== "" && set.has("security.inter.broker.protocol"))
    return fail(setting, "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.")
  if (named === "" && config["security.inter.broker.protocol"] !== "PLAINTEXT")
    return fail(setting, `${setting}=${config[setting]}: only PLAINTEXT is built (docs/skipped.md).`)
  const wanted = named === "" ? "PLAINTEXT" : named
  if (clients.includes(wanted)) return Either.right(wanted)
  const [first] = clients
  return named === "" && !set.has("security.inter.broker.protocol") && first !== undefined
    ? Either.right(first)
    : fail(setting, `${setting}=${config[setting]}: it must name one of the listeners for clients, which are ${clients.join(", ")}.`)
}

const advertisedFault = (advertised: ReadonlyArray<NamedEndpoint>, names: ReadonlyArray<string>): string | undefined => {
  const stranger = advertised.find(({ name }) => !names.includes(name))
  if (stranger !== undefined)
    return `advertised.listeners: listener names must be equal to or a subset of the ones defined in listeners. Found ${stranger.name}; there are ${names.join(", ")}.`
  const meta = advertised.find(({ host }) => wildcards.has(host))
  return meta === undefined ? undefined : `advertised.listeners cannot use the nonroutable meta-address ${meta.host}. Use an address that clients can reach.`
}

const addressOf = (endpoint: NamedEndpoint | undefined) => (endpoint === undefined ? undefined : { host: endpoint.host, port: endpoint.port })

/**
 * Where a node listens by its settings, each rule and its order as in Kafka; `set` are the names that were written. A
 * fault names the setting, what was wrong and what would do: a listener that cannot be served as its protocol asks is
 * one.
 */
export const nodeListeners = (config: Config, set: ReadonlySet<SettingName>): Either.Either<NodeListeners, ConfigFault> =>
  Either.gen(function* () {
    const endpoints = yield* parseEndpoints("listeners", config.listeners)
    const names = endpoints.map(({ name }) => name)
    const controllers = namesOf(config["controller.listener.names"])
    const advertised = yield* parseEndpoints("advertised.listeners", config["advertised.listeners"])
    const early = namesOf(config["early.start.listeners"]).find((name) => !names.includes(name) && !controllers.includes(name))
    const fault =
      (endpoints.length === 0 ? "listeners: expected one at least, e.g. PLAINTEXT://127.0.0.1:9092." : undefined) ??
      distinctFault("listeners", config.listeners, endpoints) ??
      distinctFault("advertised.listeners", config["advertised.listeners"], advertised) ??
      protocolFault(endpoints, yield* protocolOf(config, set)) ??
      rolesFault(config, names, controllers) ??
      advertisedFault(advertised, names) ??
      (early === undefined
        ? undefined
        : `early.start.listeners contains listener ${early}, but this is not contained in listeners or controller.listener.names.`)
    if (fault !== undefined) return yield* fail("listeners", fault)
    const all = endpoints.map(
      (each): NodeListener => ({
        ...each,
        isController: controllers.includes(each.name),
        advertised: addressOf(advertised.find(({ name }) => name === each.name))
      })
    )
    const clients = all.filter(({ isController }) => !isController).map(({ name }) => name)
    return { all, interBroker: clients.length === 0 ? (names[0] ?? "") : yield* interBrokerOf(config, set, clients) }
  })

/** One listener for all, by the usual name. */
export const soleListenerAt = ({ host, port }: Pick<NamedEndpoint, "host" | "port">): NodeListeners => ({
  all: [{ name: "PLAINTEXT", host, port, isController: false, advertised: undefined }],
  interBroker: "PLAINTEXT"
})

/** As `listeners` is written. */
export const listenerText = ({ host, name, port }: NamedEndpoint): string => `${name}://${host.includes(":") ? `[${host}]` : host}:${port}`

/** `HOST:PORT` of another node; an IPv6 address is in brackets. */
export const parseAddress = (text: string): { readonly host: string; readonly port: number } | undefined => {
  const read = parseEndpoint("", `X://${text}`)
  return Either.isRight(read) && read.right.host !== "" && read.right.port > 0 ? { host: read.right.host, port: read.right.port } : undefined
}
