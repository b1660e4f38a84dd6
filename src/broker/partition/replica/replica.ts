import { Effect, Either } from "effect"
import type { TopicConfig } from "../../../../domain/kernel/config.ts"
import type { Epoch, Offset, TopicId } from "../../../../domain/kernel/id.ts"
import { evolve, type LogState } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import { encodeProducerSnapshot } from "../../../../domain/log/producer-snapshot.ts"
import { expireProducers, type ProducerState } from "../../../../domain/log/producer-state.ts"
import type { SegmentExtent } from "../../../../domain/log/retention.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"
import type { ReadablePartition } from "../../../serve/readable.ts"
import { Leading, type LedReplica, type RecordCodecs } from "../leading/leading.ts"
import { BackgroundSync } from "../upkeep/background-sync.ts"
import type { Compactable } from "../upkeep/compactable.ts"
import type { EpochStarts } from "./epoch-starts.ts"
import { logConfig } from "./log-config.ts"
import { type Restored, type RestoreOptions, restore } from "./restore.ts"
import { WakeList } from "./wake-list.ts"

interface ReplicaOptions {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  readonly config: TopicConfig
  /** The first offset that a consumer may read; the first segment may begin with lower offsets. */
  readonly start: Offset
  readonly codecs: RecordCodecs
  /** Warns the operator that the log fails, or that it works again. */
  readonly report: (line: string) => void
  /** Stops the broker, since an assertion failed. Throws. */
  readonly bug: (message: string) => never
}

/** A restore that read more batch headers than this writes a snapshot at once, so that the next crash does not read them again. */
const scannedMax = 1000

/**
 * A partition's replica on this broker: its log, what is derived from the log (producers, leader epochs), its high watermark and its role. All appends and reads go through it,
 * one after the other, since it is plain code on one thread. While this broker leads the partition, `leading` takes records.
 *
 * The high watermark is the end of the log, since there is one replica: as in Kafka, a consumer may read a record before it is synced (docs/decisions/0007). acks=all promises the
 * answer: it waits for the sync, so an acknowledged record survives a power cut (L1). A record that was read and not synced does not, and its offset may then belong to another
 * record. A high watermark at the synced end would make every acks=1 record wait for a sync before a consumer reads it.
 */
export class Replica implements ReadablePartition, LedReplica {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  private role: Leading | undefined
  private epoch: Epoch = -1
  private logState: LogState
  private committedEnd: Offset
  private startOffset: Offset
  private settings: TopicConfig
  private fault: LogFault["reason"] | undefined
  private offline = false
  private readonly epochs: EpochStarts
  private readonly fetches = new WakeList()
  private readonly background: BackgroundSync

  private constructor(
    private readonly options: ReplicaOptions,
    private readonly log: PartitionLog,
    { epochs, state }: Restored
  ) {
    this.topic = options.topic
    this.topicId = options.topicId
    this.partition = options.partition
    this.logState = state
    this.epochs = epochs
    this.background = new BackgroundSync(log, (fault) => void this.failed(fault))
    this.settings = options.config
    this.committedEnd = log.end()
    // A checkpoint may name a start that the log has not reached: a power cut took the records before it.
    this.startOffset = Math.min(options.start, log.end())
    log.onDamage((fault) => {
      this.offline = true
      this.fault = fault.reason
      options.report(`${this.name} is offline: Produce and Fetch get KAFKA_STORAGE_ERROR, other partitions are served. ${fault.message}`)
      this.fetches.wakeAll()
    })
  }

