import { readFileSync } from "node:fs"
import { Effect, Either, Option } from "effect"
import { listenerText, type NodeListeners, nodeListeners, parseAddress as readAddress } from "../../../domain/kernel/config/listener.ts"
import { type Assignment, type Loaded, loadConfig, parseOption, parseProperties, parseVariables } from "../../../domain/kernel/config/properties.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { CliFailure } from "../shell/failure.ts"
import { choice, optionalInteger, optionalText, repeatedText } from "../shell/spec.ts"
import type { Endpoint, NodeOptions } from "./roles.ts"

/** Options that every node command has. */
export const nodeOptions = {
  port: optionalInteger({ name: "port", placeholder: "PORT", help: "The port to listen on; 0 for a free port, which is printed." }),
  host: optionalText({
    name: "host",
    placeholder: "ADDRESS",
    help: "The address to listen on (127.0.0.1). 0.0.0.0 accepts connections from the network: there is no authentication yet."
  }),
  data: optionalText({ name: "data", placeholder: "DIR", help: "The data directory of this node, or several: DIR,DIR." }),
  config: optionalText({ name: "config", placeholder: "FILE", help: "A settings file with the names of Kafka's server.properties." }),
  set: repeatedText({
    name: "set",
    alias: "X",
    placeholder: "NAME=VALUE",
    help: "A setting, which overrides the file and KAFKA_… variables; may be repeated."
  }),
  logFormat: choice({ name: "log-format", of: ["text", "json"], or: "text", help: "The format of log lines, on standard error." })
}
export interface NodeWords {
  readonly port: Option.Option<number>
  readonly host: Option.Option<string>
  readonly data: Option.Option<string>
  readonly config: Option.Option<string>
  readonly set: ReadonlyArray<string>
}

const wrong = (message: string) => new CliFailure({ exit: "config", message })

/**
 * Decodes the file as UTF-8. Kafka reads ISO-8859-1: ASCII is the same in both, and a line that is not UTF-8 is refused
 * with its number.
 */
const decoded = (bytes: Uint8Array, path: string): Either.Either<string, CliFailure> => {
  const decode = (part: Uint8Array) => Either.try(() => new TextDecoder("utf-8", { fatal: true }).decode(part))
  return Either.mapLeft(decode(bytes), () => {
    let line = 1
    for (let at = 0; at < bytes.length; line++) {
      const end = bytes.indexOf(10, at)
      const next = end === -1 ? bytes.length : end + 1
      if (Either.isLeft(decode(bytes.subarray(at, next)))) break
      at = next
    }
    return wrong(`${path}:${line}: the line is not UTF-8. Save the file as UTF-8, or write characters beyond ASCII as \\uXXXX, which Kafka reads alike.`)
  })
}

