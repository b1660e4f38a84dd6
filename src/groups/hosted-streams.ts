import { type Context, Effect, ExecutionStrategy, Exit, LogLevel, Schedule, Scope } from "effect"
import { type Limits, limitsOf } from "../../domain/group/limits.ts"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import type { Rejection } from "../../domain/kernel/error-code.ts"
import { Journal, LeaseOver } from "../ports/journal.ts"
import { LogFault } from "../ports/log-store.ts"
import type { UnreadableEvent, WriterStopped } from "../stream/fault.ts"
import { openWriter } from "../stream/writer.ts"
import type { CoordinatorContext } from "./context.ts"
import type { GroupMetrics } from "./group-metrics.ts"
import { makeGroupStream } from "./group-stream.ts"
import { loading, notCoordinator } from "./group-streams.ts"
import { type GroupsWriter, groupStreamName, groupsAggregate } from "./groups-aggregate.ts"
import { committedTopics } from "./offset/removed-topics.ts"
import { latestTime, type SteadyTime } from "./session/steady-time.ts"
import type { Alarm } from "./session/watch.ts"

/** Streams that are read at a time. */
const openedAtATime = 4
/** The pause before an unloaded stream is opened again, ms: it doubles each time, up to the maximum. */
const reopenMsMin = 1000
const reopenMsMax = 60_000
/** The same for a stream whose lease alone is over, which says nothing against its journal. */
const leaseOverMs = 100
/** Between two attempts to open a stream whose partition this node leads: the leader of the cluster may be unreachable. */
const leading = Schedule.exponential(100).pipe(Schedule.union(Schedule.spaced(5000)))
const reopening = Schedule.exponential(reopenMsMin).pipe(Schedule.union(Schedule.spaced(reopenMsMax)))

interface TakenStream {
  readonly index: number
  readonly writer: GroupsWriter
  readonly scope: Scope.CloseableScope
}

/** Streams that are partitions of a topic: which of them a node has changes while it runs. */
export interface StreamsOfPartitions {
  /** Waits until the stream can be opened. LogFault where this node does not lead its partition any more. */
  readonly prepare: (stream: string) => Effect.Effect<unknown, LogFault>
  /** Whether this node leads the partition of the stream. */
  readonly isLed: (stream: string) => boolean
  /** A stream whose journal failed was closed. It is led again where this node still leads its partition. */
  readonly unloaded: (index: number) => void
}

interface HostedStreamsParts {
  readonly config: NodeConfig
  readonly context: CoordinatorContext
  readonly journal: Context.Tag.Service<typeof Journal>
  /** The coordinator's. */
  readonly scope: Scope.Scope
  readonly time: SteadyTime
  readonly alarm: Alarm
  readonly metrics: GroupMetrics
  /** Ends the coordinator: an assertion failed. */
  readonly stop: (stopped: WriterStopped) => Effect.Effect<void>
  readonly partitions: StreamsOfPartitions | undefined
}

/** Opens and closes the streams of groups. A stream whose journal fails is unloaded; the coordinator serves the others. */
export class HostedStreams {
  private readonly scopes = new Map<number, Scope.CloseableScope>()
  private readonly oneAtATime = Effect.unsafeMakeSemaphore(1)
  private readonly limits: Limits
  /** When a stream was opened last, ms by the monotonic clock. */
  private readonly openedAt = new Map<number, number>()
  /** Streams that were closed on request: one that is to be opened again after a failure of its journal stays closed then. */
  private readonly closed = new Set<number>()
  /** How often a stream was unloaded because its journal failed, without serving for long between. */
  private readonly unloads = new Map<number, number>()

  constructor(private readonly parts: HostedStreamsParts) {
    this.limits = limitsOf(parts.config)
  }

