import { Effect, Either } from "effect"
import { groupMetadataTopicId } from "../../../../domain/cluster/topic/group-metadata.ts"
import type { TopicConfig } from "../../../../domain/kernel/config.ts"
import type { BrokerId, Epoch, Offset, TopicId } from "../../../../domain/kernel/id.ts"
import { evolve, type LogState } from "../../../../domain/log/append.ts"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import { expireProducers } from "../../../../domain/log/producer-state.ts"
import type { SegmentExtent } from "../../../../domain/log/retention.ts"
import type { PartitionImage } from "../../../../domain/partition/image.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"
import type { ReadablePartition } from "../../../serve/readable.ts"
import { Leading, type LedReplica, type RecordCodecs } from "../leading/leading.ts"
import { Replication } from "../leading/replication.ts"
import { BackgroundSync } from "../upkeep/background-sync.ts"
import type { Compactable } from "../upkeep/compactable.ts"
import { DerivedState } from "./derived-state.ts"
import { FollowedLog } from "./followed-log.ts"
import { type FollowedReplica, Following } from "./following.ts"
import { HighWatermark } from "./high-watermark.ts"
import { logConfig } from "./log-config.ts"
import { LogHealth } from "./log-health.ts"
import { ReplicaView } from "./replica-view.ts"
import type { ReplicationServices } from "./replication-services.ts"
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
  readonly replication: ReplicationServices
  /** The partition has several replicas. */
  readonly isReplicated: boolean
  /** The high watermark that was stored last, where there are several replicas. */
  readonly checkpointed: Offset
}

/** A restore that read more batch headers than this writes a snapshot at once, so that the next crash does not read them again. */
const scannedMax = 1000

/**
 * A partition's replica on this broker: its log, what is derived from the log (producers, leader epochs), its high watermark and its role. All appends and reads go through it,
 * one after the other, since it is plain code on one thread. While this broker leads the partition, `leading` takes records.
 *
 * Of a partition with one replica the high watermark is the end of the log: as in Kafka, a consumer may read a record before it is synced (docs/decisions/0007). acks=all promises the
 * answer: it waits for the sync, so an acknowledged record survives a power cut (L1). A record that was read and not synced does not, and its offset may then belong to another
 * record. A high watermark at the synced end would make every acks=1 record wait for a sync before a consumer reads it. Of several replicas `replication` moves the high watermark.
 */
export class Replica implements ReadablePartition, LedReplica, FollowedReplica {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  /** Its records are written by this broker alone, while it leads. */
  readonly isInternal: boolean
  private role: Leading | undefined
  private epoch: Epoch = -1
  readonly derived: DerivedState
  private readonly watermark: HighWatermark
  private startOffset: Offset
  private settings: TopicConfig
  private readonly health: LogHealth
  /** What this broker does for the other replicas while it leads; undefined where there are none. */
  replication: Replication | undefined
  /** The log, as a follower changes it. */
  readonly followed: FollowedLog
  /** What this broker does as a follower; undefined where it leads, or no broker does. */
  following: Following | undefined
  /** The start of its leader's log, as the last fetch answered it. */
  leaderStart: Offset = 0
  private readonly fetches = new WakeList()
  private view: ReplicaView | undefined
  private readonly background: BackgroundSync

  private constructor(
    private readonly options: ReplicaOptions,
    private readonly log: PartitionLog,
    restored: Restored
  ) {
    this.topic = options.topic
    this.topicId = options.topicId
    this.partition = options.partition
    this.isInternal = options.topicId === groupMetadataTopicId
    this.derived = new DerivedState(log, restored, options.codecs.crc32c)
    this.background = new BackgroundSync(
      log,
      (fault) => void this.failed(fault),
      () => this.replication?.synced()
    )
    this.settings = options.config
    // Of several replicas another one may lead, without the newest records of this one.
    const committed = options.isReplicated ? Math.min(Math.max(options.start, log.start(), options.checkpointed), log.end()) : log.end()
    this.watermark = new HighWatermark(committed, this.end, (what) => this.wrong(what))
    // A checkpoint may name a start that the log has not reached: a power cut took the records before it.
    this.startOffset = Math.min(options.start, log.end())
    this.health = new LogHealth(log, {
      name: this.name,
      report: options.report,
      isLeading: () => this.role !== undefined,
      isReplicated: () => this.isReplicated,
      wrong: (what) => this.wrong(what),
      wentOffline: (fault) => this.wentOffline(fault)
    })
    const { report, replication: services } = options
    this.followed = new FollowedLog(log, {
      name: this.name,
      of: { topicId: this.topicId, partition: this.partition },
      services,
      derived: this.derived,
      highWatermark: this.watermark,
      crc32c: options.codecs.crc32c,
      report,
      failed: this.failed,
      start: this.start,
      startDropped: () => void (this.startOffset = 0),
      advanced: () => this.fetches.wakeAll()
    })
  }

