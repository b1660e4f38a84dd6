import { Effect, Layer, type Scope } from "effect"
import { partitionsPerClusterMax } from "../../domain/cluster/bounds.ts"
import { Command } from "../../domain/cluster/command.ts"
import { liveNodeConfig } from "../../domain/cluster/config/node.ts"
import type { Event } from "../../domain/cluster/event.ts"
import { knownEventLevel } from "../../domain/cluster/event-level.ts"
import type { Cluster } from "../../domain/cluster/state.ts"
import { metadataTopic, metadataTopicId } from "../../domain/cluster/topic/name.ts"
import type { NodeConfig, SettingName } from "../../domain/kernel/config.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"
import { ClusterImage } from "../groups/cluster-image.ts"
import { type Coordinator, layer as coordinatorLayer, GroupCoordinator } from "../groups/coordinator.ts"
import { Compression } from "../ports/compression.ts"
import { Journal } from "../ports/journal.ts"
import type { LogDirectory, LogFault } from "../ports/log-store.ts"
import { metricsText } from "../ports/metrics.ts"
import type { Address, ListenFault, Transport } from "../ports/transport.ts"
import { type FindLeader, findLeader } from "../serve/cluster/current-leader.ts"
import { makeDeadlines } from "../serve/deadlines.ts"
import { makeFetchSessions } from "../serve/fetch/fetch-sessions.ts"
import type { FindReadable, ReadablePartition } from "../serve/readable.ts"
import { serveOptions } from "../serve/serve-options.ts"
import { type CommandIdFactory, CommandIds } from "../stream/command-ids.ts"
import type { UnreadableEvent, WriterStopped } from "../stream/fault.ts"
import { streamPartition } from "../stream/stream-partition.ts"
import type { Route } from "../wire/route.ts"
import { serve } from "../wire/server.ts"
import { type Brokers, layer as brokersLayer, LeaderBrokers } from "./brokers/brokers.ts"
import { watch } from "./brokers/liveness.ts"
import type { LeaderContext } from "./context.ts"
import { raiseEventLevels } from "./event-level.ts"
import type { ClusterWriter } from "./journal/cluster-aggregate.ts"
import { ClusterStream, layer as clusterStreamLayer, mustSucceed } from "./journal/cluster-stream.ts"
import { ProducerIdBlocks } from "./producer-ids/producer-id-blocks.ts"
import { makeProducerIds } from "./producer-ids/producer-ids.ts"
import { leaderRoutes } from "./routes.ts"

interface LeaderOptions {
  /** Another id than any broker's, unless leader and broker run in one process: then the same. */
  readonly nodeId: BrokerId
  readonly config: NodeConfig
  /** Partitions that one broker may hold, where `franz.broker.partitions.max` is 0; default: as many as a cluster. */
  readonly partitionsPerBrokerMax?: number
  /** The settings of `config` that the operator wrote down; default: every setting that differs from its default. */
  readonly written?: ReadonlySet<SettingName> | undefined
  /** The directories of the journal, for DescribeLogDirs; default: unknown. */
  readonly directories?: ReadonlyArray<LogDirectory>
  /** The cluster that wrote the journal's directory, if that is known: an empty journal is a lost one then. */
  readonly clusterId?: string | undefined
  /** The highest event level that the leader raises to; default: the highest that this version knows. */
  readonly knownEventLevel?: number
}

/** The leader of the cluster. Its routes are served by the program that has a listener: alone, or together with a broker's on one port. */
export interface Leader {
  readonly nodeId: BrokerId
  readonly clusterId: string
  /** The image, up to the last durable event. */
  readonly cluster: () => Cluster
  readonly writer: ClusterWriter
  /** The groups: this leader coordinates them all. */
  readonly coordinator: Coordinator
  readonly routes: ReadonlyArray<Route>
  /** The journal as partitions, for a Fetch that also serves a broker's. */
  readonly find: FindReadable
  readonly findLeader: FindLeader
  /** Journals where this leader is reached; until then clients see the address of the leader before it, or none. Called when the listener is open. */
  readonly elect: (advertised: Address) => Effect.Effect<void, WriterStopped>
  /** Fails when the journal refuses: the node must stop. */
  readonly stopped: Effect.Effect<never, WriterStopped>
}

const partitionsPerBrokerMax = (options: LeaderOptions): number =>
  options.config["franz.broker.partitions.max"] || (options.partitionsPerBrokerMax ?? partitionsPerClusterMax)

/**
 * What follows the cluster's events in this process, in this order. Readers of the journal's topic and waits for the state are called after all of these, in the order in which they began.
 * 1. `brokers` forgets the brokers whose registrations are removed, so that no session of theirs ends any more.
 * 2. `coordinator` looks for offsets in topics that are removed.
 */
const followersOf = (brokers: Brokers, coordinator: Coordinator): ReadonlyArray<(events: ReadonlyArray<Event>) => void> => [
  brokers.follow,
  coordinator.clusterChanged
]

