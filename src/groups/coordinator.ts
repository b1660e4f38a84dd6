import { Cause, Context, Deferred, Effect, Layer, type Scope } from "effect"
import type { Event as ClusterEvent } from "../../domain/cluster/event.ts"
import { groupMetadataTopic } from "../../domain/cluster/topic/group-metadata.ts"
import { limitsOf } from "../../domain/group/limits.ts"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import { Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import { registerMetrics } from "../ports/metrics.ts"
import { RateLimitedLog } from "../ports/rate-limited-log.ts"
import type { FindReadable } from "../serve/readable.ts"
import { CommandIds } from "../stream/command-ids.ts"
import { type UnreadableEvent, WriterStopped } from "../stream/fault.ts"
import type { Route } from "../wire/route.ts"
import { ClusterImage } from "./cluster-image.ts"
import type { CoordinatorContext } from "./context.ts"
import { GroupMetrics } from "./group-metrics.ts"
import type { GroupStream } from "./group-stream.ts"
import { GroupStreams } from "./group-streams.ts"
import { HostedStreams, type StreamsOfPartitions } from "./hosted-streams.ts"
import { forgetRemovedTopics, SuspectTopics } from "./offset/removed-topics.ts"
import { makeOffsetsTopic } from "./offsets-topic/topic.ts"
import { groupRoutes } from "./routes.ts"
import { SteadyTime } from "./session/steady-time.ts"
import { Alarm, watchGroups, watchOffsets } from "./session/watch.ts"

interface CoordinatorOptions {
  readonly config: NodeConfig
  /** Returns the number of streams over which the groups of the cluster are spread. */
  readonly streamCount: () => number
  /** Whether the coordinator has samples for the metrics: of two in one process one has. Default: always. */
  readonly isCounted?: () => boolean
  /** Where the streams are partitions that come and go. */
  readonly partitions?: StreamsOfPartitions
  /** How long a command waits until it is durable, ms. Default: as long as that takes. */
  readonly commitTimeoutMs?: number
}

/** Coordinates the groups in the streams that this node has opened. */
export class GroupCoordinator extends Context.Tag("comanche-franz/GroupCoordinator")<
  GroupCoordinator,
  {
    /** The streams that are open. */
    readonly streams: Iterable<GroupStream>
    /** Takes streams under new epochs, replays them, and coordinates their groups from then on. A stream that is open stays as it is. */
    readonly openStreams: (indexes: ReadonlyArray<number>) => Effect.Effect<void, LogFault | UnreadableEvent>
    /** Opens a stream whose partition this node leads, as soon as that is possible. Its groups get COORDINATOR_LOAD_IN_PROGRESS until then. */
    readonly leadStream: (index: number) => Effect.Effect<void>
    /** Releases a stream: requests that wait, and later requests for its groups, get NOT_COORDINATOR, or COORDINATOR_LOAD_IN_PROGRESS where it is opened again. */
    readonly closeStream: (index: number, isOpenedAgain?: boolean) => Effect.Effect<void>
    readonly routes: ReadonlyArray<Route>
    /** Finds the partitions of `__consumer_offsets`. */
    readonly findOffsets: FindReadable
    /** Takes the events that ClusterImage has folded, in order. */
    readonly clusterChanged: (events: ReadonlyArray<ClusterEvent>) => void
    /**
     * Fails when an assertion fails in the writer of a stream, or in a fiber that watches over the groups: the node must stop. A stream whose journal fails is unloaded, and
     * the other groups are served.
     */
    readonly stopped: Effect.Effect<never, WriterStopped>
  }
>() {}

export type Coordinator = Context.Tag.Service<GroupCoordinator>

/** Runs `watch` until the scope closes. A bug in it must not leave the groups unwatched: it ends the coordinator. */
const watching = (fault: Deferred.Deferred<never, WriterStopped>, watch: Effect.Effect<never>): Effect.Effect<void, never, Scope.Scope> => {
  const stopped = (cause: Cause.Cause<never>) =>
    new WriterStopped({
      stream: groupMetadataTopic,
      reason: "bug",
      cause,
      message: `The leader stops because of a bug in the fiber that watches over the groups: ${Cause.pretty(cause)}`
    })
  return watch.pipe(
    Effect.catchAllCause((cause) => (Cause.isInterruptedOnly(cause) ? Effect.void : Deferred.fail(fault, stopped(cause)))),
    Effect.forkScoped,
    Effect.asVoid
  )
}

/** The coordinator, without open streams. It watches over sessions, rebalances and offsets until the scope closes. */
export const layer = ({
  commitTimeoutMs,
  config,
  isCounted = () => true,
  partitions,
  streamCount
}: CoordinatorOptions): Layer.Layer<GroupCoordinator, never, Journal | ClusterImage | CommandIds> =>
  Layer.scoped(
    GroupCoordinator,
    Effect.gen(function* () {
      const { cluster } = yield* ClusterImage
      const time = new SteadyTime(yield* Effect.clock)
      const streams = new GroupStreams(streamCount)
      const alarm = yield* Alarm.make
      const suspects = yield* SuspectTopics.make
      const fault = yield* Deferred.make<never, WriterStopped>()
      const context: CoordinatorContext = {
        limits: limitsOf(config),
        cluster,
        commandIds: yield* CommandIds,
        streams,
        now: time.now,
        elapsed: time.elapsed,
        refusals: new RateLimitedLog(),
        suspect: suspects.add,
        commitTimeoutMs
      }
      const metrics = new GroupMetrics()
      yield* registerMetrics(() => (isCounted() ? metrics.samples([...streams].map(({ writer }) => writer.state())) : []))
      const stop = (stopped: WriterStopped) => Effect.asVoid(Deferred.fail(fault, stopped))
      const hosted = new HostedStreams({ config, context, journal: yield* Journal, scope: yield* Effect.scope, time, alarm, metrics, stop, partitions })
      for (const watch of [watchGroups(context, alarm), watchOffsets(context), forgetRemovedTopics(context, suspects)]) yield* watching(fault, watch)
      return {
        streams,
        openStreams: hosted.open,
        leadStream: hosted.lead,
        closeStream: hosted.close,
        routes: groupRoutes(context),
        findOffsets: yield* makeOffsetsTopic(cluster, streams),
        clusterChanged: suspects.follow,
        stopped: Deferred.await(fault)
      }
    })
  )