const readFile = (path: string): Effect.Effect<ReadonlyArray<Assignment>, CliFailure> =>
  Effect.try({
    try: () => readFileSync(path),
    catch: (cause) => wrong(`the settings file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }).pipe(
    Effect.flatMap((bytes) => decoded(bytes, path)),
    Effect.map((text) => parseProperties(text, path))
  )

const load = (words: NodeWords): Effect.Effect<Loaded, CliFailure> =>
  Effect.gen(function* () {
    const file = Option.isSome(words.config) ? yield* readFile(words.config.value) : []
    const options = words.set.map(parseOption)
    const loaded = Either.flatMap(
      Either.mapLeft(Either.all(options), (fault) => [fault]),
      (given) => loadConfig([...file, ...parseVariables(process.env), ...given])
    )
    return yield* Either.match(loaded, { onLeft: (faults) => Effect.fail(wrong(faults.map(({ message }) => message).join("\n"))), onRight: Effect.succeed })
  })

const directoriesOf = (option: string, written: string): Effect.Effect<NodeOptions["data"], CliFailure> => {
  const [first, ...others] = written.split(",").map((each) => each.trim())
  if (first === undefined || [first, ...others].includes("")) return Effect.fail(wrong(`${option}${written}: expected directories, with a comma between two.`))
  const twice = [first, ...others].find((each, i, all) => all.indexOf(each) !== i)
  return twice === undefined ? Effect.succeed([first, ...others]) : Effect.fail(wrong(`${option}${written}: ${twice} is named twice.`))
}

/** Moves the first listener for clients to `--host` and `--port`; the others stay. */
const moved = (listeners: NodeListeners, words: NodeWords): string => {
  const first = listeners.all.find(({ isController }) => !isController) ?? listeners.all[0]
  return listeners.all
    .map((each) =>
      listenerText(
        each === first ? { name: each.name, host: Option.getOrElse(words.host, () => each.host), port: Option.getOrElse(words.port, () => each.port) } : each
      )
    )
    .join(",")
}

/** The listeners of the node, by its settings and by the command line, which overrides them. */
const listenersOf = (words: NodeWords, config: NodeConfig, set: Loaded["set"]): Effect.Effect<NodeListeners, CliFailure> => {
  const port = Option.getOrElse(words.port, () => 0)
  if (port < 0 || port > 65_535) return Effect.fail(new CliFailure({ exit: "usage", message: `--port ${port}: expected a port from 0 to 65535.` }))
  const isMoved = Option.isSome(words.host) || Option.isSome(words.port)
  const found = Either.flatMap(nodeListeners(config, set), (listeners) =>
    isMoved ? nodeListeners({ ...config, listeners: moved(listeners, words) }, set) : Either.right(listeners)
  )
  return Either.match(found, { onLeft: ({ message }) => Effect.fail(wrong(message)), onRight: Effect.succeed })
}

/** A listener without a host accepts connections from the network, as with Kafka. */
const openToAll = ({ all }: NodeListeners): ReadonlyArray<string> => {
  const open = all.filter(({ host }) => host === "").map(listenerText)
  return open.length === 0 ? [] : [`${open.join(", ")}: listens on all addresses of this machine, and there is no authentication yet`]
}

/**
 * The settings of a node: the file, the variables, `-X`, and the options of the command line, each over those before
 * it. `warnings` go to the log.
 */
export const nodeSettings = (
  words: NodeWords,
  defaults: { readonly id: number | undefined; readonly data: string; readonly needsId?: boolean; readonly isIdFromLeader?: boolean }
): Effect.Effect<
  { readonly node: NodeOptions; readonly warnings: ReadonlyArray<string>; readonly dataByDefault: boolean; readonly set: Loaded["set"] },
  CliFailure
> =>
  Effect.gen(function* () {
    const { config, set, warnings } = yield* load(words)
    const listeners = yield* listenersOf(words, config, set)
    const isIdFromLeader = defaults.isIdFromLeader === true
    if (isIdFromLeader && set.has("node.id"))
      return yield* Effect.fail(new CliFailure({ exit: "usage", message: `--id auto: the settings have node.id=${config["node.id"]}. Remove one of the two.` }))
    if (defaults.needsId === true && defaults.id === undefined && !isIdFromLeader && !set.has("node.id"))
      return yield* Effect.fail(
        new CliFailure({ exit: "usage", message: "--id must be given, or node.id in the settings: a broker's id is unique in its cluster." })
      )
    const written = set.has("log.dirs") ? config["log.dirs"] : undefined
    const data = yield* directoriesOf(
      Option.isSome(words.data) ? "--data " : "log.dirs=",
      Option.getOrElse(
        words.data,
        () => written ?? (defaults.needsId === true ? `${defaults.data}-${isIdFromLeader ? "auto" : (defaults.id ?? config["node.id"])}` : defaults.data)
      )
    )
    const id = defaults.id ?? config["node.id"]
    if (!Number.isInteger(id) || id < 0) return yield* Effect.fail(new CliFailure({ exit: "usage", message: `--id ${id}: expected a whole number from 0.` }))
    // DescribeConfigs shows each value with its source: options of the command line count as written.
    const applied = { "node.id": id, "broker.id": id, listeners: listeners.all.map(listenerText).join(","), "log.dirs": data.join(",") }
    const byOption = {
      "node.id": true,
      "broker.id": true,
      listeners: Option.isSome(words.host) || Option.isSome(words.port),
      "log.dirs": Option.isSome(words.data)
    }
    const fromOptions = (Object.keys(byOption) as ReadonlyArray<keyof typeof byOption>).filter((name) => byOption[name])
    return {
      node: {
        config: { ...config, ...applied },
        written: new Set([...set, ...fromOptions]),
        listeners,
        data,
        idByDefault: defaults.id === undefined && !set.has("node.id"),
        ...(isIdFromLeader ? { idFromLeader: true } : {})
      },
      warnings: [...warnings, ...openToAll(listeners)],
      dataByDefault: Option.isNone(words.data) && written === undefined,
      set
    }
  })

/** `HOST:PORT`, or `PORT` on this machine. */
export const parseAddress = (option: string, text: string): Effect.Effect<Endpoint, CliFailure> => {
  const found = readAddress(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text)
  return found === undefined
    ? Effect.fail(new CliFailure({ exit: "usage", message: `${option} ${text}: expected HOST:PORT, e.g. 127.0.0.1:9092.` }))
    : Effect.succeed(found)
}