  readonly open = (indexes: ReadonlyArray<number>): Effect.Effect<void, LogFault | UnreadableEvent> =>
    this.oneAtATime.withPermits(1)(
      Effect.suspend(() => {
        const { streams } = this.parts.context
        for (const index of indexes) this.closed.delete(index)
        const closed = indexes.filter((index) => !this.scopes.has(index))
        for (const index of closed) streams.markOpening(index)
        return Effect.ensuring(
          this.openClosed(closed),
          Effect.sync(() => {
            for (const index of closed) streams.unmarkOpening(index)
          })
        )
      })
    )

  /** Opens a stream as soon as it can be opened, outside of the turn of the others. */
  readonly lead = (index: number): Effect.Effect<void> => {
    const { streams } = this.parts.context
    const name = groupStreamName(index)
    const { isLed = () => true, prepare: prepared = () => Effect.void } = this.parts.partitions ?? {}
    const prepare = prepared(name)
    const attempt = Effect.suspend(() => {
      streams.markOpening(index)
      return Effect.zipRight(prepare, this.open([index]))
    })
    const failed = ({ message }: LogFault | UnreadableEvent) => {
      const line = `${name} cannot be opened yet; the coordinator retries: ${message}`
      // A leadership that ends before its stream is open is an election like others: the caller is interrupted when its image has it.
      return isLed(name) ? this.parts.context.refusals.log(LogLevel.Warning, name, line) : Effect.logDebug(line)
    }
    return Effect.retry(Effect.tapError(attempt, failed), leading).pipe(
      Effect.orDie,
      Effect.onInterrupt(() => Effect.sync(() => streams.unmarkOpening(index)))
    )
  }

  /** Releases a stream, and answers the requests that wait. */
  readonly close = (index: number, isOpenedAgain = false): Effect.Effect<void> =>
    Effect.asVoid(
      Effect.zipRight(
        Effect.sync(() => this.closed.add(index)),
        this.release(index, isOpenedAgain ? loading : notCoordinator)
      )
    )

  /** Releases a stream; returns whether it was open, and with this writer where one is named. */
  private release(index: number, rejection: Rejection, writer?: GroupsWriter): Effect.Effect<boolean> {
    return this.oneAtATime.withPermits(1)(
      Effect.suspend(() => {
        const { streams } = this.parts.context
        const stream = streams.at(index)
        const scope = this.scopes.get(index)
        if (stream === undefined || scope === undefined || (writer !== undefined && stream.writer !== writer)) return Effect.succeed(false)
        streams.remove(index)
        this.scopes.delete(index)
        if (rejection === loading) streams.markOpening(index)
        return Effect.as(Effect.zipRight(Scope.close(scope, Exit.void), stream.close(rejection)), true)
      })
    )
  }

  /** Unloads a stream whose writer has ended by itself, and opens it again where this process still holds its journal. */
  private unload({ index, writer }: Omit<TakenStream, "scope">, stopped: WriterStopped): Effect.Effect<void> {
    if (stopped.reason === "bug") return this.parts.stop(stopped)
    // Another process that leads fences this one. The lease of one stream may end while this process continues as the coordinator.
    const isFenced = stopped.reason === "fenced" && !(stopped.cause instanceof LeaseOver)
    const consequence = isFenced
      ? "The groups of this stream get NOT_COORDINATOR; the other groups are served."
      : "The groups of this stream get COORDINATOR_LOAD_IN_PROGRESS until it is opened again; the other groups are served."
    return Effect.flatMap(this.release(index, isFenced ? notCoordinator : loading, writer), (wasOpen) => {
      if (!wasOpen) return Effect.void
      // Partitions change their leaders all the time.
      const level = isFenced && this.parts.partitions !== undefined ? LogLevel.Debug : LogLevel.Error
      return Effect.zipRight(
        Effect.logWithLevel(level, `${stopped.message} ${consequence}`),
        isFenced ? Effect.void : this.reopen(index, stopped.cause instanceof LeaseOver)
      )
    })
  }

