import { Effect, Either } from "effect"
import { entriesOf, type TopicConfig } from "../../../../domain/kernel/config.ts"
import type { Rejection } from "../../../../domain/kernel/error-code.ts"
import type { Epoch, Offset, TopicId } from "../../../../domain/kernel/id.ts"
import { type AppendContext, decideAppend, evolve, inspectForAppend, type LogState } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import type { Inspection, Packing } from "../../../../domain/log/open-batch.ts"
import { encodeProducerSnapshot } from "../../../../domain/log/producer-snapshot.ts"
import { expireProducers, type ProducerState } from "../../../../domain/log/producer-state.ts"
import type { RecordWalk } from "../../../../domain/log/record-walk.ts"
import { heldByFuture, retainedStart, type SegmentExtent } from "../../../../domain/log/retention.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"
import type { ReadablePartition } from "../../../serve/readable.ts"
import type { Compactable } from "../upkeep/compactable.ts"
import { BackgroundSync } from "../upkeep/flushing.ts"
import type { EpochStarts } from "./epoch-starts.ts"
import { appendConfig, logConfig } from "./log-config.ts"
import { type Restored, type RestoreOptions, restore } from "./restore.ts"

/** Where the records of an append are, now or since the request that this one repeats. */
export interface Appended {
  readonly baseOffset: Offset
  readonly lastOffset: Offset
  /** ms; -1 when the topic keeps the producer's timestamps. */
  readonly logAppendTime: number
  /** The epoch under which it was taken. An answer that had to wait checks that it still holds. */
  readonly leaderEpoch: Epoch
}

interface OwnerOptions {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  readonly config: TopicConfig
  /** Where the log starts for its readers; records of the first segment may stand before it. */
  readonly start: Offset
  readonly crc32c: Crc32c
  readonly walkRecords?: RecordWalk | undefined
  readonly packing: Packing
  /** Tells a person that the log fails, or that it works again. */
  readonly report: (line: string) => void
}

/** After so many headers a snapshot is written at once: the next crash shall not cost them again. */
const scannedMax = 1000

const storageError = (fault: LogFault): Rejection => ({ error: "KAFKA_STORAGE_ERROR", message: fault.message })
const notLeader: Rejection = { error: "NOT_LEADER_OR_FOLLOWER", message: "This broker does not lead the partition." }

/**
 * The one owner of a partition's log on this broker: every append and every read goes through it, one after the other, since it is plain code on one thread.
 *
 * The high watermark is the end of the log. A record counts as committed when every in-sync replica has it, and there is one replica: as in Kafka, a consumer
 * may see a record before it is synced to disk (docs/decisions/0007). What acks=all promises is the answer: it is held back until `sync`, so an acknowledged record survives a
 * power cut (L1). A record that was read and not yet synced does not, and its offset may then be given to another record. Holding the watermark back to the synced
 * end would make every acks=1 record wait for a disk sync before anybody reads it. More replicas close the gap: the watermark then waits for them.
 */
export class PartitionOwner implements ReadablePartition {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  private state: LogState
  private leading = false
  private epoch: Epoch = -1
  private fault: LogFault["reason"] | undefined
  private offline = false
  private readonly epochs: EpochStarts
  private readonly waiting = new Set<() => void>()
  private readonly background: BackgroundSync
  private config: TopicConfig
  private startOffset: Offset
  private readonly context: { -readonly [K in keyof AppendContext]: AppendContext[K] }

  private constructor(
    private readonly options: OwnerOptions,
    private readonly log: PartitionLog,
    { epochs, state }: Restored
  ) {
    this.topic = options.topic
    this.topicId = options.topicId
    this.partition = options.partition
    this.state = state
    this.epochs = epochs
    this.background = new BackgroundSync(log, (fault) => void this.failed(fault))
    this.config = options.config
    // A log never starts after its end, whatever was written down about it.
    this.startOffset = Math.min(options.start, log.end())
    log.onDamage((fault) => {
      this.offline = true
      this.fault = fault.reason
      options.report(`${this.topic}-${this.partition} is offline: Produce and Fetch get KAFKA_STORAGE_ERROR, other partitions go on. ${fault.message}`)
      this.wake()
    })
    this.context = {
      leaderEpoch: -1,
      now: 0,
      crc32c: options.crc32c,
      packing: options.packing,
      walkRecords: options.walkRecords,
      ...appendConfig(options.config)
    }
  }

