import { Context, Effect, Fiber, Layer, Scope } from "effect"
import { liveNodeConfig } from "../../domain/cluster/config/node.ts"
import { brokerOf, type Cluster } from "../../domain/cluster/state.ts"
import type { NamedEndpoint } from "../../domain/kernel/config/listener.ts"
import type { Checksum } from "../ports/checksum.ts"
import type { Compression } from "../ports/compression.ts"
import { type ForeignDirectory, type LogFault, LogStore } from "../ports/log-store.ts"
import { registerMetrics } from "../ports/metrics.ts"
import type { Address, ListenFault, Transport } from "../ports/transport.ts"
import { serveOptions } from "../serve/serve-options.ts"
import type { MemoryBudget } from "../wire/memory/memory-budget.ts"
import type { Route } from "../wire/route.ts"
import { serve } from "../wire/server.ts"
import { AutoCreation } from "./auto-creation.ts"
import { BrokerContext } from "./broker-context.ts"
import { BrokerIdentity } from "./broker-identity.ts"
import { type BrokerOptions, BrokerSettings } from "./broker-settings.ts"
import { BrokerStop } from "./broker-stop.ts"
import { CleanShutdown } from "./clean-shutdown.ts"
import { DisownedReplicas } from "./disowned-replicas.ts"
import { BrokerFault } from "./fault.ts"
import { GroupCoordination } from "./groups/group-coordination.ts"
import { listGroups } from "./handler/16-list-groups.ts"
import { relayedRoutes } from "./handler/relayed.ts"
import { awaitImage, Image } from "./image/image.ts"
import { LeaderContact } from "./leader-contact.ts"
import { lostLogsWarning } from "./lost-logs.ts"
import { LostRecords } from "./lost-records.ts"
import { MadeLogs } from "./made-logs.ts"
import { OwnDirectories } from "./own-directories.ts"
import { HostedPartitions } from "./partition/hosted/hosted-partitions.ts"
import { partitionSamples } from "./partition/hosted/partition-metrics.ts"
import type { Replica } from "./partition/replica/replica.ts"
import { watchDirectories } from "./partition/upkeep/failed-directories.ts"
import { ProducerIds } from "./producer-ids.ts"
import { type Advertisement, Registration } from "./registration.ts"
import { Relay } from "./relay.ts"
import { replicate } from "./replication/replicating.ts"
import { ownRoutes } from "./routes.ts"
import { fromWholeImage } from "./whole-image.ts"