  private reopen(index: number, isLeaseOver: boolean): Effect.Effect<void> {
    const { context } = this.parts
    // A stream that served for longer than the longest pause begins anew with the shortest.
    const served = context.elapsed() - (this.openedAt.get(index) ?? 0)
    const before = served >= reopenMsMax ? 0 : (this.unloads.get(index) ?? 0)
    if (!isLeaseOver) this.unloads.set(index, before + 1)
    const name = groupStreamName(index)
    const failed = ({ message }: LogFault | UnreadableEvent) => {
      this.parts.context.streams.markOpening(index)
      return Effect.logWarning(`${name} cannot be opened again yet; the coordinator retries: ${message}`)
    }
    // The leader may have handed the stream over meanwhile: no entry may follow in the journal.
    const attempt = Effect.suspend(() => (this.closed.has(index) ? Effect.void : Effect.tapError(this.open([index]), failed)))
    const { partitions } = this.parts
    const again =
      partitions === undefined
        ? Effect.zipRight(
            Effect.retry(attempt, reopening),
            Effect.suspend(() => (this.scopes.has(index) ? Effect.logInfo(`${name} is open again.`) : Effect.void))
          )
        : Effect.sync(() => partitions.unloaded(index))
    return again.pipe(Effect.delay(isLeaseOver ? leaseOverMs : Math.min(reopenMsMax, reopenMsMin * 2 ** before)), Effect.orDie)
  }

  private openClosed(indexes: ReadonlyArray<number>): Effect.Effect<void, LogFault | UnreadableEvent> {
    const { context, scope: parent } = this.parts
    return Effect.flatMap(Scope.fork(parent, ExecutionStrategy.sequential), (scope) =>
      Effect.onError(this.openIn(scope, indexes), (cause) => {
        for (const index of indexes) {
          context.streams.remove(index)
          this.scopes.delete(index)
        }
        return Scope.close(scope, Exit.failCause(cause))
      })
    )
  }

  /** Opens all or none: the caller closes the scope when it is interrupted. */
  private openIn(scope: Scope.Scope, indexes: ReadonlyArray<number>): Effect.Effect<void, LogFault | UnreadableEvent> {
    const { alarm, context, metrics, time } = this.parts
    return Effect.gen(this, function* () {
      const taken = yield* Effect.forEach(indexes, (index) => this.take(index, scope), { concurrency: openedAtATime })
      // Every session begins when all streams are read, and not before: that may take long.
      for (const { writer } of taken) time.raise(latestTime(writer.state()))
      for (const { index, scope: own, writer } of taken) {
        const options = { index, limits: this.limits, metrics, now: context.now, onDeadline: alarm.set }
        const stream = yield* Scope.extend(makeGroupStream(writer, options), own)
        this.scopes.set(index, own)
        this.openedAt.set(index, context.elapsed())
        context.streams.add(stream)
        context.suspect([...committedTopics(stream)])
        alarm.set(stream.deadlines.next)
      }
    })
  }

  /** Takes a stream, and replays it, in a scope of its own. */
  private take(index: number, within: Scope.Scope): Effect.Effect<TakenStream, LogFault | UnreadableEvent> {
    const { config, context, journal, scope: coordinator } = this.parts
    const writing = { candidate: { nodeId: config["node.id"] }, snapshotIntervalEvents: config["metadata.snapshot.interval.events"], trimAfterSnapshot: true }
    // The other streams count as they are durable: the events that they are about to write are less than one append each.
    const elsewhere = () => context.streams.load(index)
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(within, ExecutionStrategy.sequential)
      const opened = openWriter(groupStreamName(index), groupsAggregate(this.limits, elsewhere), writing).pipe(
        Effect.provideService(Journal, journal),
        Scope.extend(scope)
      )
      // Another process leads it, and has appended already: the caller tries again while this one is to lead.
      const writer = yield* Effect.catchTag(
        opened,
        "WriterStopped",
        ({ cause, message, stream }) => new LogFault({ path: stream, reason: "offline", message, cause })
      )
      // Unloading closes the stream's scope, so that it is forked in the coordinator's.
      const watched = Effect.catchAll(writer.stopped, (stopped) => Effect.forkIn(this.unload({ index, writer }, stopped), coordinator))
      yield* Effect.forkIn(watched, scope)
      return { index, writer, scope }
    })
  }
}
