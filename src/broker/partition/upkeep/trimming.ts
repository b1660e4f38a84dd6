import { type Clock, Effect, Either, type Scope } from "effect"
import type { LogFault } from "../../../ports/log-store.ts"
import type { Replica } from "../replica/replica.ts"
import { FutureSegments } from "./future-segments.ts"
import type { LogStarts, Raise } from "./log-starts.ts"
import { heldByFuture, isTrimDue, retainedStart } from "./retained.ts"

interface TrimmingOptions {
  readonly starts: LogStarts
  /** The replicas on this broker. */
  readonly replicas: () => Iterable<Replica>
  readonly clock: Clock.Clock
  /** The life of what runs in the background. */
  readonly scope: Scope.Scope
  /** Tells the operator which segments a wrong clock keeps. */
  readonly warn: (line: string) => void
}

/** Logs whose segments are deleted at a time; each waits for syncs of its directory. */
const concurrency = 4

/** Deletes the segments before the start of a log. A failure is tried again by the next look; readers do not notice it. */
const trim = (replica: Replica): Effect.Effect<void> => Effect.catchAll(replica.trim, (fault) => Effect.sync(() => void replica.failed(fault)))
const trimAll = (replicas: ReadonlyArray<Replica>): Effect.Effect<void> => Effect.forEach(replicas, trim, { concurrency, discard: true })

/** Raises the starts of logs, by request (DeleteRecords) or because of retention, and deletes the records before them. */
export class Trimming {
  private readonly future: FutureSegments

  constructor(private readonly options: TrimmingOptions) {
    this.future = new FutureSegments(options.warn)
  }

  /** As LogStarts.raise. The segments are deleted afterwards, in the background. */
  raise(all: ReadonlyArray<Raise>): Effect.Effect<ReadonlyArray<Either.Either<void, LogFault>>> {
    return Effect.tap(this.options.starts.raise(all), (results) => {
      const raised = all.filter((_, index) => Either.isRight(results[index] as Either.Either<void, LogFault>))
      return Effect.forkIn(trimAll(raised.map(({ replica }) => replica)), this.options.scope)
    })
  }

  /**
   * Goes once through the partitions that this broker leads: raises starts by retention, and deletes what an earlier look
   * could not delete. A follower receives its leader's start when it fetches, which one with a full disk does not: there
   * retention runs by itself, since it may be all that makes space.
   */
  readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.options.clock.unsafeCurrentTimeMillis()
    const led = [...this.options.replicas()].filter(({ isUnwritable, leading }) => leading !== undefined || isUnwritable)
    const due = led.map((replica) => ({ replica, offset: retainedStart(replica, now) })).filter(({ offset, replica }) => offset > replica.start())
    this.future.look(led, (replica) => heldByFuture(replica, now), now)
    return Effect.flatMap(due.length === 0 ? Effect.succeed([]) : this.options.starts.raise(due), (results) => {
      for (const [index, result] of results.entries()) if (Either.isLeft(result)) due[index]?.replica.failed(result.left)
      return trimAll(led.filter(isTrimDue))
    })
  })
}
