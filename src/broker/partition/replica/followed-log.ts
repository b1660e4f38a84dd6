import { Effect, Either } from "effect"
import type { Offset } from "../../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import { filledGaps } from "../../../../domain/log/gap-batch.ts"
import type { LogFault, MisplacedBatch, PartitionLog } from "../../../ports/log-store.ts"
import type { TopicIdPartition } from "../topic-id-partition.ts"
import type { DerivedState } from "./derived-state.ts"
import type { HighWatermark } from "./high-watermark.ts"
import type { ReplicationServices } from "./replication-services.ts"

interface FollowedLogParts {
  /** The topic and the partition, for log lines. */
  readonly name: string
  readonly of: TopicIdPartition
  readonly services: ReplicationServices
  readonly derived: DerivedState
  readonly highWatermark: HighWatermark
  readonly crc32c: Crc32c
  readonly report: (line: string) => void
  /** Notes a fault of the log. */
  readonly failed: (fault: LogFault) => LogFault
  /** Where the log starts for readers. */
  readonly start: () => Offset
  /** The log starts with its first record. */
  readonly startDropped: () => void
  /** The high watermark has risen: consumers may read more. */
  readonly advanced: () => void
}

/** The log of a replica as its follower changes it: appended to as the leader's is, cut where it leaves the leader's, and begun anew. */
export class FollowedLog {
  private isBusy = false
  private isAwaited = false

  constructor(
    private readonly log: PartitionLog,
    private readonly parts: FollowedLogParts
  ) {}

  /**
   * Whether an answer of a leader is being applied. No fetch names the log's end then, under this leader epoch or the next
   * one: a cut that is under way takes what is above it, and the leader would count the replica for it.
   */
  get isChanging(): boolean {
    return this.isBusy
  }
  /**
   * As `isChanging`, for a broker that is elected: it leads later. The cut would take what the leader appends, and the
   * fold of the cut log would replace its producers and leader epochs. `logSettled` is called when the change is over.
   */
  defersLeading(): boolean {
    this.isAwaited ||= this.isBusy
    return this.isBusy
  }
  /** Returns when no answer of a leader is being applied. Ask again after a leadership that began meanwhile. */
  readonly settled: Effect.Effect<void> = Effect.suspend(() => (this.isBusy ? Effect.zipRight(Effect.sleep("2 millis"), this.settled) : Effect.void))
  changing<A, E>(work: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.isBusy = true
      return Effect.ensuring(
        work,
        Effect.sync(() => {
          this.isBusy = false
          if (!this.isAwaited) return
          this.isAwaited = false
          this.parts.services.logSettled(this.parts.of)
        })
      )
    })
  }

  readonly end = (): Offset => this.log.end()
  /** The end of what counts as durable. */
  readonly durableEnd = (): Offset => (this.parts.services.countsUnsynced ? this.log.end() : this.log.syncedEnd())
  readonly highWatermark = (): Offset => this.parts.highWatermark.get()
  get derived(): DerivedState {
    return this.parts.derived
  }

  /**
   * Returns the leader's batches as they are appended: with batches without records where its compaction left gaps,
   * which it names by `sparseEnd`. The log notes that first, so that a check of it does not call them damage.
   */
  prepared(batches: ReadonlyArray<RecordBatch>, sparseEnd: Offset): Effect.Effect<ReadonlyArray<RecordBatch>, LogFault> {
    const end = { end: this.log.end(), lastEpoch: this.parts.derived.lastRecordEpoch() }
    const filled = filledGaps(batches, end, sparseEnd, this.parts.crc32c)
    return filled.isSparse ? Effect.as(this.log.noteSparse(sparseEnd), filled.batches).pipe(this.noted) : Effect.succeed(batches)
  }

  /** Appends batches of the partition leader; returns why it does not. */
  append(batches: ReadonlyArray<RecordBatch>): Either.Either<void, LogFault | MisplacedBatch> {
    const written = this.log.appendAsFollower(batches)
    if (Either.isLeft(written) && written.left._tag === "LogFault") this.parts.failed(written.left)
    if (Either.isLeft(written)) return written
    this.parts.derived.follow(batches, this.parts.services.now())
    return Either.void
  }

  /**
   * Lowers the high watermark, and stores it, before a cut removes records below it: after a restart the old one would
   * call committed what comes in their place.
   */
  lowered(offset: Offset): Effect.Effect<void> {
    const { highWatermark, services } = this.parts
    if (offset >= highWatermark.get()) return Effect.void
    highWatermark.cut(offset)
    return services.highWatermarkFell
  }
  /** Cuts the log where it leaves the leader's, and folds again what is derived from it. What was below `committed`, and not deleted, is reported. */
  cutTo(offset: Offset, leaderEpoch: number, committed: Offset): Effect.Effect<void, LogFault> {
    return Effect.suspend(() => {
      const start = this.parts.start()
      return Effect.map(this.withStart(offset, this.log.truncateTo(offset)), () => this.reportLost(Math.max(this.end(), start), committed, leaderEpoch))
    }).pipe(this.noted)
  }
  /** Begins an empty log at `offset`, where a batch of the leader begins: what was deleted stays so. */
  restartAt(offset: Offset): Effect.Effect<void, LogFault> {
    return Effect.zipRight(this.log.restartAt(offset), this.refold).pipe(this.noted)
  }
  /** Drops all records: the log begins at the start of the leader's. */
  copyFrom(leaderStart: Offset): Effect.Effect<void, LogFault> {
    return this.withStart(leaderStart, this.log.restartAt(leaderStart)).pipe(this.noted)
  }
  /** A log that ends before its start follows an unclean election: the start would hide the leader's records at these offsets. */
  private withStart(offset: Offset, cut: Effect.Effect<void, LogFault>): Effect.Effect<void, LogFault> {
    return Effect.suspend(() => {
      const { of, services, start, startDropped } = this.parts
      const dropped = offset < start() ? Effect.map(services.dropStart(of), startDropped) : Effect.void
      return Effect.zipRight(dropped, Effect.zipRight(cut, this.refold))
    })
  }

  /** What was appended is durable. */
  readonly sync: Effect.Effect<void, LogFault> = Effect.suspend(() => (this.parts.services.countsUnsynced ? Effect.void : this.log.sync))

  /** The leader's high watermark, as far as this log goes; `isReadable`: consumers may read more than before, though it may be known already. */
  learned(highWatermark: Offset, isReadable: boolean): void {
    if (this.parts.highWatermark.learn(highWatermark) || isReadable) this.parts.advanced()
  }

  private readonly noted = <A>(work: Effect.Effect<A, LogFault>): Effect.Effect<A, LogFault> =>
    Effect.tapError(work, (fault) => Effect.sync(() => void this.parts.failed(fault)))

  /** A cut below the high watermark: the leader was elected uncleanly. */
  private reportLost(from: Offset, to: Offset, leaderEpoch: number): void {
    if (from >= to) return
    const { name, of, report, services } = this.parts
    report(`${name} removed its records from offset ${from} on; those before offset ${to} were committed.`)
    services.recordsLost({ ...of, leaderEpoch, from, to })
  }

  private readonly refold: Effect.Effect<void, LogFault> = Effect.suspend(() => {
    const { derived, highWatermark, services } = this.parts
    return Effect.map(derived.refold({ now: services.now(), producerExpirationMs: services.producerExpirationMs() }), () => highWatermark.cut())
  })
}