  /** Takes over an open log: restores what is derived from it, and keeps that stored beside the log from then on. */
  static open(options: ReplicaOptions, log: PartitionLog, derivation: Omit<RestoreOptions, "crc32c">): Effect.Effect<Replica, LogFault> {
    const { crc32c } = options.codecs
    return Effect.map(restore(log, { ...derivation, crc32c }), (restored) => {
      const replica = new Replica(options, log, restored)
      replica.epochs.forgetBefore(replica.start())
      log.derived.keep({
        snapshot: () => encodeProducerSnapshot(replica.logState.producers, replica.epochs.startsBefore(log.end()), crc32c),
        epochs: () => replica.epochs.startsBefore(log.end())
      })
      if (restored.scanned > scannedMax) log.derived.save()
      return replica
    })
  }

  private get name(): string {
    return `${this.topic}-${this.partition}`
  }

  /** Leads the partition under `epoch`. The caller compares `epoch` with `lastEpoch` first. */
  becomeLeader(epoch: Epoch): void {
    if (this.role?.epoch === epoch) return
    if (epoch < this.epoch) this.wrong(`becomes leader of epoch ${epoch} after epoch ${this.epoch}`)
    this.role = new Leading(this, epoch, this.options.codecs, this.settings)
    this.epoch = epoch
    this.epochs.note(epoch, this.log.end())
    this.fetches.wakeAll()
  }

  /** Another broker leads the partition, or none does. Fetches that wait for it are woken, and find that out. */
  stopLeading(): void {
    if (this.role === undefined) return
    this.role = undefined
    this.fetches.wakeAll()
  }

  /** What this broker does as the leader of the partition; undefined while it does not lead. */
  get leading(): Leading | undefined {
    return this.role
  }

  get isLeading(): boolean {
    return this.role !== undefined
  }

  /** Marks the replica offline if its directory is. The directory has reported why, so its partitions do not. */
  goOfflineWithDirectory(): void {
    // `refusal` and no read: a read would count as a reader near the end, for which the newest batches are cached.
    if (this.log.refusal()?.reason !== "offline") return
    this.fault = "offline"
    this.offline = true
    this.fetches.wakeAll()
  }

  /** Whether the log is closed until the operator repairs it: no record is read or appended, whichever broker leads. */
  get isOffline(): boolean {
    return this.offline
  }
  /** The newest epoch of its records and its leaderships; undefined for an empty log that was never led here. */
  get lastEpoch(): Epoch | undefined {
    return this.epochs.latest
  }
  get epochStarts(): EpochStarts {
    return this.epochs
  }
  get state(): LogState {
    return this.logState
  }
  get config(): TopicConfig {
    return this.settings
  }
  /** The idempotent producers that the partition knows. */
  get producers(): ProducerState {
    return this.logState.producers
  }

  readonly leaderEpoch = (): Epoch => this.epoch
  readonly start = (): Offset => Math.max(this.startOffset, this.log.start())
  readonly end = (): Offset => this.log.end()
  readonly highWatermark = (): Offset => this.committedEnd

  readonly isSynced = (offset: Offset): boolean => this.log.syncedEnd() > offset

  /** Makes all appended records durable. Callers that wait at the same time share one fdatasync. */
  get sync(): Effect.Effect<void, LogFault> {
    return this.log.sync
  }
  /** The same in the background: no caller waits for it. */
  flush(): void {
    this.background.start()
  }
  readonly whenSynced = (offset: Offset, synced: (fault: LogFault | undefined) => void): (() => void) => this.log.whenSynced(offset, synced)

  /** Writes a batch that has its offsets and its epoch already, and lets consumers read it. `now` in ms. */
  readonly write = (batch: RecordBatch, now: number): Either.Either<void, LogFault> => {
    if (batch.baseOffset !== this.logState.end) this.wrong(`takes a batch at offset ${batch.baseOffset}, and ends at ${this.logState.end}`)
    if (batch.partitionLeaderEpoch !== this.epoch) this.wrong(`takes a batch of leader epoch ${batch.partitionLeaderEpoch} in epoch ${this.epoch}`)
    const written = this.log.append([batch])
    if (Either.isLeft(written)) {
      this.failed(written.left)
      return written
    }
    if (this.fault !== undefined) this.recovered()
    this.logState = evolve(this.logState, batch, now)
    this.advanceHighWatermark(this.logState.end)
    this.fetches.wakeAll()
    if (this.background.unsynced >= this.settings["flush.messages"]) this.background.start()
    return written
  }