/** A broker that does not listen yet. */
export class Broker extends Context.Tag("comanche-franz/broker/Broker")<
  Broker,
  {
    /**
     * The APIs that this broker answers itself. A node that is also the leader adds the leader's routes for every
     * other key.
     */
    readonly routes: ReadonlyArray<Route>
    /**
     * The APIs that this broker relays, because only the leader can answer them. A node that is also the leader does
     * not use these.
     */
    readonly relayed: ReadonlyArray<Route>
    /** Routes of the leader in the same node, with this broker's own for groups as long as brokers coordinate them. */
    readonly orOwn: GroupCoordination["Type"]["orOwn"]
    readonly cluster: () => Cluster
    /** The replicas whose logs are open, as they are now. */
    readonly replicas: () => Iterable<Replica>
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
>() {}

/** An assertion that fails in any fiber of the broker stops it. */
const watched = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | BrokerStop> => Effect.flatMap(BrokerStop, (stop) => stop.watched(effect))

/** What joining the cluster needs. */
type Joining = BrokerSettings | BrokerStop | BrokerIdentity | OwnDirectories | MadeLogs | Image | Registration | HostedPartitions | GroupCoordination

const make = Effect.gen(function* () {
  const { nodeId } = yield* BrokerSettings
  const { failed, stop } = yield* BrokerStop
  const { isSelf } = yield* BrokerIdentity
  const image = yield* Image
  const { leaveOffline, table } = yield* HostedPartitions
  const { isReady } = yield* Registration
  const relay = yield* Relay
  const { orOwn } = yield* GroupCoordination
  const { directories } = yield* LogStore
  yield* registerMetrics(() => partitionSamples(table.replicas()))
  yield* watchDirectories({ nodeId, directories, leaveOffline, stop })
  const joining = yield* Effect.context<Joining>()
  const isUnfenced = (cluster: Cluster): boolean => {
    const self = brokerOf(cluster, nodeId)
    return self !== undefined && !self.fenced && isSelf(self)
  }
  return Broker.of({
    routes: fromWholeImage(image, yield* ownRoutes),
    relayed: orOwn([...relayedRoutes(relay), listGroups(nodeId, image.cluster, relay)]),
    orOwn,
    cluster: image.cluster,
    replicas: () => table.replicas(),
    join: (advertised, listeners) =>
      Effect.mapInputContext(watched(join({ advertised, listeners })), (scope: Context.Context<Scope.Scope>) => Context.merge(joining, scope)),
    ready: awaitImage(image, (cluster) => isReady() && isUnfenced(cluster)),
    failed
  })
})

/**
 * The role of a broker. ForeignDirectory where a data directory belongs to another node.
 * Each service gets what is provided behind it; when the scope closes, they end from the first to the last. They are
 * Effects and no layers of their own, since a layer costs a start several hundred steps of the runtime.
 */
export const layer = (options: BrokerOptions): Layer.Layer<Broker, LogFault | ForeignDirectory, LogStore | Transport | Checksum | Compression> =>
  Layer.scoped(
    Broker,
    Effect.zipRight(replicate, make).pipe(
      Effect.provideServiceEffect(GroupCoordination, GroupCoordination.make),
      Effect.provideServiceEffect(AutoCreation, AutoCreation.make),
      Effect.provideServiceEffect(ProducerIds, ProducerIds.make),
      Effect.provideServiceEffect(Relay, Relay.make),
      Effect.provideServiceEffect(HostedPartitions, HostedPartitions.make),
      Effect.provideServiceEffect(BrokerContext, BrokerContext.make),
      Effect.provideServiceEffect(Registration, Registration.make),
      Effect.provideServiceEffect(DisownedReplicas, DisownedReplicas.make),
      Effect.provideServiceEffect(LostRecords, LostRecords.make),
      Effect.provideServiceEffect(Image, Image.make),
      Effect.provideServiceEffect(MadeLogs, MadeLogs.make),
      Effect.provideServiceEffect(LeaderContact, LeaderContact.make),
      Effect.provideServiceEffect(CleanShutdown, CleanShutdown.make),
      Effect.provideServiceEffect(OwnDirectories, OwnDirectories.make),
      watched,
      Effect.provideServiceEffect(BrokerStop, BrokerStop.make),
      Effect.provideServiceEffect(BrokerIdentity, BrokerIdentity.make),
      Effect.provideService(BrokerSettings, options)
    )
  )

/** Forks `effect`, and stops the broker when it fails. */
const forkWatched = <R>(effect: Effect.Effect<never, BrokerFault, R>) =>
  Effect.flatMap(BrokerStop, ({ stop }) => Effect.forkScoped(Effect.catchAll(effect, stop)))

const join = (advertisement: Advertisement): Effect.Effect<void, never, Joining | Scope.Scope> =>
  Effect.gen(function* () {
    const image = yield* Image
    const registration = yield* Registration
    const { apply, stopLeading } = yield* HostedPartitions
    const { clusterChanged } = yield* GroupCoordination
    // The partitions come first: the heartbeat that follows reports the offset as applied.
    yield* forkWatched(
      image.follow((events) => {
        apply(events)
        clusterChanged(events)
        registration.nudge()
      })
    )
    const scope = yield* Effect.scope
    const registered = Effect.gen(function* () {
      yield* image.founded
      const heartbeats = yield* forkWatched(registration.run(advertisement))
      yield* Effect.addFinalizer(() => Effect.zipRight(Fiber.interrupt(heartbeats), Effect.sync(stopLeading)))
    })
    yield* Effect.forkScoped(Scope.extend(Effect.zipRight(registered, openLogs), scope))
  })

/**
 * Warns when the cluster has partitions on this broker, but its data directories are empty: a disk is not mounted or
 * was lost.
 */
const warnOfLostLogs: Effect.Effect<void, never, BrokerSettings | OwnDirectories | Image> = Effect.gen(function* () {
  const { nodeId } = yield* BrokerSettings
  const { empty } = yield* OwnDirectories
  const { cluster } = yield* Image
  if (empty.length === 0) return
  const warning = lostLogsWarning(cluster(), nodeId, empty.map(({ path }) => path).join(", "))
  if (warning !== undefined) yield* Effect.logWarning(warning)
})

/** Opens the logs. Until they are open, each heartbeat asks the leader to keep this broker fenced. */
const openLogs: Effect.Effect<void, never, Joining> = Effect.gen(function* () {
  const image = yield* Image
  const { caughtUp, hasGaps, removed } = image
  const { nodeId } = yield* BrokerSettings
  const { isSelf } = yield* BrokerIdentity
  const { isKnown } = yield* MadeLogs
  const { stop } = yield* BrokerStop
  const { begin } = yield* HostedPartitions
  const { becomeReady } = yield* Registration
  yield* caughtUp
  yield* warnOfLostLogs
  // An image from before may lack partitions that an earlier process served: their logs would look new.
  if (!isKnown())
    yield* awaitImage(image, (cluster) => {
      const self = brokerOf(cluster, nodeId)
      return self !== undefined && isSelf(self)
    })
  yield* begin(removed, hasGaps()).pipe(
    Effect.matchEffect({ onSuccess: () => Effect.sync(becomeReady), onFailure: ({ message }) => stop(new BrokerFault({ kind: "damaged data", message })) })
  )
})

interface StartOptions extends BrokerOptions {
  readonly listen: Address
  /** The address at which clients reach this broker; default: `listen`. Port 0 means the port that it listens on. */
  readonly advertised?: Address
  /** The memory budget of this process; default: a new one. */
  readonly memory?: MemoryBudget
}
export type RunningBroker = Broker["Type"] & {
  /** The address at which it listens, with the port that the system chose for port 0. */
  readonly address: Address
}

/** Starts a broker that is not the leader. It listens before it joins the cluster; what describes the cluster waits until its image is whole. */
export const startBroker = (
  options: StartOptions
): Effect.Effect<RunningBroker, LogFault | ForeignDirectory | ListenFault, LogStore | Transport | Checksum | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const broker = Context.get(yield* Layer.build(layer(options)), Broker)
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
