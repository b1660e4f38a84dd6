import { existsSync } from "node:fs"
import { join } from "node:path"
import { Effect, FiberRef, Layer, type Scope } from "effect"
import { watchFileLimit } from "../../../adapters/log/file/file-limit.ts"
import { spareId } from "../../../domain/cluster/broker/spare-id.ts"
import { ignoredSettings, liveNodeConfig } from "../../../domain/cluster/config/node.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { listenerText, type NodeListener } from "../../../domain/kernel/config/listener.ts"
import type { NodeConfig } from "../../../domain/kernel/config.ts"
import type { Broker } from "../../broker/broker.ts"
import type { LeaderAddresses, NodeOptions, Running, UpOptions } from "../../cli/node/roles.ts"
import { CliFailure } from "../../cli/shell/failure.ts"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Cryptography } from "../../ports/cryptography.ts"
import { metricsText } from "../../ports/metrics.ts"
import type { Transport } from "../../ports/transport.ts"
import { type ServedNode, serveOptions } from "../../serve/serve-options.ts"
import type { Route } from "../../wire/route.ts"
import { platform } from "../platform.ts"
import { surroundings } from "../surroundings.ts"
import { type Absence, absentBrokers, absentWarning } from "./absent-brokers.ts"
import { openBroker, openBrokerOfLeader } from "./broker-role.ts"
import { below, etcdDirectory, journalDirectory, layerStore } from "./data-directories.ts"
import { firstFailure } from "./first-failure.ts"
import { keptBroker, stoppedTogether } from "./kept-broker.ts"
import { withIdFromLeader, withKnownId } from "./known-id.ts"
import { type LeaderOverFiles, openLeader } from "./leader-role.ts"
import { addressed, controllerRoutes, listenersOfNth, type Opened, openListeners } from "./listening.ts"
import { layerScrapedNodes, type ScrapedNodes, withMetrics } from "./metrics.ts"
import { type NodeFault, nodeFailure } from "./node-failure.ts"
import { processMemory } from "./process-memory.ts"
import type { BrokersOfProcess } from "./up-over-etcd.ts"

type Platform = Transport | Cryptography | Checksum | Compression | ScrapedNodes
/** What a leader is while it leads. */
interface Term {
  readonly node: Running["nodes"][number]
  readonly stopped: Effect.Effect<never, NodeFault>
}
type Starting = Effect.Effect<Running, NodeFault, Platform | Scope.Scope>

const failing = (effects: ReadonlyArray<Effect.Effect<never, NodeFault>>): Effect.Effect<never, CliFailure> =>
  Effect.mapError(firstFailure(effects), nodeFailure)

/** The settings and the account of memory that bound the connections of a node that leads. */
const leading = (config: NodeConfig, { cluster, nodeId }: Pick<LeaderOverFiles, "cluster" | "nodeId">): ServedNode => ({
  live: liveNodeConfig(config, cluster, nodeId),
  memory: processMemory(config)
})

/** Warns of settings that an earlier version accepted and that the node ignores, since it could not work with them. */
const warnOfIgnoredSettings = (cluster: Cluster, nodeId: number): Effect.Effect<void> =>
  Effect.forEach(ignoredSettings(cluster, nodeId), (line) => Effect.logWarning(line), { discard: true })

/** The leader alone, once it leads. */
const lead = (options: NodeOptions): Effect.Effect<Term, NodeFault, Platform | Scope.Scope> =>
  Effect.gen(function* () {
    const leader = yield* openLeader(options, journalDirectory(options))
    const opened: { at?: Opened } = {}
    const forControllers = controllerRoutes(leader, () => opened.at?.controller, yield* metricsText)
    const routes = ({ isController }: NodeListener) => (isController ? forControllers : leader.routes)
    const { advertised, others } = (opened.at = yield* openListeners(options.listeners, routes, serveOptions(options.config, leading(options.config, leader))))
    yield* leader.elect(advertised)
    yield* warnOfIgnoredSettings(leader.cluster(), leader.nodeId)
    return { node: { id: leader.nodeId, roles: ["leader"] as const, ...addressed(advertised, others) }, stopped: leader.stopped }
  }).pipe(withMetrics(options.config["node.id"]))

