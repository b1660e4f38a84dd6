import { Either } from "effect"
import type { TopicConfig } from "../../../../domain/kernel/config.ts"
import type { Rejection } from "../../../../domain/kernel/error-code.ts"
import type { Epoch, Offset } from "../../../../domain/kernel/id.ts"
import { type AppendContext, decideAppend, inspectForAppend, type LogState } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import type { Inspection, Packing } from "../../../../domain/log/open-batch.ts"
import { isExpected } from "../../../../domain/log/producer-state.ts"
import type { RecordWalk } from "../../../../domain/log/record-walk.ts"
import type { LogFault } from "../../../ports/log-store.ts"
import { appendConfig } from "../replica/log-config.ts"
import type { Replication } from "./replication.ts"

/** The offsets of an appended batch, or those of the earlier request that this one repeats. */
export interface Appended {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  /** ms; -1 when the topic keeps the producer's timestamps. */
  readonly logAppendTime: number
}

/** The native or TypeScript code that an append needs to check records. */
export interface RecordCodecs {
  readonly crc32c: Crc32c
  readonly walkRecords?: RecordWalk | undefined
  readonly packing: Packing
}

/** The replica that is led. */
export interface LedReplica {
  readonly state: LogState
  readonly leading: Leading | undefined
  readonly start: () => Offset
  /** Writes a batch that has its offsets and epoch already. `now` in ms. */
  readonly write: (batch: RecordBatch, now: number) => Either.Either<void, LogFault>
  readonly failed: (fault: LogFault) => LogFault
  readonly isSynced: (offset: Offset) => boolean
  readonly whenSynced: (offset: Offset, synced: (fault: LogFault | undefined) => void) => () => void
  /** Undefined for a partition with one replica. */
  readonly replication: Replication | undefined
}

const notLeader: Rejection = { error: "NOT_LEADER_OR_FOLLOWER", message: "This broker does not lead the partition." }

/** What the leader of a partition does, under one leader epoch: it takes records from producers, and acknowledges them. The next epoch has a `Leading` of its own. */
export class Leading {
  private readonly context: { -readonly [K in keyof AppendContext]: AppendContext[K] }

  constructor(
    private readonly replica: LedReplica,
    readonly epoch: Epoch,
    codecs: RecordCodecs,
    config: TopicConfig
  ) {
    const { crc32c, packing, walkRecords } = codecs
    this.context = { leaderEpoch: epoch, now: 0, crc32c, packing, walkRecords, ...appendConfig(config) }
  }

  /** Whether the broker still leads the partition under this epoch: an answer that had to wait holds only then. */
  get isCurrent(): boolean {
    return this.replica.leading === this
  }

  /** The first offset that a consumer may read. */
  get startOffset(): Offset {
    return this.replica.start()
  }

  /** The next append goes by these settings. */
  configure(config: TopicConfig): void {
    Object.assign(this.context, appendConfig(config))
  }

  /** Whether no batch of its producer is missing before this one: the log has the one before it, or has it already. */
  expects(batch: RecordBatch): boolean {
    return isExpected(this.replica.state.producers, batch)
  }

  /** Checks the records of a batch in steps, so that `append` need not check them at once. Changes nothing. `now` in ms. */
  *inspect(batch: RecordBatch, now: number): Generator<void, Inspection | undefined> {
    return this.isCurrent ? yield* inspectForAppend(batch, { ...this.context, now }) : undefined
  }

  /**
   * Appends the batches of one Produce request, or recognizes a repeated one. Patches their bytes in place. `now` in ms.
   * Rejections: those of `decideAppend`; NOT_LEADER_OR_FOLLOWER once the leadership ended; KAFKA_STORAGE_ERROR when the write fails.
   */
  append(batches: ReadonlyArray<RecordBatch>, now: number, inspection?: Inspection): Either.Either<Appended, Rejection> {
    if (!this.isCurrent) return Either.left(notLeader)
    this.context.now = now
    const decision = decideAppend(this.replica.state, batches, this.context, inspection)
    if (Either.isLeft(decision)) return Either.left(decision.left)
    const decided = decision.right
    if (decided._tag === "Append") {
      const written = this.replica.write(decided.batch, now)
      if (Either.isLeft(written)) return Either.left({ error: "KAFKA_STORAGE_ERROR", message: written.left.message })
    }
    // Not `decided` itself: its batch is a view of the request's frame, and an answer may wait for long.
    const { baseOffset, lastOffset, logAppendTime } = decided
    return Either.right({ baseOffset, lastOffset, logAppendTime })
  }

  /** Appends a batch that this broker writes for itself, to an internal topic. The fault of the log tells whether it took a part of the batch. */
  appendOwn(batch: RecordBatch, now: number): Either.Either<void, LogFault | Rejection> {
    if (!this.isCurrent) return Either.left(notLeader)
    this.context.now = now
    const decision = decideAppend(this.replica.state, [batch], this.context)
    return Either.flatMap(decision, (decided) => (decided._tag === "Append" ? this.replica.write(decided.batch, now) : Either.void))
  }

  /** Whether all records up to and including `offset` survive a power cut. */
  isSynced(offset: Offset): boolean {
    return this.replica.isSynced(offset)
  }

  /**
   * Calls `synced` once: when all records up to and including `offset` survive a power cut, or with the fault that prevents it. Returns how to cancel the wait.
   * Whether the leadership still holds by then is the caller's to check (`isCurrent`).
   */
  whenSynced(offset: Offset, synced: (fault: LogFault | undefined) => void): () => void {
    return this.replica.whenSynced(offset, synced)
  }

  /** Whether the partition has several replicas: then acks=all waits for the high watermark, otherwise for a sync. */
  get isReplicated(): boolean {
    return this.replica.replication !== undefined
  }
  /** Whether enough replicas are in sync for acks=all; otherwise nothing is appended. */
  get hasEnoughInSync(): boolean {
    return this.replica.replication?.hasEnoughInSync ?? true
  }

  /** Whether all records up to and including `offset` are acknowledged by acks=all: every in-sync replica has synced them. */
  isCommitted(offset: Offset): boolean {
    return this.replica.replication?.isCommitted(offset) ?? this.isSynced(offset)
  }

  /** As `whenSynced`, for what `isCommitted` says. Also called when this leadership ends: `isCurrent` tells. */
  whenCommitted(offset: Offset, done: (fault: LogFault | undefined) => void): () => void {
    return this.replica.replication?.whenCommitted(offset, done) ?? this.whenSynced(offset, done)
  }

  /** The smallest start of the logs of all replicas that live or can be elected (Kafka's low watermark, which counts live ones alone). */
  get lowWatermark(): Offset {
    return this.replica.replication?.lowWatermark ?? this.replica.start()
  }
  /** Calls `done` once: when the low watermark is `offset` or above, with the fault of the log, or when this leadership ends: `isCurrent` tells. Returns how to cancel the wait. */
  whenStarted(offset: Offset, done: (fault: LogFault | undefined) => void): () => void {
    const { replication } = this.replica
    if (replication !== undefined) return replication.whenStarted(offset, done)
    done(undefined)
    return () => undefined
  }

  /** Reports a fault of the log. Returns it. */
  failed(fault: LogFault): LogFault {
    return this.replica.failed(fault)
  }
}
