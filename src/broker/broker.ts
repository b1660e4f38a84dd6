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
  /** The settings that the node starts with. A dynamic setting of this node overrides its value here. */
  readonly config: NodeConfig
  /** The settings of `config` that the operator set explicitly; default: those that differ from their defaults. */
  readonly written?: ReadonlySet<SettingName> | undefined
  /**
   * The incarnation id of this process: a secret UUID in Kafka's text, by which the leader recognizes the process.
   * Default: drawn from the runtime's random source.
   */
  readonly incarnationId?: string
  /**
   * Finds what clients may read from this node beside its partitions: the journal, where the leader runs in the same
   * process.
   */
  readonly alsoReadable?: FindReadable
}

export interface Broker {
  /**
   * The APIs that this broker answers itself. A node that is also the leader adds the leader's routes for every other
   * key.
   */
  readonly routes: ReadonlyArray<Route>
  /**
   * The APIs that this broker relays, because only the leader can answer them. A node that is also the leader does not
   * use these.
   */
  readonly relayed: ReadonlyArray<Route>
  readonly cluster: () => Cluster
  /**
   * Follows the leader and registers the broker at `advertised`, with all its `listeners` where it has several. When
   * the scope closes, the broker reports its shutdown to the leader. Returns at once, because the leader may be
   * unreachable.
   */
  readonly join: (advertised: Address, listeners?: ReadonlyArray<NamedEndpoint>) => Effect.Effect<void, never, Scope.Scope>
  /** Completes when the leader has unfenced this broker and its logs are open. */
  readonly ready: Effect.Effect<void>
  /** Fails when the broker cannot continue. The node should stop and print the fault's message. */
  readonly failed: Effect.Effect<never, BrokerFault>
}

const connectTimeoutMs = 3000
const requestTimeoutMs = 10_000
const isUnfenced = (cluster: Cluster, nodeId: number, digest: string): boolean => {
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
  /** Undefined until the broker knows the cluster's id. */
  registration: Registration | undefined
  isReady: boolean
  /** The data directories, if none of them belongs to a cluster or has a log; otherwise an empty list. */
  readonly emptyDirectories: ReadonlyArray<LogDirectory>
}

const stopWith =
  (failed: Deferred.Deferred<never, BrokerFault>) =>
  (fault: BrokerFault): Effect.Effect<void> =>
    Effect.zipRight(Effect.logError(fault.message), Effect.asVoid(Deferred.fail(failed, fault)))

/** Makes the routes of this broker, and the relay for the requests that the leader answers. */
const routesOf = (self: Parts): Effect.Effect<{ readonly relay: Relay; readonly routes: ReadonlyArray<Route> }, never, LogStore | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const { contact, hosted, image, options, transport } = self
    const runtime = yield* Effect.runtime<never>()
    const clock = yield* Effect.clock
    // The relay's scope is older than the server's, so the relay still delivers responses while the server finishes its
    // requests.
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

/** Makes the context that the parts of this broker share. */
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
        run(stopWith(failed)(new BrokerFault({ kind: "bug", message: `Broker ${nodeId} stops because of a bug: ${message} Report it with this line.` })))
        throw new Error(message)
      }
    }
  })

/** Makes a broker that does not listen yet. Fails with ForeignDirectory if a data directory belongs to another node. */
export const makeBroker = (
  options: BrokerOptions
): Effect.Effect<Broker, LogFault | ForeignDirectory, LogStore | Transport | Checksum | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const { config, leader, nodeId } = options
    const store = yield* LogStore
    const claimed = yield* store.claim({ clusterId: undefined, nodeId })
    const logs = yield* Effect.orElseSucceed(store.list, () => [])
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
      onEvents: (events) => parts.current !== undefined && applyEvents(parts.current, events)
    })
    const failed = yield* Deferred.make<never, BrokerFault>()
    const context = yield* contextOf(options, image.cluster, digest, failed)
    const services = yield* Effect.provideService(Layer.build(HostedPartitions.layer), BrokerContext, context)
    const hosted = Context.get(services, HostedPartitions)
    yield* registerMetrics(() => partitionSamples(hosted.table.replicas()))
    yield* watchDirectories({ nodeId, directories: store.directories, leaveOffline: hosted.leaveOffline, stop: stopWith(failed) })
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
      emptyDirectories: claimed.clusterId === undefined && logs.length === 0 ? store.directories : []
    }
    parts.current = self
    const { relay, routes } = yield* routesOf(self)
    return {
      routes,
      relayed: [...relayedRoutes(relay), listGroups(nodeId, image.cluster, relay)],
      cluster: image.cluster,
      join: (advertised, listeners) => Effect.provideService(join(self, { advertised, listeners }), Transport, transport),
      ready: awaitImage(image, (cluster) => self.isReady && isUnfenced(cluster, nodeId, digest)),
      failed: Deferred.await(failed)
    }
  })

