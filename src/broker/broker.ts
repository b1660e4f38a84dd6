import { Context, Deferred, Effect, Fiber, HashMap, Layer, Option, Runtime, Scope } from "effect"
import { incarnationDigest } from "../../domain/cluster/broker/incarnation.ts"
import { liveNodeConfig } from "../../domain/cluster/config/node.ts"
import type { Event } from "../../domain/cluster/event.ts"
import { brokerOf, type Cluster } from "../../domain/cluster/state.ts"
import type { NamedEndpoint } from "../../domain/kernel/config/listener.ts"
import type { NodeConfig, SettingName } from "../../domain/kernel/config.ts"
import { BrokerId } from "../../domain/kernel/id.ts"
import type { Checksum } from "../ports/checksum.ts"
import { Compression } from "../ports/compression.ts"
import { type ForeignDirectory, type LogDirectory, type LogFault, LogStore } from "../ports/log-store.ts"
import { metricsText, registerMetrics } from "../ports/metrics.ts"
import { type Address, type ListenFault, Transport } from "../ports/transport.ts"
import { makeDeadlines } from "../serve/deadlines.ts"
import { makeFetchSessions } from "../serve/fetch/fetch-sessions.ts"
import type { FindReadable } from "../serve/readable.ts"
import { serveOptions } from "../serve/serve-options.ts"
import type { MemoryBudget } from "../wire/memory/memory-budget.ts"
import type { Route } from "../wire/route.ts"
import { serve } from "../wire/server.ts"
import { autoCreation } from "./auto-creation.ts"
import { BrokerContext } from "./broker-context.ts"
import { BrokerFault } from "./fault.ts"
import { listGroups } from "./handler/16-list-groups.ts"
import { relayedRoutes } from "./handler/relayed.ts"
import { awaitImage, type Image, makeImage } from "./image/image.ts"
import { drawIncarnationId } from "./incarnation.ts"
import { LeaderContact } from "./leader-contact.ts"
import { HostedPartitions } from "./partition/hosted/hosted-partitions.ts"
import { partitionSamples } from "./partition/hosted/partition-metrics.ts"
import { watchDirectories } from "./partition/upkeep/failed-directories.ts"
import { allocateFrom, ProducerIds } from "./producer-ids.ts"
import { makeRegistration, type Registration } from "./registration.ts"
import { Relay } from "./relay.ts"
import { ownRoutes } from "./routes.ts"

interface BrokerOptions {
  readonly nodeId: number
  /** Where the cluster's leader listens. */
  readonly leader: Address
  /** What the node starts with; what is set for it while the cluster runs goes before that. */
  readonly config: NodeConfig
  /** What of `config` somebody wrote down; default: whatever is not the default. */
  readonly written?: ReadonlySet<SettingName> | undefined
  /** A secret UUID in Kafka's text that this process alone has, by which the leader knows it again; default: one drawn from the runtime's random source. */
  readonly incarnationId?: string
  /** What else is read from this node: the leader's journal, where both run as one node. */
  readonly alsoReadable?: FindReadable
}

export interface Broker {
  /** What this broker answers itself. A node that is leader too serves these, and the leader's for every other key. */
  readonly routes: ReadonlyArray<Route>
  /** What only the leader decides, handed on to it, and what only the leader knows: for a node that is no leader. */
  readonly relayed: ReadonlyArray<Route>
  readonly cluster: () => Cluster
  /**
   * Follows the leader and registers under `advertised`, and with all its `listeners` where it has several, until the scope closes; then it says goodbye. Returns at
   * once: the leader may be away.
   */
  readonly join: (advertised: Address, listeners?: ReadonlyArray<NamedEndpoint>) => Effect.Effect<void, never, Scope.Scope>
  /** The leader has let this broker in, and its logs are open. */
  readonly ready: Effect.Effect<void>
  /** Fails when the broker met what it cannot go on from: the node should stop and say why. */
  readonly failed: Effect.Effect<never, BrokerFault>
}

const connectTimeoutMs = 3000
const requestTimeoutMs = 10_000
const letIn = (cluster: Cluster, nodeId: number, digest: string): boolean => {
  const self = brokerOf(cluster, nodeId)
  return self !== undefined && !self.fenced && self.incarnationId === digest
}

interface Parts {
  readonly options: BrokerOptions
  readonly contact: LeaderContact
  readonly incarnationId: string
  readonly image: Image
  readonly hosted: HostedPartitions["Type"]
  readonly failed: Deferred.Deferred<never, BrokerFault>
  readonly transport: Transport["Type"]
  /** Undefined until the cluster is known. */
  registration: Registration | undefined
  isReady: boolean
  /** The data directories, where none of them ever belonged to a cluster or holds a log. */
  readonly newIn: ReadonlyArray<LogDirectory>
}