/** The services that a leader is made of. */
const services = (options: LeaderOptions): Layer.Layer<Services, LogFault | UnreadableEvent | WriterStopped, Journal> => {
  const { config } = options
  const coordinator = Layer.unwrapEffect(Effect.map(ClusterStream, ({ groupStreamCount }) => coordinatorLayer({ config, streamCount: groupStreamCount })))
  return Layer.merge(coordinator, brokersLayer(config["broker.session.timeout.ms"])).pipe(Layer.provideMerge(clusterStreamLayer(options)))
}
type Services = ClusterStream | CommandIds | ClusterImage | LeaderBrokers | GroupCoordinator

/** Finds the journal as the partition of its topic, and what `others` find. */
const findJournalOr =
  (journal: ReadablePartition, others: FindReadable): FindReadable =>
  (asked, partition) =>
    partition === 0 && ("topicId" in asked ? asked.topicId === metadataTopicId : asked.name === metadataTopic) ? journal : others(asked, partition)

const elect =
  (nodeId: BrokerId, writer: ClusterWriter, commandIds: CommandIdFactory) =>
  ({ host, port }: Address): Effect.Effect<void, WriterStopped> =>
    mustSucceed(writer, Command.ElectLeader({ nodeId, host, port, epoch: writer.epoch }), commandIds.own(), "start")

/** Puts the leader together, and opens the streams of all groups. */
const assemble = (options: LeaderOptions) =>
  Effect.gen(function* () {
    const { config, nodeId } = options
    const journal = yield* Journal
    const { decompress } = yield* Compression
    const { clusterId, eventsBefore, groupStreamCount, writer } = yield* ClusterStream
    const commandIds = yield* CommandIds
    const brokers = yield* LeaderBrokers
    const coordinator = yield* GroupCoordinator
    const clock = yield* Effect.clock
    const producerIdBlocks = new ProducerIdBlocks(() => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n))
    const context: LeaderContext = {
      nodeId,
      config,
      written: options.written,
      directories: options.directories ?? [],
      partitionsPerBrokerMax: partitionsPerBrokerMax(options),
      writer,
      brokers,
      commandIds,
      producerIds: makeProducerIds(nodeId, writer, commandIds, producerIdBlocks),
      producerIdBlocks,
      metrics: yield* metricsText
    }
    for (const follow of followersOf(brokers, coordinator)) writer.onChange(({ events }) => follow(events))
    yield* coordinator.openStreams(Array.from({ length: groupStreamCount }, (_, index) => index))
    const find = findJournalOr(streamPartition(journal, writer, { topic: metadataTopic, topicId: metadataTopicId, partition: 0 }), coordinator.findOffsets)
    const leaders = findLeader(writer.state)
    const reading = {
      find,
      findLeader: leaders,
      clusterId: () => clusterId,
      fetchBytesMax: config["fetch.max.bytes"],
      decompress,
      sessions: yield* makeFetchSessions(config["max.incremental.fetch.session.cache.slots"]),
      deadlines: yield* makeDeadlines
    }
    yield* Effect.forkScoped(watch(writer, brokers, commandIds))
    yield* Effect.forkScoped(raiseEventLevels(writer, commandIds, options.knownEventLevel ?? knownEventLevel))
    yield* Effect.logInfo(`leader ${nodeId} of cluster ${clusterId}: ${eventsBefore} events in the journal, epoch ${writer.epoch}`)
    return {
      nodeId,
      clusterId,
      cluster: writer.state,
      writer,
      coordinator,
      routes: leaderRoutes(context, reading, coordinator.routes),
      find,
      findLeader: leaders,
      elect: elect(nodeId, writer, commandIds),
      stopped: Effect.raceFirst(writer.stopped, coordinator.stopped)
    }
  })

/**
 * A leader that does not listen yet. Takes the journal under a new epoch, reads it, founds the cluster if it is new, and watches over the brokers, until the scope closes.
 * UnreadableEvent when the journal holds what this version does not know, LogFault when it cannot be read, WriterStopped when it cannot be written.
 */
export const makeLeader = (options: LeaderOptions): Effect.Effect<Leader, LogFault | UnreadableEvent | WriterStopped, Journal | Compression | Scope.Scope> =>
  Effect.flatMap(Layer.build(services(options)), (context) => Effect.provide(assemble(options), context))

interface StartOptions extends LeaderOptions {
  readonly listen: Address
  /** Where clients and brokers reach this leader; default: where it listens. A port of 0 means the port that it listens on. */
  readonly advertised?: Address
}
export interface RunningLeader extends Leader {
  /** Where it really listens. */
  readonly address: Address
}

/** A leader of its own: reads its journal, opens its listener, and journals the address. */
export const startLeader = (
  options: StartOptions
): Effect.Effect<RunningLeader, LogFault | UnreadableEvent | WriterStopped | ListenFault, Journal | Compression | Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const leader = yield* makeLeader(options)
    const address = yield* serve(
      options.listen,
      leader.routes,
      serveOptions(options.config, { live: liveNodeConfig(options.config, leader.cluster, options.nodeId) })
    )
    const advertised = options.advertised ?? address
    yield* leader.elect(advertised.port === 0 ? { ...advertised, port: address.port } : advertised)
    return { ...leader, address }
  })
