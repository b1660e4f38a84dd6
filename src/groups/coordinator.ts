import { Cause, Context, Deferred, Effect, ExecutionStrategy, Exit, Layer, Scope } from "effect"
import type { Event as ClusterEvent } from "../../domain/cluster/event.ts"
import { groupMetadataTopic } from "../../domain/cluster/topic/name.ts"
import { type Limits, limitsOf } from "../../domain/group/limits.ts"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import { Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import { registerMetrics } from "../ports/metrics.ts"
import { RateLimitedLog } from "../ports/rate-limited-log.ts"
import type { FindReadable } from "../serve/readable.ts"
import { CommandIds } from "../stream/command-ids.ts"
import { type UnreadableEvent, WriterStopped } from "../stream/fault.ts"
import { openWriter } from "../stream/writer.ts"
import type { Route } from "../wire/route.ts"
import { ClusterImage } from "./cluster-image.ts"
import type { CoordinatorContext } from "./context.ts"
import { GroupMetrics } from "./group-metrics.ts"
import { type GroupStream, makeGroupStream } from "./group-stream.ts"
import { GroupStreams, notCoordinator } from "./group-streams.ts"
import { type GroupsWriter, groupStreamName, groupsAggregate } from "./groups-aggregate.ts"
import { committedTopics, forgetRemovedTopics, SuspectTopics } from "./offset/removed-topics.ts"
import { makeOffsetsTopic } from "./offsets-topic/topic.ts"
import { groupRoutes } from "./routes.ts"
import { latestTime, SteadyTime } from "./session/steady-time.ts"
import { Alarm, watchGroups, watchOffsets } from "./session/watch.ts"

/** Streams that are read at a time. */
const openedAtATime = 4

interface CoordinatorOptions {
  readonly config: NodeConfig
  /** The number of streams over which the groups of the cluster are spread. */
  readonly streamCount: number
}

/** Coordinates the groups in the streams that this node has opened. */
export class GroupCoordinator extends Context.Tag("comanche-franz/GroupCoordinator")<
  GroupCoordinator,
  {
    /** The streams that are open. */
    readonly streams: Iterable<GroupStream>
    /** Takes streams under new epochs, replays them, and coordinates their groups from then on. A stream that is open stays as it is. */
    readonly openStreams: (indexes: ReadonlyArray<number>) => Effect.Effect<void, LogFault | UnreadableEvent>
    /** Releases a stream: requests that wait, and later requests for its groups, get NOT_COORDINATOR. */
    readonly closeStream: (index: number) => Effect.Effect<void>
    readonly routes: ReadonlyArray<Route>
    /** Finds the partitions of `__consumer_offsets`. */
    readonly findOffsets: FindReadable
    /** Takes the events that ClusterImage has folded, in order. */
    readonly clusterChanged: (events: ReadonlyArray<ClusterEvent>) => void
    /** Fails when the writer of a stream, or a fiber that watches over the groups, cannot continue: the node must stop. */
    readonly stopped: Effect.Effect<never, WriterStopped>
  }
>() {}

export type Coordinator = Context.Tag.Service<GroupCoordinator>

interface TakenStream {
  readonly index: number
  readonly writer: GroupsWriter
  readonly scope: Scope.CloseableScope
}

/** Opens and closes the streams of groups. */
class StreamOpening {
  private readonly scopes = new Map<number, Scope.CloseableScope>()
  private readonly oneAtATime = Effect.unsafeMakeSemaphore(1)
  private readonly limits: Limits

  constructor(
    private readonly config: NodeConfig,
    private readonly context: CoordinatorContext,
    private readonly services: {
      readonly journal: Context.Tag.Service<typeof Journal>
      readonly scope: Scope.Scope
      readonly time: SteadyTime
      readonly alarm: Alarm
      readonly metrics: GroupMetrics
    },
    private readonly fault: Deferred.Deferred<never, WriterStopped>
  ) {
    this.limits = limitsOf(config)
  }

  readonly open = (indexes: ReadonlyArray<number>): Effect.Effect<void, LogFault | UnreadableEvent> =>
    this.oneAtATime.withPermits(1)(
      Effect.suspend(() => {
        const closed = indexes.filter((index) => !this.scopes.has(index))
        for (const index of closed) this.context.streams.markOpening(index)
        return Effect.ensuring(
          this.openClosed(closed),
          Effect.sync(() => {
            for (const index of closed) this.context.streams.unmarkOpening(index)
          })
        )
      })
    )

  readonly close = (index: number): Effect.Effect<void> =>
    this.oneAtATime.withPermits(1)(
      Effect.suspend(() => {
        const stream = this.context.streams.at(index)
        const scope = this.scopes.get(index)
        if (stream === undefined || scope === undefined) return Effect.void
        this.context.streams.remove(index)
        this.scopes.delete(index)
        return Effect.zipRight(Scope.close(scope, Exit.void), stream.close(notCoordinator))
      })
    )

  private openClosed(indexes: ReadonlyArray<number>): Effect.Effect<void, LogFault | UnreadableEvent> {
    const { context, limits, services } = this
    const { alarm, metrics } = services
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(services.scope, ExecutionStrategy.sequential)
      const taken = yield* Effect.forEach(indexes, (index) => this.take(index, scope), { concurrency: openedAtATime }).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
      // Every session begins when all streams are read, and not before: that may take long.
      for (const { writer } of taken) services.time.raise(latestTime(writer.state()))
      for (const { index, scope: own, writer } of taken) {
        const stream = yield* Scope.extend(makeGroupStream(writer, { index, limits, metrics, now: context.now, onDeadline: alarm.set }), own)
        this.scopes.set(index, own)
        context.streams.add(stream)
        context.suspect([...committedTopics(stream)])
        alarm.set(stream.deadlines.next)
      }
    })
  }

  /** Takes a stream, and replays it, in a scope of its own. */
  private take(index: number, within: Scope.Scope): Effect.Effect<TakenStream, LogFault | UnreadableEvent> {
    const { config, context, fault, limits, services } = this
    const writing = { snapshotIntervalEvents: config["metadata.snapshot.interval.events"], trimAfterSnapshot: true }
    // The other streams count as they are durable: the events that they are about to write are less than one append each.
    const elsewhere = () => context.streams.load(index)
    return Effect.gen(function* () {
      const scope = yield* Scope.fork(within, ExecutionStrategy.sequential)
      const writer = yield* openWriter(groupStreamName(index), groupsAggregate(limits, elsewhere), writing).pipe(
        Effect.tap(({ stopped }) => Effect.forkScoped(Effect.catchAll(stopped, (stop) => Deferred.fail(fault, stop)))),
        Effect.provideService(Journal, services.journal),
        Scope.extend(scope)
      )
      return { index, writer, scope }
    })
  }
}