  /** Takes over an open log: restores what is derived from it, and keeps that stored beside the log from then on. */
  static open(options: ReplicaOptions, log: PartitionLog, derivation: Omit<RestoreOptions, "crc32c">): Effect.Effect<Replica, LogFault> {
    const { crc32c } = options.codecs
    return Effect.map(restore(log, { ...derivation, crc32c }), (restored) => {
      const replica = new Replica(options, log, restored)
      replica.derived.epochs.forgetBefore(replica.start())
      replica.derived.keep()
      if (restored.scanned > scannedMax) log.derived.save()
      return replica
    })
  }

  private get name(): string {
    return `${this.topic}-${this.partition}`
  }

  /**
   * Leads the partition under `epoch`; `image` has its replicas where there are several. The caller compares `epoch` with `lastEpoch` first. Under the same epoch as before only
   * the image is new.
   */
  becomeLeader(epoch: Epoch, image?: PartitionImage): void {
    this.stopFollowing()
    if (this.role?.epoch === epoch) return this.imageChanged(image)
    if (epoch < this.epoch) this.wrong(`becomes leader of epoch ${epoch} after epoch ${this.epoch}`)
    this.endLeading()
    this.role = new Leading(this, epoch, this.options.codecs, this.settings)
    this.epoch = epoch
    this.derived.epochs.note(epoch, this.log.end())
    this.imageChanged(image)
    this.wakeAll()
  }

  /** Another broker leads the partition, or none does. Fetches that wait for it are woken, and find that out. */
  stopLeading(): void {
    this.stopFollowing()
    this.endLeading()
  }

  /** Follows another broker. Requests that wait for a commit are answered before (KAFKA-20634). */
  becomeFollower(leader: BrokerId, leaderEpoch: Epoch): void {
    this.endLeading()
    if (this.following?.leader === leader && this.following.leaderEpoch === leaderEpoch) return
    this.derived.forgetEmptyEpochs()
    this.epoch = leaderEpoch
    this.following = new Following(this, leader, leaderEpoch, this.following?.fetches ?? 0)
    this.fetches.wakeAll()
    if (this.background.unsynced > 0) this.background.start()
    this.options.replication.followed()
  }

  private stopFollowing(): void {
    if (this.following === undefined) return
    this.following = undefined
    this.options.replication.followed()
    // Consumers may wait for records of a follower.
    this.fetches.wakeAll()
  }
  private endLeading(): void {
    if (this.role === undefined) return
    this.role = undefined
    const { replication } = this
    this.replication = undefined
    replication?.end()
    this.wakeAll()
  }

  /** The image of the partition that this broker leads: undefined where it has one replica, and the high watermark is the end. */
  private imageChanged(image: PartitionImage | undefined): void {
    if (image === undefined) {
      this.replication?.end()
      this.replication = undefined
      return this.advanced(this.log.end())
    }
    if (this.replication !== undefined) return this.replication.imageChanged(image)
    const { elapsed, nodeId, propose } = this.options.replication
    this.replication = new Replication(nodeId, image, {
      end: this.end,
      start: this.start,
      durableEnd: this.followed.durableEnd,
      highWatermark: this.highWatermark,
      endOfEpoch: this.epochEnd,
      advanced: (offset) => this.advanced(offset),
      propose: () => propose(this),
      elapsed
    })
    this.background.start()
  }

  private wakeAll(): void {
    this.fetches.wakeAll()
    this.view?.wake()
    if (this.isInternal) this.options.replication.internalRoleChanged()
  }

  /** The partition as other brokers' replicas read it. */
  get asReplica(): ReplicaView {
    this.view ??= new ReplicaView(this, this.log, this.options.codecs.crc32c, this.options.replication)
    return this.view
  }

  /** The replica nearest to a consumer of that rack, while this broker leads. */
  readonly nearerReplica = (rack: string, from: Offset): BrokerId | undefined => this.replication?.nearest(from, this.options.replication.nearTo(rack))

  /** What this broker does as the leader of the partition; undefined while it does not lead. */
  get leading(): Leading | undefined {
    return this.role
  }
  get isLeading(): boolean {
    return this.role !== undefined
  }