/** The leader alone; over an engine that several candidates share, a candidate. Its modules are loaded where that is configured. */
const brokerLead = (options: NodeOptions): Starting =>
  options.config["franz.journal"] === ""
    ? Effect.map(lead(options), ({ node, stopped }) => ({ nodes: [node], stopped: failing([stopped]) }))
    : Effect.flatMap(
        Effect.promise(() => import("./candidate.ts")),
        ({ startCandidate }) =>
          Effect.map(startCandidate(options), ({ address, failed }) => ({
            nodes: [{ id: options.config["node.id"], roles: ["leader"] as const, ...address }],
            stopped: failing([failed])
          }))
      ).pipe(withMetrics(options.config["node.id"]))

/** One broker. It listens at once, and is ready when its leader has unfenced it. */
const broker = (options: NodeOptions & LeaderAddresses): Starting =>
  Effect.gen(function* () {
    const id = options.config["node.id"]
    const { config, leader, listeners, otherLeaders } = options
    const store = yield* Layer.build(layerStore(options.data, config))
    const started = yield* Effect.provide(openBroker(options, leader, otherLeaders), store)
    const bounds = serveOptions(config, { live: liveNodeConfig(config, started.cluster, id), memory: processMemory(config) })
    const { advertised, others, told } = yield* openListeners(listeners, () => [...started.routes, ...started.relayed], bounds)
    yield* started.join(advertised, told)
    yield* Effect.raceFirst(started.ready, started.failed)
    yield* warnOfIgnoredSettings(started.cluster(), id)
    return { nodes: [{ id, roles: ["broker"] as const, ...addressed(advertised, others) }], stopped: failing([started.failed]) }
  }).pipe(withMetrics(options.config["node.id"]))

/** The broker's own routes, and the leader's for every other API. */
const united = (leader: Pick<LeaderOverFiles, "routes">, { orOwn, routes: own }: Pick<Broker["Type"], "orOwn" | "routes">): ReadonlyArray<Route> => [
  ...own,
  ...orOwn(leader.routes.filter(({ api }) => !own.some((route) => route.api.key === api.key)))
]

/** Leader and broker as one node on one port. */
const leadingBroker = (options: NodeOptions) =>
  Effect.gen(function* () {
    const { config } = options
    const id = config["node.id"]
    // The broker follows the leader of its own node as any other leader: over the port, which is known when the
    // listener is open.
    const self = { host: "127.0.0.1", port: 0 }
    // One after the other: of two directories that are held by another process, the broker's is named.
    const store = yield* Layer.build(layerStore(below(options.data, `broker-${id}`), config))
    const leader = yield* openLeader(options, join(journalDirectory(options), "leader"))
    const own = yield* Effect.provide(openBrokerOfLeader(options, self, leader), store)
    const all = united(leader, own)
    const opened: { at?: Opened } = {}
    const forControllers = controllerRoutes(leader, () => opened.at?.controller, yield* metricsText)
    const routes = ({ isController }: NodeListener) => (isController ? forControllers : all)
    const { advertised, others, reached, told } = (opened.at = yield* openListeners(options.listeners, routes, serveOptions(config, leading(config, leader))))
    Object.assign(self, reached)
    yield* leader.elect(advertised)
    yield* warnOfIgnoredSettings(leader.cluster(), id)
    yield* own.join(advertised, told)
    return { id, leader, broker: own, address: addressed(advertised, others), reached }
  }).pipe(withMetrics(options.config["node.id"]))

/**
 * Warns of brokers that have partitions and do not serve: at once where their data is in this directory, otherwise
 * after the session timeout, in which a broker of another process may join.
 */
const warnOfAbsent = (options: UpOptions, first: number, cluster: () => Cluster) => {
  const [data] = options.data
  const started = new Set(Array.from({ length: options.brokers }, (_, nth) => first + nth))
  const find = Effect.sync(() => absentBrokers(cluster(), started, (id) => join(data, `broker-${id}`), existsSync))
  const warn = (absent: Absence) =>
    absent.brokers.length === 0 ? Effect.void : Effect.logWarning(absentWarning(absent, first, `--data ${options.data.join(",")}`))
  return Effect.flatMap(find, (absent) =>
    absent.brokers.length === 0 || absent.brokers.some(({ hasDirectory }) => hasDirectory)
      ? warn(absent)
      : Effect.asVoid(Effect.forkScoped(Effect.delay(Effect.flatMap(find, warn), options.config["broker.session.timeout.ms"])))
  )
}

