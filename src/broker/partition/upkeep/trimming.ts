import { type Clock, Effect, Either } from "effect"
import type { LogFault } from "../../../ports/log-store.ts"
import type { PartitionOwner } from "../replica/owner.ts"
import { FutureSegments } from "./future-segments.ts"
import type { LogStarts, Raise } from "./log-starts.ts"

interface TrimmingOptions {
  readonly starts: LogStarts
  /** The partitions that this broker holds. */
  readonly owners: () => Iterable<PartitionOwner>
  readonly clock: Clock.Clock
  /** Runs what nobody waits for, until the broker ends. */
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Tells the operator which segments a wrong clock keeps. */
  readonly report: (line: string) => void
}

/** Logs whose segments are dropped at a time; each waits for syncs of its directory. */
const concurrency = 4

/** Drops what lies before the start of a log. What fails is tried again by the next look through the logs; readers never see it. */
const trim = (owner: PartitionOwner): Effect.Effect<void> =>
  owner.trim.pipe(
    Effect.catchAll((fault) => Effect.sync(() => void owner.failed(fault))),
    Effect.asVoid
  )
const trimAll = (owners: ReadonlyArray<PartitionOwner>): Effect.Effect<void> => Effect.forEach(owners, trim, { concurrency, discard: true })

/** Raises the starts of logs, because somebody asked (DeleteRecords) or because of what their settings keep (retention), and drops what lies before them. */
export class Trimming {
  private readonly future: FutureSegments

  constructor(private readonly options: TrimmingOptions) {
    this.future = new FutureSegments(options.report)
  }

  /** As LogStarts.raise. Segments are dropped afterwards, in the background. */
  raise(all: ReadonlyArray<Raise>): Effect.Effect<ReadonlyArray<Either.Either<void, LogFault>>> {
    return Effect.tap(this.options.starts.raise(all), (results) =>
      Effect.sync(() =>
        this.options.fork(trimAll(all.filter((_, index) => Either.isRight(results[index] as Either.Either<void, LogFault>)).map(({ owner }) => owner)))
      )
    )
  }

  /** Looks once through the partitions that are led here: what their settings do not keep any more goes, and what an earlier look could not drop. */
  readonly look: Effect.Effect<void> = Effect.suspend(() => {
    const now = this.options.clock.unsafeCurrentTimeMillis()
    const led = [...this.options.owners()].filter(({ isLeading }) => isLeading)
    const due = led.map((owner) => ({ owner, offset: owner.retainedStart(now) })).filter(({ offset, owner }) => offset > owner.start())
    this.future.look(led, now)
    return Effect.flatMap(due.length === 0 ? Effect.succeed([]) : this.options.starts.raise(due), (results) => {
      for (const [index, result] of results.entries()) if (Either.isLeft(result)) due[index]?.owner.failed(result.left)
      return trimAll(led.filter(({ isTrimDue }) => isTrimDue))
    })
  })
}