const stopping =
  (failed: Deferred.Deferred<never, BrokerFault>) =>
  (fault: BrokerFault): Effect.Effect<void> =>
    Effect.zipRight(Effect.logError(fault.message), Effect.asVoid(Deferred.fail(failed, fault)))

/** What the broker answers itself, and how it hands on the rest. */
const routesOf = (self: Parts): Effect.Effect<{ readonly relay: Relay; readonly routes: ReadonlyArray<Route> }, never, LogStore | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const { contact, hosted, image, options, transport } = self
    const runtime = yield* Effect.runtime<never>()
    const clock = yield* Effect.clock
    // A scope of its own, older than whatever serves: what was relayed may be answered while the node stops, as everything else is.
    const relaying = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const relay = new Relay(contact, relaying, transport)
    const producerIds = new ProducerIds(
      allocateFrom(relay, options.nodeId, () => self.registration?.epoch()),
      (effect) => void Runtime.runFork(runtime)(effect)
    )
    const routes = ownRoutes({
      ...options,
      cluster: image.cluster,
      table: hosted.table,
      directories: (yield* LogStore).directories,
      raise: hosted.raise,
      now: () => clock.unsafeCurrentTimeMillis(),
      packing: yield* Compression,
      createTopics: autoCreation(relay, image),
      producerIds,
      deadlines: yield* makeDeadlines,
      metrics: yield* metricsText,
      sessions: yield* makeFetchSessions(options.config["max.incremental.fetch.session.cache.slots"])
    })
    return { relay, routes }
  })

/** What the parts of this broker share. */
const contextOf = (
  { config, nodeId }: BrokerOptions,
  cluster: () => Cluster,
  digest: string,
  failed: Deferred.Deferred<never, BrokerFault>
): Effect.Effect<BrokerContext["Type"]> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const run = Runtime.runFork(runtime)
    return {
      nodeId: BrokerId.make(nodeId),
      config: liveNodeConfig(config, cluster, nodeId),
      cluster,
      isSelf: (broker) => broker.incarnationId === digest,
      warn: (line) => void run(Effect.logWarning(line)),
      bug: (message) => {
        run(stopping(failed)(new BrokerFault({ kind: "bug", message: `Broker ${nodeId} stops because of a bug: ${message} Report it with this line.` })))
        throw new Error(message)
      }
    }
  })

/** A broker that does not listen yet: its routes, and what sets it to work. The data directory must be this node's. */
export const makeBroker = (
  options: BrokerOptions
): Effect.Effect<Broker, LogFault | ForeignDirectory, LogStore | Transport | Checksum | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const { config, leader, nodeId } = options
    const store = yield* LogStore
    const claimed = yield* store.claim({ clusterId: undefined, nodeId })
    const held = yield* Effect.orElseSucceed(store.list, () => [])
    const transport = yield* Transport
    const contact = new LeaderContact({ nodeId, leader, connectTimeoutMs, requestTimeoutMs, responseBytesMax: config["socket.request.max.bytes"] })
    const incarnationId = options.incarnationId ?? (yield* drawIncarnationId)
    const digest = incarnationDigest(incarnationId)
    const parts: { current?: Parts } = {}
    const image = yield* makeImage({
      nodeId,
      contact,
      clusterId: claimed.clusterId,
      checkpointIntervalEvents: config["metadata.snapshot.interval.events"],
      onEvents: (events) => parts.current !== undefined && hear(parts.current, events)
    })
    const failed = yield* Deferred.make<never, BrokerFault>()
    const context = yield* contextOf(options, image.cluster, digest, failed)
    const services = yield* Effect.provideService(Layer.build(HostedPartitions.layer), BrokerContext, context)
    const hosted = Context.get(services, HostedPartitions)
    yield* registerMetrics(() => partitionSamples(hosted.table.replicas()))
    yield* watchDirectories({ nodeId, directories: store.directories, leaveOffline: hosted.leaveOffline, stop: stopping(failed) })
    const self: Parts = {
      options,
      contact,
      incarnationId,
      image,
      hosted,
      failed,
      transport,
      registration: undefined,
      isReady: false,
      newIn: claimed.clusterId === undefined && held.length === 0 ? store.directories : []
    }
    parts.current = self
    const { relay, routes } = yield* routesOf(self)
    return {
      routes,
      relayed: [...relayedRoutes(relay), listGroups(nodeId, image.cluster, relay)],
      cluster: image.cluster,
      join: (advertised, listeners) => Effect.provideService(join(self, { advertised, listeners }), Transport, transport),
      ready: awaitImage(image, (cluster) => self.isReady && letIn(cluster, nodeId, digest)),
      failed: Deferred.await(failed)
    }
  })

