import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import { watchFileLimit } from "../../../adapters/log/file/file-limit.ts"
import { layer as fileStore } from "../../../adapters/log/file/layer.ts"
import { processPool } from "../../../adapters/log/file/process-pool.ts"
import { liveNodeConfig, unheeded } from "../../../domain/cluster/config/node.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { listenerText, type NamedEndpoint, type NodeListener } from "../../../domain/kernel/config/listener.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import { makeBroker } from "../../broker/broker.ts"
import type { Endpoint, NodeOptions, Running } from "../../cli/node/roles.ts"
import type { CliFailure } from "../../cli/shell/failure.ts"
import { type Leader, makeLeader } from "../../leader/leader.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import { Journal } from "../../ports/journal.ts"
import { type LogDirectory, LogFault, LogStore } from "../../ports/log-store.ts"
import { metricsText } from "../../ports/metrics.ts"
import { formatAddress, type Transport } from "../../ports/transport.ts"
import { uuidText } from "../../protocol/codec/uuid.ts"
import { type ServedNode, serveOptions } from "../../serve/serve-options.ts"
import { UnreadableEvent, type WriterStopped } from "../../stream/fault.ts"
import type { Route } from "../../wire/route.ts"
import { platform } from "../platform.ts"
import { type AbsentBroker, absentBrokers, absentWarning } from "./absent-brokers.ts"
import { withKnownId } from "./known-id.ts"
import { controllerRoutes, listenersOfNth, type Opened, openListeners } from "./listening.ts"
import { layerScrapedNodes, type ScrapedNodes, withMetrics } from "./metrics.ts"
import { type NodeFault, nodeFailure } from "./node-failure.ts"
import { brokerPartitionsMax, processMemory } from "./process-memory.ts"

type Platform = Transport | Checksum | Compression | ScrapedNodes
type Starting = Effect.Effect<Running, NodeFault, Platform | Scope.Scope>

/** A random UUID in Kafka's text that cannot be guessed. */
const secretIncarnation = (): string => uuidText(randomBytes(16), 0)

/** The store of a node's data directories, held until the scope closes. */
const storeAt = (directory: string | ReadonlyArray<string>, config: NodeConfig) =>
  Effect.suspend(() => {
    const wanted = config["log.open.files.max"]
    const pool = processPool(wanted === 0 ? undefined : wanted)
    const scrub = { scrubIntervalMs: config["log.scrub.interval.ms"], scrubBytesPerSecondMax: config["log.scrub.io.max.bytes.per.second"] }
    return Effect.map(Layer.build(fileStore({ directory, pool, ...scrub })), (context) => Context.get(context, LogStore))
  })

/** A directory of this name in each of several. */
const below = ([first, ...others]: NodeOptions["data"], name: string): NodeOptions["data"] => [join(first, name), ...others.map((each) => join(each, name))]

/** Where the leader's journal lies: Kafka's metadata.log.dir, else the first of log.dirs. It is one directory, and the leader ends with it. */
const journalOf = ({ config, data }: NodeOptions): string => (config["metadata.log.dir"] === "" ? data[0] : config["metadata.log.dir"])

const openLeader = (options: NodeOptions, directory: string) =>
  Effect.gen(function* () {
    const nodeId = BrokerId.make(options.config["node.id"])
    const store = yield* storeAt(directory, options.config)
    const claimed = yield* store.claim({ clusterId: undefined, nodeId })
    const journal = yield* Layer.build(journalOverLog).pipe(Effect.provideService(LogStore, store))
    const { config, written } = options
    const leader = yield* makeLeader({
      nodeId,
      config,
      written,
      partitionsPerBrokerMax: brokerPartitionsMax(),
      directories: store.directories,
      clusterId: claimed.clusterId
    }).pipe(
      Effect.provideService(Journal, Context.get(journal, Journal)),
      Effect.mapError((fault) => withAdvice(fault, directory))
    )
    yield* store.claim({ clusterId: leader.clusterId, nodeId })
    return { ...leader, stopped: Effect.raceFirst(leader.stopped, firstOf(store.directories.map(lost))) }
  })