  /** Takes over an open log: what is derived from it (idempotent producers, epochs) is found again, and written beside it from now on. */
  static open(options: OwnerOptions, log: PartitionLog, derivation: Omit<RestoreOptions, "crc32c">): Effect.Effect<PartitionOwner, LogFault> {
    return Effect.map(restore(log, { ...derivation, crc32c: options.crc32c }), (restored) => {
      const owner = new PartitionOwner(options, log, restored)
      owner.epochs.forgetBefore(owner.start())
      log.derived.keep({
        snapshot: () => encodeProducerSnapshot(owner.state.producers, owner.epochs.startsBefore(log.end()), options.crc32c),
        epochs: () => owner.epochs.startsBefore(log.end())
      })
      if (restored.scanned > scannedMax) log.derived.save()
      return owner
    })
  }

  /** The cluster's leader gave this broker the partition under `epoch`. The caller compares it with `lastEpoch` first. */
  lead(epoch: Epoch): void {
    if (this.leading && this.epoch === epoch) return
    this.leading = true
    this.epoch = epoch
    this.context.leaderEpoch = epoch
    this.epochs.note(epoch, this.log.end())
    this.wake()
  }

  /** The partition is led elsewhere or by nobody. Whoever waits for it looks again and learns that. */
  rest(): void {
    if (!this.leading) return
    this.leading = false
    this.wake()
  }

  /** Takes note that the log is offline with its directory, which said why: not each of its partitions does. */
  restIfOffline(): void {
    // No read: it would say that somebody reads near the end, and the newest batches would be kept for him.
    if (this.log.refusal()?.reason !== "offline") return
    this.fault = "offline"
    this.offline = true
    this.wake()
  }

  /** Its log is closed until somebody has looked at it: nothing is read or written, whoever leads. */
  get isOffline(): boolean {
    return this.offline
  }
  get isLeading(): boolean {
    return this.leading
  }
  /** The newest epoch that its records or its leadership had; undefined for an empty log that nobody led. */
  get lastEpoch(): Epoch | undefined {
    return this.epochs.latest
  }
  get epochStarts(): EpochStarts {
    return this.epochs
  }

  readonly leaderEpoch = (): Epoch => this.epoch
  readonly start = (): Offset => Math.max(this.startOffset, this.log.start())
  readonly end = (): Offset => this.log.end()
  readonly highWatermark = (): Offset => this.log.end()

  /** Whether everything up to and with `offset` survives a power cut already. */
  isSynced(offset: Offset): boolean {
    return this.log.syncedEnd() > offset
  }
  /** Makes everything appended so far durable; shares one fdatasync with whoever else waits. */
  get sync(): Effect.Effect<void, LogFault> {
    return this.log.sync
  }
  /** `flush.ms` of its topic: how long records may be unsynced, ms. */
  get flushMs(): number {
    return this.config["flush.ms"]
  }
  /** Makes everything appended so far durable, in the background. */
  flush(): void {
    this.background.start()
  }
  /** Calls `synced` once, when everything up to and with `offset` is durable, or with the fault that keeps it from being so; answers how to give up. */
  whenSynced(offset: Offset, synced: (fault: LogFault | undefined) => void): () => void {
    return this.log.whenSynced(offset, synced)
  }

  /** Looks at the records of a batch in steps, so that `append` need not do it at once. Nothing changes. `now` in ms. */
  *inspect(batch: RecordBatch, now: number): Generator<void, Inspection | undefined> {
    return this.leading ? yield* inspectForAppend(batch, { ...this.context, now }) : undefined
  }

  /**
   * Appends the batches of one Produce request, or recognizes them. Their bytes are patched in place. `now` in ms.
   * Rejections are those of `decideAppend`, NOT_LEADER_OR_FOLLOWER, and KAFKA_STORAGE_ERROR while the disk says no.
   */
  append(batches: ReadonlyArray<RecordBatch>, now: number, inspection?: Inspection): Either.Either<Appended, Rejection> {
    if (!this.leading) return Either.left(notLeader)
    this.context.now = now
    const decision = decideAppend(this.state, batches, this.context, inspection)
    if (Either.isLeft(decision)) return Either.left(decision.left)
    const decided = decision.right
    if (decided._tag === "Append") {
      const written = this.log.append([decided.batch])
      if (Either.isLeft(written)) return Either.left(storageError(this.failed(written.left)))
      this.recovered()
      this.state = evolve(this.state, decided.batch, now)
      this.wake()
      if (this.background.unsynced >= this.config["flush.messages"]) this.background.start()
    }
    const { baseOffset, lastOffset, logAppendTime } = decided
    return Either.right({ baseOffset, lastOffset, logAppendTime, leaderEpoch: this.epoch })
  }