/** The image has folded events: the partitions follow it first, then the next heartbeat tells the leader how far. */
const hear = ({ hosted, registration }: Parts, events: ReadonlyArray<Event>): void => {
  hosted.apply(events)
  registration?.nudge()
}

/** Fails the broker for good when `effect` does; it never ends otherwise. */
const watched = (parts: Parts, effect: Effect.Effect<never, BrokerFault, Transport>) => Effect.forkScoped(Effect.catchAll(effect, stopping(parts.failed)))

interface Reached {
  readonly advertised: Address
  readonly listeners: ReadonlyArray<NamedEndpoint> | undefined
}

const join = (parts: Parts, reached: Reached): Effect.Effect<void, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    yield* watched(parts, parts.image.follow)
    const scope = yield* Effect.scope
    yield* Effect.forkScoped(Scope.extend(Effect.zipRight(register(parts, reached), openLogs(parts)), scope))
  })

/** The cluster's id stands in the journal's first event: there is nobody to register with before that is read. */
const register = (parts: Parts, reached: Reached): Effect.Effect<void, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const { contact, hosted, image, incarnationId, options } = parts
    const clusterId = yield* image.founded
    const rack = options.config["broker.rack"]
    const registration = yield* makeRegistration({
      nodeId: options.nodeId,
      contact,
      clusterId,
      incarnationId,
      ...reached,
      rack: rack === "" ? null : rack,
      heartbeatIntervalMs: options.config["broker.heartbeat.interval.ms"],
      metadataOffset: () => image.cluster().index - 1,
      isReady: () => parts.isReady
    })
    parts.registration = registration
    const beating = yield* watched(parts, registration.run)
    yield* Effect.addFinalizer(() => Fiber.interrupt(beating).pipe(Effect.zipRight(Effect.sync(() => hosted.stopLeading()))))
  })

/** A broker that had partitions before and starts with nothing: its disk is not mounted, or its directory was lost. */
const warnOfLostLogs = ({ image, newIn, options }: Parts): Effect.Effect<void> => {
  const count = Option.getOrElse(HashMap.get(image.cluster().load, BrokerId.make(options.nodeId)), () => 0)
  const paths = newIn.map(({ path }) => path).join(", ")
  return count === 0
    ? Effect.void
    : Effect.logWarning(
        `Broker ${options.nodeId} starts with an empty data directory (${paths}), and the cluster has ${count === 1 ? "1 partition" : `${count} partitions`} on it: the records are not here, and the logs begin anew with offset 0. If a disk is not mounted or the directory was moved, stop this node, put it back, and start again.`
      )
}

/** Only a broker whose logs are open asks to be let in. */
const openLogs = (parts: Parts): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* parts.image.caughtUp
    if (parts.newIn.length > 0) yield* warnOfLostLogs(parts)
    yield* parts.hosted.begin(parts.image.removed)
    parts.isReady = true
    parts.registration?.nudge()
  }).pipe(Effect.catchAll(({ message }) => stopping(parts.failed)(new BrokerFault({ kind: "damaged data", message }))))

interface StartOptions extends BrokerOptions {
  readonly listen: Address
  /** Where clients reach this broker; default: where it listens. A port of 0 stands for the one that it listens on. */
  readonly advertised?: Address
  /** The account of the memory of this process; default: one of this broker's own. */
  readonly memory?: MemoryBudget
}
export interface RunningBroker extends Broker {
  /** Where it really listens. */
  readonly address: Address
}

/** A broker of its own: listens, then joins the cluster. It may be asked things before it has joined, and answers what it knows. */
export const startBroker = (
  options: StartOptions
): Effect.Effect<RunningBroker, LogFault | ForeignDirectory | ListenFault, LogStore | Transport | Checksum | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const broker = yield* makeBroker(options)
    const address = yield* serve(
      options.listen,
      [...broker.routes, ...broker.relayed],
      serveOptions(options.config, {
        live: liveNodeConfig(options.config, broker.cluster, options.nodeId),
        memory: options.memory
      })
    )
    const advertised = options.advertised ?? address
    yield* broker.join(advertised.port === 0 ? { ...advertised, port: address.port } : advertised)
    return { ...broker, address }
  })