/** What is wrong with a journal, with its directory and what to do, where the fault does not say that itself. */
const withAdvice = (fault: LogFault | UnreadableEvent | WriterStopped, directory: string): LogFault | UnreadableEvent | WriterStopped => {
  if (fault.message.includes("franz log verify")) return fault
  const message = `${fault.message} The journal is in ${directory}: \`franz log verify ${directory}\` shows all that is wrong there; restore the directory from a copy.`
  if (fault._tag === "UnreadableEvent") return new UnreadableEvent({ ...fault, message })
  return fault._tag === "LogFault" && fault.reason === "corrupt" ? new LogFault({ ...fault, message }) : fault
}

/** A leader without its journal decides nothing more. */
const lost = ({ failed }: LogDirectory): Effect.Effect<never, LogFault> =>
  Effect.flatMap(failed, ({ cause, message, path, reason }) =>
    Effect.fail(new LogFault({ path, reason, cause, message: `The leader stops: its journal cannot be trusted. ${message}` }))
  )

/** Fails with the first that fails; `Effect.raceAll` would wait for one that succeeds, which none of them does. */
const firstOf = <E>(effects: ReadonlyArray<Effect.Effect<never, E>>): Effect.Effect<never, E> =>
  effects.reduce((one, other) => Effect.raceFirst(one, other), Effect.never as Effect.Effect<never, E>)
const failing = (effects: ReadonlyArray<Effect.Effect<never, NodeFault>>): Effect.Effect<never, CliFailure> => Effect.mapError(firstOf(effects), nodeFailure)

/** What a node that leads bounds its connections by. */
const leading = (config: NodeConfig, { cluster, nodeId }: Pick<Leader, "cluster" | "nodeId">): ServedNode => ({
  live: liveNodeConfig(config, cluster, nodeId),
  memory: processMemory(config)
})

/** Settings that an earlier version has let be set, and that a node could not work with. */
const warnOfUnheeded = (cluster: Cluster, nodeId: number): Effect.Effect<void> =>
  Effect.forEach(unheeded(cluster, nodeId), (line) => Effect.logWarning(line), { discard: true })

/** What the operator is told of a node's listeners. */
const addressed = (advertised: NamedEndpoint, others: ReadonlyArray<NamedEndpoint>) => ({
  address: formatAddress(advertised),
  ...(others.length === 0 ? {} : { listeners: Object.fromEntries(others.map((each) => [each.name, formatAddress(each)])) })
})

/** The leader alone. */
const brokerLead = (options: NodeOptions): Starting =>
  Effect.gen(function* () {
    const leader = yield* openLeader(options, journalOf(options))
    const opened: { at?: Opened } = {}
    const forControllers = controllerRoutes(leader, () => opened.at?.controller, yield* metricsText)
    const routes = ({ isController }: NodeListener) => (isController ? forControllers : leader.routes)
    const { advertised, others } = (opened.at = yield* openListeners(options.listeners, routes, serveOptions(options.config, leading(options.config, leader))))
    yield* leader.elect(advertised)
    yield* warnOfUnheeded(leader.cluster(), leader.nodeId)
    return { nodes: [{ id: leader.nodeId, roles: ["leader"] as const, ...addressed(advertised, others) }], stopped: failing([leader.stopped]) }
  }).pipe(withMetrics(options.config["node.id"]))

/** One broker. It listens at once, and is ready when its leader has let it in. */
const broker = (options: NodeOptions & { readonly leader: Endpoint }): Starting =>
  Effect.gen(function* () {
    const id = options.config["node.id"]
    const store = yield* storeAt(options.data, options.config)
    const { config, leader, listeners, written } = options
    const started = yield* makeBroker({ nodeId: id, leader, config, written, incarnationId: secretIncarnation() }).pipe(Effect.provideService(LogStore, store))
    const bounds = serveOptions(config, { live: liveNodeConfig(config, started.cluster, id), memory: processMemory(config) })
    const { advertised, others, told } = yield* openListeners(listeners, () => [...started.routes, ...started.relayed], bounds)
    yield* started.join(advertised, told)
    yield* Effect.raceFirst(started.ready, started.failed)
    yield* warnOfUnheeded(started.cluster(), id)
    return { nodes: [{ id, roles: ["broker"] as const, ...addressed(advertised, others) }], stopped: failing([started.failed]) }
  }).pipe(withMetrics(options.config["node.id"]))

/** The broker's own answers, and the leader's for every other key. */
const united = (leader: Pick<Leader, "routes">, own: ReadonlyArray<Route>): ReadonlyArray<Route> => [
  ...own,
  ...leader.routes.filter(({ api }) => !own.some((route) => route.api.key === api.key))
]

