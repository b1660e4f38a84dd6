import { Context, Effect, Layer, type Scope } from "effect"
import { Command } from "../../domain/cluster/command.ts"
import { liveNodeConfig } from "../../domain/cluster/config/node.ts"
import type { Event } from "../../domain/cluster/event.ts"
import type { Cluster } from "../../domain/cluster/state.ts"
import { groupPartitions } from "../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic, metadataTopicId } from "../../domain/cluster/topic/name.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"
import { type Coordinator, layer as coordinatorLayer, GroupCoordinator } from "../groups/coordinator.ts"
import type { Compression } from "../ports/compression.ts"
import { Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { Address, ListenFault, Transport } from "../ports/transport.ts"
import { type FindLeader, findLeader } from "../serve/cluster/current-leader.ts"
import type { FindReadable, ReadablePartition } from "../serve/readable.ts"
import { serveOptions } from "../serve/serve-options.ts"
import { CommandIds } from "../stream/command-ids.ts"
import type { UnreadableEvent, WriterStopped } from "../stream/fault.ts"
import { streamPartition } from "../stream/stream-partition.ts"
import type { Route } from "../wire/route.ts"
import { serve } from "../wire/server.ts"
import { electUncleanly } from "./administration/unclean-elections.ts"
import { type Brokers, LeaderBrokers, makeLeaderBrokers } from "./brokers/brokers.ts"
import { watch } from "./brokers/liveness.ts"
import { probeBrokers } from "./brokers/probing.ts"
import { openGroupsBeside } from "./candidates/opening-groups.ts"
import { LeaderContext } from "./context.ts"
import { raiseEventLevels } from "./event-level.ts"
import { GroupStates } from "./groups/group-states.ts"
import { handOverGroups } from "./groups/hand-over.ts"
import type { ClusterWriter } from "./journal/cluster-aggregate.ts"
import { ClusterStream, mustSucceed, withClusterStream } from "./journal/cluster-stream.ts"
import { LeaderProducerIds } from "./producer-ids/producer-ids.ts"
import { leaderRoutes } from "./routes.ts"
import { type LeaderOptions, LeaderSettings } from "./settings.ts"
import { keepLeadersBalanced } from "./upkeep/leader-balance.ts"
import { replaceLostBrokers } from "./upkeep/replacement.ts"

/** The leader of the cluster. Its routes are served by the program that has a listener: alone, or together with a broker's on one port. */
export class Leader extends Context.Tag("comanche-franz/leader/Leader")<
  Leader,
  {
    readonly nodeId: BrokerId
    readonly clusterId: string
    /** The image, up to the last durable event. */
    readonly cluster: () => Cluster
    readonly writer: ClusterWriter
    /** The groups: this leader coordinates them all, until it hands them over to the brokers. */
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
>() {}

/**
 * What follows the cluster's events in this process, in this order. Readers of the journal's topic and waits for the state are called after all of these, in the order in which they began.
 * 1. `brokers` forgets the brokers whose registrations are removed, so that no session of theirs ends any more.
 * 2. `coordinator` looks for offsets in topics that are removed.
 */
const followersOf = (brokers: Brokers, coordinator: Coordinator): ReadonlyArray<(events: ReadonlyArray<Event>) => void> => [
  brokers.follow,
  coordinator.clusterChanged
]

/** The coordinator of the groups, with as many streams as the cluster has. */
const coordinator = Effect.gen(function* () {
  const { config } = yield* LeaderSettings
  const { groupStreamCount, writer } = yield* ClusterStream
  const isCounted = () => groupPartitions(writer.state()) === undefined
  return Context.get(yield* Layer.build(coordinatorLayer({ config, streamCount: () => groupStreamCount, isCounted })), GroupCoordinator)
})

/** Finds the journal as the partition of its topic, and what `others` find. */
const findJournalOr =
  (journal: ReadablePartition, others: FindReadable): FindReadable =>
  (asked, partition) =>
    partition === 0 && ("topicId" in asked ? asked.topicId === metadataTopicId : asked.name === metadataTopic) ? journal : others(asked, partition)

/** Puts the leader together, and opens the streams of all groups: a candidate while it leads. */
const make = Effect.gen(function* () {
  const { nodeId, standby } = yield* LeaderSettings
  const { clusterId, eventsBefore, groupStreamCount, writer } = yield* ClusterStream
  const { leader: before } = writer.state()
  const commandIds = yield* CommandIds
  const groups = yield* GroupCoordinator
  for (const follow of followersOf(yield* LeaderBrokers, groups)) writer.onChange(({ events }) => follow(events))
  // Once the brokers coordinate the groups, the streams of the journal are what they take over.
  const streams = groupPartitions(writer.state()) === undefined ? Array.from({ length: groupStreamCount }, (_, index) => index) : []
  const opening = standby === undefined ? undefined : yield* openGroupsBeside(groups, streams, writer)
  if (opening === undefined) yield* Effect.raceFirst(groups.openStreams(streams), writer.stopped)
  const journal = streamPartition(yield* Journal, writer, { topic: metadataTopic, topicId: metadataTopicId, partition: 0 })
  const find = findJournalOr(journal, groups.findOffsets)
  // The process may have been stopped past its lease between any two of its steps: nothing that it says counts then.
  const routes = (yield* leaderRoutes(find)).map((each): Route => ({ ...each, mayAnswer: writer.isHeld }))
  yield* Effect.forkScoped(watch)
  yield* Effect.forkScoped(probeBrokers(before))
  yield* Effect.forkScoped(raiseEventLevels)
  yield* Effect.forkScoped(handOverGroups)
  yield* Effect.forkScoped(keepLeadersBalanced)
  yield* Effect.forkScoped(replaceLostBrokers)
  yield* Effect.forkScoped(electUncleanly)
  yield* Effect.logInfo(`leader ${nodeId} of cluster ${clusterId}: ${eventsBefore} events in the journal, epoch ${writer.epoch}`)
  return Leader.of({
    nodeId,
    clusterId,
    cluster: writer.state,
    writer,
    coordinator: groups,
    routes,
    find,
    findLeader: findLeader(writer.state),
    elect: ({ host, port }) => mustSucceed(writer, Command.ElectLeader({ nodeId, host, port, epoch: writer.epoch }), commandIds.own(), "start"),
    stopped: Effect.raceFirst(Effect.raceFirst(writer.stopped, groups.stopped), opening ?? Effect.never)
  })
})

/**
 * The role of the leader. Takes the journal under a new epoch, reads it, founds the cluster if it is new, and watches over the brokers, until the scope closes.
 * UnreadableEvent when the journal holds what this version does not know, LogFault when it cannot be read, WriterStopped when it cannot be written.
 * Each service gets what is provided behind it; when the scope closes, they end from the first to the last.
 */
export const layer = (options: LeaderOptions): Layer.Layer<Leader, LogFault | UnreadableEvent | WriterStopped, Journal | Compression | Transport> =>
  Layer.scoped(
    Leader,
    make.pipe(
      Effect.provideServiceEffect(LeaderContext, LeaderContext.make),
      Effect.provideServiceEffect(LeaderProducerIds, LeaderProducerIds.make),
      Effect.provideServiceEffect(GroupStates, GroupStates.make),
      Effect.provideServiceEffect(GroupCoordinator, coordinator),
      Effect.provideServiceEffect(LeaderBrokers, makeLeaderBrokers),
      withClusterStream,
      Effect.provideService(LeaderSettings, options)
    )
  )

interface StartOptions extends LeaderOptions {
  readonly listen: Address
  /** Where clients and brokers reach this leader; default: where it listens. A port of 0 means the port that it listens on. */
  readonly advertised?: Address
}
export type RunningLeader = Leader["Type"] & {
  /** Where it really listens. */
  readonly address: Address
}

/** A leader of its own: reads its journal, opens its listener, and journals the address. */
export const startLeader = (
  options: StartOptions
): Effect.Effect<RunningLeader, LogFault | UnreadableEvent | WriterStopped | ListenFault, Journal | Compression | Transport | Scope.Scope> =>
  Effect.gen(function* () {
    const leader = Context.get(yield* Layer.build(layer(options)), Leader)
    const address = yield* serve(
      options.listen,
      leader.routes,
      serveOptions(options.config, { live: liveNodeConfig(options.config, leader.cluster, options.nodeId) })
    )
    const advertised = options.advertised ?? address
    yield* leader.elect(advertised.port === 0 ? { ...advertised, port: address.port } : advertised)
    return { ...leader, address }
  })