  /** What lies before the start is not read any more: whoever waited there since before the start rose is refused when it asks again. */
  readonly read = (from: Offset, maxBytes: number): Either.Either<ReadonlyArray<Uint8Array>, LogFault> =>
    this.noted(this.log.read(Math.max(from, this.start()), maxBytes, this.highWatermark()))

  readonly epochEnd = (epoch: Epoch) => this.epochStarts.endOf(epoch, this.end())

  readonly latestTimestamp = (): number => this.log.segments().reduce((latest, { maxTimestamp }) => Math.max(latest, maxTimestamp), -1)

  readonly batchAtTime = (timestamp: number, from = 0): Either.Either<RecordBatch | undefined, LogFault> =>
    this.noted(this.log.batchAtTime(timestamp, Math.max(from, this.start())))

  /** The topic's settings are these now; the next append, roll and look for what is too old go by them. */
  configure(config: TopicConfig): void {
    this.config = config
    Object.assign(this.context, appendConfig(config))
    this.log.configure(logConfig(config, this))
  }

  /** Where the log would start if everything went that its settings do not keep; nothing goes by age or size without the policy delete. `now` in ms. */
  retainedStart(now: number): Offset {
    if (!this.mayDelete) return this.start()
    const bounds = { retentionMs: this.config["retention.ms"], retentionBytes: this.config["retention.bytes"] }
    return retainedStart({ segments: this.log.segments(), start: this.start(), highWatermark: this.highWatermark() }, bounds, now)
  }

  /** The segment that a timestamp after the broker's clock keeps from retention, if there is one. `now` in ms. */
  heldByFuture(now: number): SegmentExtent | undefined {
    return this.mayDelete ? heldByFuture({ segments: this.log.segments(), start: this.retainedStart(now) }, this.config["retention.ms"], now) : undefined
  }

  /** Readers find nothing before `offset` from now on. It must be written down already: a start never goes back, not even by a restart. */
  raiseStart(offset: Offset): void {
    if (offset <= this.start()) return
    this.startOffset = offset
    this.epochs.forgetBefore(offset)
    this.wake()
  }

  /** Bytes of its segments. */
  get sizeInBytes(): number {
    return this.log.segments().reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
  }

  /** Whether whole segments lie before the start. */
  get isTrimDue(): boolean {
    const [first] = this.log.segments()
    return first !== undefined && first.endOffset > first.baseOffset && first.endOffset <= this.start()
  }
  /** Lets go of the segments that lie before the start. */
  get trim(): Effect.Effect<void, LogFault> {
    return this.log.deleteBefore(this.start())
  }

  /** What compaction has to know of the partition. */
  get compactable(): Compactable {
    return { log: this.log, config: this.config, start: this.start(), highWatermark: this.highWatermark(), producers: this.state.producers }
  }
  /** The idempotent producers that are remembered. */
  get producers(): ProducerState {
    return this.state.producers
  }
  /** Whether records go by their age, by the size of the log, or on request: not where compaction alone decides. */
  get mayDelete(): boolean {
    return entriesOf(this.config["cleanup.policy"]).includes("delete")
  }

  readonly onAdvance = (wake: () => void): (() => void) => {
    this.waiting.add(wake)
    return () => this.waiting.delete(wake)
  }

  /** Fetches that wait for this partition now. */
  get waitingCount(): number {
    return this.waiting.size
  }

  /** Forgets producers that were silent for `expirationMs`. */
  expireProducers(now: number, expirationMs: number): void {
    const producers = expireProducers(this.state.producers, now, expirationMs)
    if (producers !== this.state.producers) this.state = { ...this.state, producers }
  }

  /** A sync failed: the log is closed for good, and a person should know. What is not led any more may have been closed under whoever worked on it, which is no fault. */
  failed(fault: LogFault): LogFault {
    if (this.leading && this.fault !== fault.reason) this.options.report(`${this.topic}-${this.partition}: ${fault.message}`)
    this.fault = fault.reason
    if (fault.reason !== "offline" || this.offline) return fault
    this.offline = true
    // Who waits for records would wait for ever: there will be none.
    this.wake()
    return fault
  }

  private recovered(): void {
    if (this.fault === undefined) return
    this.fault = undefined
    this.options.report(`${this.topic}-${this.partition}: the log takes records again.`)
  }

  private noted<A>(answer: Either.Either<A, LogFault>): Either.Either<A, LogFault> {
    if (Either.isLeft(answer)) this.failed(answer.left)
    return answer
  }

  private wake(): void {
    for (const each of this.waiting) each()
  }
}