/** Leader and broker as one node on one port. */
const leadingBroker = (options: NodeOptions) =>
  Effect.gen(function* () {
    const { config, written } = options
    const id = config["node.id"]
    const store = yield* storeAt(below(options.data, `broker-${id}`), config)
    const leader = yield* openLeader(options, join(journalOf(options), "leader"))
    // The broker follows this node's own leader as any other: over the port, which is known when the listener stands.
    const self = { host: "127.0.0.1", port: 0 }
    const own = yield* makeBroker({ nodeId: id, leader: self, config, written, incarnationId: secretIncarnation(), alsoReadable: leader.find }).pipe(
      Effect.provideService(LogStore, store)
    )
    const all = united(leader, own.routes)
    const opened: { at?: Opened } = {}
    const forControllers = controllerRoutes(leader, () => opened.at?.controller, yield* metricsText)
    const routes = ({ isController }: NodeListener) => (isController ? forControllers : all)
    const { advertised, others, reached, told } = (opened.at = yield* openListeners(options.listeners, routes, serveOptions(config, leading(config, leader))))
    Object.assign(self, reached)
    yield* leader.elect(advertised)
    yield* warnOfUnheeded(leader.cluster(), id)
    yield* own.join(advertised, told)
    return { id, leader, broker: own, address: addressed(advertised, others), reached }
  }).pipe(withMetrics(options.config["node.id"]))

/** Warns of brokers that have partitions and do not serve: at once where their data is in this directory, otherwise after the time that a broker elsewhere has to join. */
const warnOfAbsent = (options: NodeOptions & { readonly brokers: number }, first: number, cluster: () => Cluster) => {
  const [data] = options.data
  const started = new Set(Array.from({ length: options.brokers }, (_, nth) => first + nth))
  const find = Effect.sync(() => absentBrokers(cluster(), started, (id) => join(data, `broker-${id}`), existsSync))
  const warn = (absent: ReadonlyArray<AbsentBroker>) =>
    absent.length === 0 ? Effect.void : Effect.logWarning(absentWarning(absent, first, `--data ${options.data.join(",")}`))
  return Effect.flatMap(find, (absent) =>
    absent.length === 0 || absent.some(({ hasDirectory }) => hasDirectory)
      ? warn(absent)
      : Effect.asVoid(Effect.forkScoped(Effect.delay(Effect.flatMap(find, warn), options.config["broker.session.timeout.ms"])))
  )
}

const up = (options: NodeOptions & { readonly brokers: number }): Starting =>
  Effect.gen(function* () {
    const first = yield* leadingBroker(options)
    const rest = yield* Effect.forEach(
      Array.from({ length: options.brokers - 1 }, (_, at) => at + 1),
      (nth) => {
        const id = first.id + nth
        const listeners = listenersOfNth(options.listeners, nth)
        return broker({
          config: { ...options.config, "node.id": id, "broker.id": id, listeners: listeners.all.map(listenerText).join(",") },
          written: options.written,
          listeners,
          data: below(options.data, `broker-${id}`),
          leader: first.reached
        })
      },
      { concurrency: "unbounded" }
    )
    yield* Effect.raceFirst(first.broker.ready, Effect.raceFirst(first.broker.failed, first.leader.stopped))
    yield* warnOfAbsent(options, first.id, first.leader.cluster)
    const stopped = firstOf([failing([first.leader.stopped, first.broker.failed]), ...rest.map((each) => each.stopped)])
    return {
      nodes: [{ id: first.id, roles: ["leader", "broker"], ...first.address }, ...rest.flatMap(({ nodes }) => nodes)],
      stopped
    }
  })

/** Supplies the platform, for as long as the nodes live. */
const started = ({ config }: NodeOptions, start: Starting): Effect.Effect<Running, CliFailure, Scope.Scope> =>
  Effect.flatMap(Layer.build(Layer.merge(platform, layerScrapedNodes(config))), (context) =>
    Effect.zipRight(watchFileLimit(), Effect.provide(start, context))
  ).pipe(Effect.mapError(nodeFailure))

export const startUp = (options: NodeOptions & { readonly brokers: number }) =>
  started(options, Effect.flatMap(withKnownId(options, join(journalOf(options), "leader")), up))
export const startBrokerLead = (options: NodeOptions) => started(options, Effect.flatMap(withKnownId(options, journalOf(options)), brokerLead))
export const startOneBroker = (options: NodeOptions & { readonly leader: Endpoint }) => started(options, broker(options))