  /** The high watermark never goes back, and never passes the end of the log. */
  private advanceHighWatermark(offset: Offset): void {
    const end = this.log.end()
    if (offset < this.committedEnd || offset > end) this.wrong(`moves its high watermark from ${this.committedEnd} to ${offset}, and its log ends at ${end}`)
    this.committedEnd = offset
  }
  private wrong(what: string): never {
    return this.options.bug(`${this.name} ${what}.`)
  }

  /** Reads from `start()` at the earliest: a fetch that waits since before the start rose is refused when it is repeated. */
  readonly read = (from: Offset, maxBytes: number): Either.Either<ReadonlyArray<Uint8Array>, LogFault> =>
    this.checked(this.log.read(Math.max(from, this.start()), maxBytes, this.committedEnd))

  readonly epochEnd = (epoch: Epoch) => this.epochs.endOf(epoch, this.end())

  readonly latestTimestamp = (): number => this.log.segments().reduce((latest, { maxTimestamp }) => Math.max(latest, maxTimestamp), -1)

  readonly batchAtTime = (timestamp: number, from = 0): Either.Either<RecordBatch | undefined, LogFault> =>
    this.checked(this.log.batchAtTime(timestamp, Math.max(from, this.start())))

  readonly onAdvance = (wake: () => void): (() => void) => this.fetches.add(wake)

  /** Fetches that wait for this partition. */
  get waitingCount(): number {
    return this.fetches.size
  }

  /** Goes by these settings of the topic: the next append, the next roll, the next round of upkeep. */
  configure(config: TopicConfig): void {
    this.settings = config
    this.role?.configure(config)
    this.log.configure(logConfig(config, this))
  }

  /** Raises the first offset that a consumer may read. The caller has stored it durably: a start never goes back, not even by a restart. */
  raiseStart(offset: Offset): void {
    if (offset <= this.start()) return
    this.startOffset = offset
    this.epochs.forgetBefore(offset)
    this.fetches.wakeAll()
  }

  segments(): ReadonlyArray<SegmentExtent> {
    return this.log.segments()
  }
  /** Bytes of its segments. */
  get sizeInBytes(): number {
    return this.log.segments().reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
  }

  /** Deletes the segments that end at or before `start()`. */
  get trim(): Effect.Effect<void, LogFault> {
    return this.log.deleteBefore(this.start())
  }

  /** The replica as its compaction sees it. */
  get compactable(): Compactable {
    return { log: this.log, config: this.settings, start: this.start(), highWatermark: this.committedEnd, producers: this.logState.producers }
  }

  /** Forgets producers that sent no batch for `expirationMs`. */
  expireProducers(now: number, expirationMs: number): void {
    const producers = expireProducers(this.logState.producers, now, expirationMs)
    if (producers !== this.logState.producers) this.logState = { ...this.logState, producers }
  }

  /** Notes a fault of the log, reports it while this broker leads the partition (another caller may have closed the log otherwise), and returns it. */
  readonly failed = (fault: LogFault): LogFault => {
    if (this.role !== undefined && this.fault !== fault.reason) this.options.report(`${this.name}: ${fault.message}`)
    this.fault = fault.reason
    if (fault.reason !== "offline" || this.offline) return fault
    this.offline = true
    // No record will come: fetches that wait would wait until their deadline.
    this.fetches.wakeAll()
    return fault
  }

  private recovered(): void {
    this.fault = undefined
    this.options.report(`${this.name}: the log takes records again.`)
  }

  private checked<A>(result: Either.Either<A, LogFault>): Either.Either<A, LogFault> {
    if (Either.isLeft(result)) this.failed(result.left)
    return result
  }
}