/**
 * Applies new events of the image. The partitions come first: the heartbeat that follows reports the offset as applied.
 */
const applyEvents = ({ hosted, registration }: Parts, events: ReadonlyArray<Event>): void => {
  hosted.apply(events)
  registration?.nudge()
}

/** Forks `effect`, and stops the broker when it fails. */
const forkWatched = (parts: Parts, effect: Effect.Effect<never, BrokerFault, Transport>) => Effect.forkScoped(Effect.catchAll(effect, stopWith(parts.failed)))

interface AdvertisedListeners {
  readonly advertised: Address
  readonly listeners: ReadonlyArray<NamedEndpoint> | undefined
}

const join = (parts: Parts, advertisement: AdvertisedListeners): Effect.Effect<void, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    yield* forkWatched(parts, parts.image.follow)
    const scope = yield* Effect.scope
    yield* Effect.forkScoped(Scope.extend(Effect.zipRight(register(parts, advertisement), openLogs(parts)), scope))
  })

/**
 * Registers the broker once the image has the journal's first event: the registration needs the cluster's id, which is
 * in it.
 */
const register = (parts: Parts, advertisement: AdvertisedListeners): Effect.Effect<void, never, Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const { contact, hosted, image, incarnationId, options } = parts
    const clusterId = yield* image.founded
    const rack = options.config["broker.rack"]
    const registration = yield* makeRegistration({
      nodeId: options.nodeId,
      contact,
      clusterId,
      incarnationId,
      ...advertisement,
      rack: rack === "" ? null : rack,
      heartbeatIntervalMs: options.config["broker.heartbeat.interval.ms"],
      metadataOffset: () => image.cluster().index - 1,
      isReady: () => parts.isReady
    })
    parts.registration = registration
    const heartbeats = yield* forkWatched(parts, registration.run)
    yield* Effect.addFinalizer(() => Fiber.interrupt(heartbeats).pipe(Effect.zipRight(Effect.sync(() => hosted.stopLeading()))))
  })

/**
 * Warns when the cluster has partitions on this broker, but its data directories are empty: a disk is not mounted or
 * was lost.
 */
const warnOfLostLogs = ({ image, emptyDirectories, options }: Parts): Effect.Effect<void> => {
  const count = Option.getOrElse(HashMap.get(image.cluster().load, BrokerId.make(options.nodeId)), () => 0)
  const paths = emptyDirectories.map(({ path }) => path).join(", ")
  return count === 0
    ? Effect.void
    : Effect.logWarning(
        `Broker ${options.nodeId} starts with an empty data directory (${paths}), and the cluster has ${count === 1 ? "1 partition" : `${count} partitions`} on it: their records are missing, and their logs restart at offset 0. If a disk is not mounted or the directory was moved, stop this node, mount or restore it, and start the node again.`
      )
}

/** Opens the logs. Until they are open, each heartbeat asks the leader to keep this broker fenced. */
const openLogs = (parts: Parts): Effect.Effect<void> =>
  Effect.gen(function* () {
    yield* parts.image.caughtUp
    if (parts.emptyDirectories.length > 0) yield* warnOfLostLogs(parts)
    yield* parts.hosted.begin(parts.image.removed)
    parts.isReady = true
    parts.registration?.nudge()
  }).pipe(Effect.catchAll(({ message }) => stopWith(parts.failed)(new BrokerFault({ kind: "damaged data", message }))))

interface StartOptions extends BrokerOptions {
  readonly listen: Address
  /** The address at which clients reach this broker; default: `listen`. Port 0 means the port that it listens on. */
  readonly advertised?: Address
  /** The memory budget of this process; default: a new one. */
  readonly memory?: MemoryBudget
}
export interface RunningBroker extends Broker {
  /** The address at which it listens, with the port that the system chose for port 0. */
  readonly address: Address
}

/** Starts a broker that is not the leader. It listens before it joins the cluster, and answers from its image until then. */
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