/** Runs `watch` until the scope closes. A bug in it must not leave the groups unwatched: it ends the coordinator. */
const watching = (fault: Deferred.Deferred<never, WriterStopped>, watch: Effect.Effect<never>): Effect.Effect<void, never, Scope.Scope> => {
  const stopped = (cause: Cause.Cause<never>) =>
    new WriterStopped({
      stream: groupMetadataTopic,
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
export const layer = ({ config, streamCount }: CoordinatorOptions): Layer.Layer<GroupCoordinator, never, Journal | ClusterImage | CommandIds> =>
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
        suspect: suspects.add
      }
      const metrics = new GroupMetrics()
      yield* registerMetrics(() => metrics.samples([...streams].map(({ writer }) => writer.state())))
      const opening = new StreamOpening(config, context, { journal: yield* Journal, scope: yield* Effect.scope, time, alarm, metrics }, fault)
      for (const watch of [watchGroups(context, alarm), watchOffsets(context), forgetRemovedTopics(context, suspects)]) yield* watching(fault, watch)
      return {
        streams,
        openStreams: opening.open,
        closeStream: opening.close,
        routes: groupRoutes(context),
        findOffsets: yield* makeOffsetsTopic(cluster, streams),
        clusterChanged: suspects.follow,
        stopped: Deferred.await(fault)
      }
    })
  )