  /** Marks the replica offline if its directory is. */
  goOfflineWithDirectory(): void {
    this.health.goOfflineWithDirectory()
  }
  /** Whether the log is closed until the operator repairs it: no record is read or appended, whichever broker leads. */
  get isOffline(): boolean {
    return this.health.isOffline
  }
  /** No record will come: requests that wait would wait until their deadline. Another replica has to lead. */
  private wentOffline(fault: LogFault): void {
    this.replication?.end(fault)
    this.wakeAll()
    if (fault.reason === "corrupt") this.damaged()
    else this.options.replication.lost(this, "disk")
  }
  /** Whether its directory takes no records: as a follower it does not fetch. */
  get isUnwritable(): boolean {
    return this.options.replication.isUnwritable(this)
  }
  /** Whether damage was found in its log. The log is copied again as soon as the cluster does not count on it. */
  isDamaged = false
  private damaged(): void {
    if (this.isDamaged) return
    this.isDamaged = true
    this.options.replication.lost(this, "damage")
  }
  /** Whether the partition has several replicas, and its high watermark may be below the end of the log. */
  get isReplicated(): boolean {
    return this.options.isReplicated || this.replication !== undefined || this.following !== undefined
  }
  /** The newest epoch of its records and its leaderships; undefined for an empty log that was never led here. */
  get lastEpoch(): Epoch | undefined {
    return this.derived.epochs.latest
  }
  get state(): LogState {
    return this.derived.log
  }
  get config(): TopicConfig {
    return this.settings
  }

  readonly leaderEpoch = (): Epoch => this.epoch
  readonly start = (): Offset => Math.max(this.startOffset, this.log.start())
  readonly end = (): Offset => this.log.end()
  readonly highWatermark = (): Offset => this.watermark.get()

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
    if (batch.baseOffset !== this.derived.log.end) this.wrong(`takes a batch at offset ${batch.baseOffset}, and ends at ${this.derived.log.end}`)
    if (batch.partitionLeaderEpoch !== this.epoch) this.wrong(`takes a batch of leader epoch ${batch.partitionLeaderEpoch} in epoch ${this.epoch}`)
    const written = this.health.append(batch)
    if (Either.isLeft(written)) {
      this.failed(written.left)
      return written
    }
    this.health.worked()
    this.derived.log = evolve(this.derived.log, batch, now)
    if (this.replication === undefined) {
      this.watermark.advance(this.derived.log.end)
      this.fetches.wakeAll()
    } else this.appendedForReplicas(this.replication)
    if (this.background.unsynced >= this.settings["flush.messages"]) this.background.start()
    return written
  }

  private advanced(offset: Offset): void {
    if (!this.watermark.advance(offset)) return
    this.fetches.wakeAll()
    this.view?.note()
  }
  /** While records are above the high watermark a sync is under way: the leader counts for what it has synced. */
  private appendedForReplicas(replication: Replication): void {
    replication.appended()
    if (this.options.replication.countsUnsynced) replication.synced()
    else this.background.start()
    this.view?.wake()
  }
  private wrong(what: string): never {
    return this.options.bug(`${this.name} ${what}.`)
  }

  /** Reads from `start()` at the earliest: a fetch that waits since before the start rose is refused when it is repeated. */
  readonly read = (from: Offset, maxBytes: number, limit = this.highWatermark()): Either.Either<ReadonlyArray<Uint8Array>, LogFault> =>
    this.checked(this.health.read(Math.max(from, this.start()), maxBytes, limit))

  readonly epochEnd = (epoch: Epoch) => this.derived.epochs.endOf(epoch, this.end())

  private isCommitted = (batch: RecordBatch | undefined): boolean => batch !== undefined && batch.baseOffset < this.highWatermark()
  readonly isLatestKnown = (): boolean => this.replication?.isLatestKnown ?? true
  readonly latestTimestamp = (): number => this.log.segments().reduce((latest, { maxTimestamp }) => Math.max(latest, maxTimestamp), -1)

  readonly batchAtTime = (timestamp: number, from = 0): Either.Either<RecordBatch | undefined, LogFault> =>
    Either.map(this.checked(this.log.batchAtTime(timestamp, Math.max(from, this.start()))), (batch) => (this.isCommitted(batch) ? batch : undefined))

  readonly onAdvance = (wake: () => void): (() => void) => this.fetches.add(wake)

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
    this.derived.epochs.forgetBefore(offset)
    this.wakeAll()
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
    return { log: this.log, config: this.settings, start: this.start(), highWatermark: this.highWatermark(), producers: this.derived.log.producers }
  }

  /** Forgets producers that sent no batch for `expirationMs`. */
  expireProducers(now: number, expirationMs: number): void {
    const producers = expireProducers(this.derived.log.producers, now, expirationMs)
    if (producers !== this.derived.log.producers) this.derived.log = { ...this.derived.log, producers }
  }

  /** Notes a fault of the log. Of several replicas one whose log is damaged is disowned, also where only a read has found it. */
  readonly failed = (fault: LogFault): LogFault => {
    if (fault.reason === "corrupt" && this.isReplicated) this.damaged()
    this.options.replication.faulty(this, fault)
    return this.health.failed(fault)
  }

  private checked<A>(result: Either.Either<A, LogFault>): Either.Either<A, LogFault> {
    if (Either.isLeft(result)) this.failed(result.left)
    return result
  }
}