/** The `count` further brokers of a process. They stop at the same time, before its leader. */
const startBrokers = (options: NodeOptions, count: number, { cluster, first, leader, otherLeaders = [] }: BrokersOfProcess) =>
  Effect.gen(function* () {
    const given = new Set<number>()
    /** An id that no broker has, also none that is about to register. */
    const newId = (): number => {
      const id = spareId(cluster(), given)
      given.add(id)
      return id
    }
    const started = yield* Effect.forEach(
      Array.from({ length: count }, (_, at) => at + 1),
      (nth) => {
        const listeners = listenersOfNth(options.listeners, nth)
        const start = (id: number) =>
          broker({
            config: { ...options.config, "node.id": id, "broker.id": id, listeners: listeners.all.map(listenerText).join(",") },
            written: options.written,
            listeners,
            data: below(options.data, `broker-${id}`),
            leader,
            otherLeaders
          })
        return keptBroker({ id: first + nth - 1, start, newId })
      },
      { concurrency: "unbounded" }
    )
    yield* stoppedTogether(started)
    return { nodes: started.flatMap(({ nodes }) => nodes), stopped: firstFailure(started.map(({ stopped }) => stopped)) }
  })

/** Refuses a directory whose journal is in an etcd of its own. */
const checkEngine = (options: NodeOptions): Effect.Effect<void, CliFailure> =>
  existsSync(etcdDirectory(options))
    ? Effect.fail(
        new CliFailure({
          exit: "config",
          message: `${options.data[0]} has its journal in etcd. Start it with --engine etcd, or name another directory with --data.`
        })
      )
    : Effect.void

const up = (options: UpOptions) =>
  Effect.gen(function* () {
    yield* checkEngine(options)
    const first = yield* leadingBroker(options)
    // The first broker has the leader, which the others need to shut down: it stops after them.
    const rest = yield* startBrokers(options, options.brokers - 1, { leader: first.reached, first: first.id + 1, cluster: first.leader.cluster })
    yield* Effect.raceFirst(first.broker.ready, Effect.raceFirst(first.broker.failed, first.leader.stopped))
    yield* warnOfAbsent(options, first.id, first.leader.cluster)
    const stopped = firstFailure([failing([first.leader.stopped, first.broker.failed]), rest.stopped])
    return { nodes: [{ id: first.id, roles: ["leader", "broker"] as const, ...first.address }, ...rest.nodes], stopped }
  })

/** Watches over the descriptors of this process. Nodes whose disks are in memory open no file. */
const fileLimit = Effect.flatMap(FiberRef.get(surroundings), ({ store }) => (store === undefined ? watchFileLimit() : Effect.void))

/** Provides the platform until the scope closes. */
const started = (
  { config }: NodeOptions,
  start: Effect.Effect<Running, NodeFault | CliFailure, Platform | Scope.Scope>
): Effect.Effect<Running, CliFailure, Scope.Scope> =>
  Effect.flatMap(Layer.build(Layer.merge(platform, layerScrapedNodes(config))), (context) => Effect.zipRight(fileLimit, Effect.provide(start, context))).pipe(
    Effect.mapError((fault) => (fault._tag === "CliFailure" ? fault : nodeFailure(fault)))
  )

export const startUp = (options: UpOptions) =>
  started(
    options,
    options.engine === "etcd" || options.config["franz.journal"] !== ""
      ? Effect.flatMap(
          Effect.promise(() => import("./up-over-etcd.ts")),
          ({ upOverEtcd, upOverSharedEtcd }) =>
            (options.engine === "etcd" ? upOverEtcd : upOverSharedEtcd)(options, (brokers) => startBrokers(options, options.brokers, brokers))
        )
      : Effect.flatMap(withKnownId(options, join(journalDirectory(options), "leader")), up)
  )
export const startBrokerLead = (options: NodeOptions) => started(options, Effect.flatMap(withKnownId(options, journalDirectory(options)), brokerLead))
export const startOneBroker = (options: NodeOptions & LeaderAddresses) => started(options, Effect.flatMap(withIdFromLeader(options), broker))
