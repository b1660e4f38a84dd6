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
  port: optionalInteger({ name: "port", placeholder: "PORT", help: "The port to listen on; 0 takes a free one and prints it." }),
  host: optionalText({
    name: "host",
    placeholder: "ADDRESS",
    help: "The address to listen on (127.0.0.1). 0.0.0.0 opens it to the network: there is no authentication yet."
  }),
  data: optionalText({ name: "data", placeholder: "DIR", help: "The directory for this node's data, or several: DIR,DIR." }),
  config: optionalText({ name: "config", placeholder: "FILE", help: "Settings by Kafka's server.properties names." }),
  set: repeatedText({ name: "set", alias: "X", placeholder: "NAME=VALUE", help: "One setting, over the file and over KAFKA_… variables; may be repeated." }),
  logFormat: choice({ name: "log-format", of: ["text", "json"], or: "text", help: "How log lines are written (to stderr)." })
}
export interface NodeWords {
  readonly port: Option.Option<number>
  readonly host: Option.Option<string>
  readonly data: Option.Option<string>
  readonly config: Option.Option<string>
  readonly set: ReadonlyArray<string>
}

const wrong = (message: string) => new CliFailure({ exit: "config", message })

/** The file as UTF-8, for which Kafka takes ISO-8859-1: an ASCII file means the same to both, and what is no UTF-8 is refused with its line. */
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
    return wrong(`${path}:${line}: the line is no UTF-8. Save the file as UTF-8, or write characters beyond ASCII as \\uXXXX, which Kafka reads alike.`)
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

/** The first listener for clients, where `--host` and `--port` say so; the others stay as they are. */
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

/** Where the node listens: by its settings, and by the words of the command line over them. */
const listenersOf = (words: NodeWords, config: NodeConfig, set: Loaded["set"]): Effect.Effect<NodeListeners, CliFailure> => {
  const port = Option.getOrElse(words.port, () => 0)
  if (port < 0 || port > 65_535) return Effect.fail(new CliFailure({ exit: "usage", message: `--port ${port}: expected a port from 0 to 65535.` }))
  const isMoved = Option.isSome(words.host) || Option.isSome(words.port)
  const found = Either.flatMap(nodeListeners(config, set), (listeners) =>
    isMoved ? nodeListeners({ ...config, listeners: moved(listeners, words) }, set) : Either.right(listeners)
  )
  return Either.match(found, { onLeft: ({ message }) => Effect.fail(wrong(message)), onRight: Effect.succeed })
}

/** An operator who leaves the host out opens the node to the network, as with Kafka; nothing else does that. */
const openToAll = ({ all }: NodeListeners): ReadonlyArray<string> => {
  const open = all.filter(({ host }) => host === "").map(listenerText)
  return open.length === 0 ? [] : [`${open.join(", ")}: listens on every address of this machine, and there is no authentication yet`]
}

/** What a node starts with: the file, the variables, `-X`, and over them the words of the command line. `warnings` are for the log. */
export const nodeSettings = (
  words: NodeWords,
  defaults: { readonly id: number | undefined; readonly data: string; readonly mustSayId?: boolean }
): Effect.Effect<
  { readonly node: NodeOptions; readonly warnings: ReadonlyArray<string>; readonly dataByDefault: boolean; readonly set: Loaded["set"] },
  CliFailure
> =>
  Effect.gen(function* () {
    const { config, set, warnings } = yield* load(words)
    const listeners = yield* listenersOf(words, config, set)
    if (defaults.mustSayId === true && defaults.id === undefined && !set.has("node.id"))
      return yield* Effect.fail(
        new CliFailure({ exit: "usage", message: "--id must be given, or node.id in the settings: a broker's id is unique in its cluster." })
      )
    const written = set.has("log.dirs") ? config["log.dirs"] : undefined
    const data = yield* directoriesOf(
      Option.isSome(words.data) ? "--data " : "log.dirs=",
      Option.getOrElse(words.data, () => written ?? (defaults.mustSayId === true ? `${defaults.data}-${defaults.id ?? config["node.id"]}` : defaults.data))
    )
    const id = defaults.id ?? config["node.id"]
    if (!Number.isInteger(id) || id < 0) return yield* Effect.fail(new CliFailure({ exit: "usage", message: `--id ${id}: expected a whole number from 0.` }))
    // DescribeConfigs tells what holds, and who said it: the words of the command line count as written.
    const said = { "node.id": id, "broker.id": id, listeners: listeners.all.map(listenerText).join(","), "log.dirs": data.join(",") }
    const bySaying = {
      "node.id": true,
      "broker.id": true,
      listeners: Option.isSome(words.host) || Option.isSome(words.port),
      "log.dirs": Option.isSome(words.data)
    }
    const spoken = (Object.keys(bySaying) as ReadonlyArray<keyof typeof bySaying>).filter((name) => bySaying[name])
    return {
      node: {
        config: { ...config, ...said },
        written: new Set([...set, ...spoken]),
        listeners,
        data,
        idByDefault: defaults.id === undefined && !set.has("node.id")
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
