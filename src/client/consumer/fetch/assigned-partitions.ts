import { type Clock, Effect } from "effect"
import { Checksum } from "../../../ports/checksum.ts"
import { Compression } from "../../../ports/compression.ts"
import { type Client, ClusterClient } from "../../cluster/client.ts"
import type { OffsetsError } from "../../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../../cluster/topic-partition.ts"
import { type ClientDefect, OffsetOutOfRange } from "../../error.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { Signal } from "../../runtime/signal.ts"
import { supervised } from "../../runtime/supervision.ts"
import { type ConsumerEvent, ConsumerEvents } from "../events.ts"
import { Fetcher } from "./fetcher.ts"
import { type OutOfRange, offsetInRange, type PartitionPosition } from "./offset-in-range.ts"
import { type Decoding, PartitionReader, type ReadError } from "./partition-reader.ts"
import { ConsumedRecord } from "./record.ts"
import { FetchConfig, type FetchSettings } from "./settings.ts"

const placeOf = ({ partition, topic }: PartitionReader): TopicPartition => ({ topic, partition })

interface Services {
  readonly client: Client
  readonly settings: FetchSettings
  readonly decoding: Decoding
  readonly clock: Clock.Clock
  readonly events: ConsumerEvents["Type"]
}

/** Searches for offsets that run at the same time. */
const searchesMax = 8

/** The partitions that a consumer reads at present, and the messages that wait for its next poll. */
export class AssignedPartitions {
  private readonly readers = new Map<string, PartitionReader>()
  /** The same, for a turn. */
  private inTurn: ReadonlyArray<PartitionReader> = []
  // Made by `make` before any call; it calls back into this object.
  private fetcher!: Fetcher
  private paused = false
  private defect: ClientDefect | undefined
  private hasBegun = false
  private deliverUntil = Number.POSITIVE_INFINITY
  private readonly muted = new Set<string>()
  /** The partitions that the caller has paused, also those that are not assigned at present. */
  private readonly pausedKeys = new Set<string>()
  /** What ended with the partitions, and the caller's next commit cannot cover: processed messages, and those in hand. */
  private readonly forfeited = { processed: false, inHand: false }
  private whenOutOfRange: OutOfRange = "nearest"
  /** The index of the reader from which the next poll takes first, so that no partition starves the others. */
  private turn = 0
  /** Readers that need another offset, and events to publish. `run` serves both. */
  private readonly outOfRange = new Set<PartitionReader>()
  private unpublished: Array<ConsumerEvent> = []
  private readonly upkeepDue = new Signal()
  /** Notified when a poll may find messages or an error. */
  readonly arrived = new Signal()
  /** Notified when messages may have become processed. */
  private readonly progressed = new Signal()

  /** Makes the set without partitions. Its fibers are `run`, which the caller starts. */
  static readonly make: Effect.Effect<AssignedPartitions, never, ClusterClient | FetchConfig | ConsumerEvents | Checksum | Compression> = Effect.gen(
    function* () {
      const settings = yield* FetchConfig
      const { crc32c } = yield* Checksum
      const { decompress } = yield* Compression
      const decoding = { crc32c, decompress, batchBytesMax: settings.batchBytesMax }
      const partitions = new AssignedPartitions({
        client: yield* ClusterClient,
        settings,
        decoding,
        clock: yield* Effect.clock,
        events: yield* ConsumerEvents
      })
      partitions.fetcher = yield* Fetcher.make({
        onArrived: () => partitions.arrived.notify(),
        onOutOfRange: (reader) => partitions.onOutOfRange(reader),
        onDefect: (fault) => partitions.onDefect(fault),
        onRecreated: ({ partition, topic }) => partitions.publishLater({ _tag: "TopicRecreated", topic, partition }),
        onNode: (nodeId, reason) => partitions.publishLater(reason === undefined ? { _tag: "Reconnected", nodeId } : { _tag: "Disconnected", nodeId, reason })
      })
      return partitions
    }
  )

  private constructor(private readonly services: Services) {}

  /** Fetches until its fiber ends. */
  get run(): Effect.Effect<void> {
    const onDefect = (fault: ClientDefect) => this.onDefect(fault)
    const upkeep = Effect.forever(Effect.zipRight(this.upkeepDue.wait, this.upkeep))
    return Effect.all([supervised("fetcher", this.fetcher.run, onDefect), supervised("search for offsets", upkeep, onDefect)], {
      concurrency: "unbounded",
      discard: true
    })
  }
  /** A part of the consumer failed by a defect and starts again: the next poll fails with it. */
  onDefect(fault: ClientDefect): void {
    this.defect = fault
    this.arrived.notify()
  }
  takeDefect(): ClientDefect | undefined {
    const { defect } = this
    this.defect = undefined
    return defect
  }

  /**
   * Delivers no message after `time`, ms, until it gets a later one: after it the group may have assigned the
   * partitions to another member.
   */
  setDeliverUntil(time: number): void {
    this.deliverUntil = time
    this.arrived.notify()
  }
  private get mayDeliver(): boolean {
    return !this.paused && (this.deliverUntil === Number.POSITIVE_INFINITY || monotonicMs(this.services.clock) <= this.deliverUntil)
  }

  /** Reads these partitions and no others, each from its offset. Delivers after `resume`. */
  begin(partitions: ReadonlyArray<PartitionPosition>, whenOutOfRange: OutOfRange): void {
    this.end()
    this.paused = true
    this.whenOutOfRange = whenOutOfRange
    for (const reader of this.open(partitions)) reader.held = false
  }
  /** Reads these partitions too. Delivers none of their messages before `resume` with the readers, which it returns. */
  add(partitions: ReadonlyArray<PartitionPosition>, whenOutOfRange: OutOfRange): ReadonlyArray<PartitionReader> {
    this.whenOutOfRange = whenOutOfRange
    return this.open(partitions)
  }
  private open(partitions: ReadonlyArray<PartitionPosition>): ReadonlyArray<PartitionReader> {
    const { topics } = this.services.client.metadata.view()
    const opened: Array<PartitionReader> = []
    for (const { offset, partition, topic } of partitions) {
      const view = topics.get(topic)
      if (view === undefined) continue
      const reader = new PartitionReader(topic, view.topicId, partition, offset)
      reader.paused = this.pausedKeys.has(topicPartitionKey(reader))
      reader.held = true
      this.readers.set(topicPartitionKey(reader), reader)
      opened.push(reader)
    }
    this.hasBegun = true
    this.followReaders()
    return opened
  }
  private followReaders(): void {
    this.inTurn = [...this.readers.values()]
    this.fetcher.follow(this.inTurn)
  }
  /** Delivers the messages of the partitions that began. */
  resume(readers: ReadonlyArray<PartitionReader> = []): void {
    for (const reader of readers) reader.held = false
    this.paused = false
    this.arrived.notify()
  }
  /** Delivers no message of these partitions any more. Returns their readers. */
  hold(partitions: ReadonlyArray<TopicPartition>): ReadonlyArray<PartitionReader> {
    const readers = partitions.flatMap((of) => this.reader(of) ?? [])
    for (const reader of readers) reader.held = true
    return readers
  }
  /** Reads these partitions no longer. Messages that were fetched and not delivered never are (G1, G7). */
  remove(readers: Iterable<PartitionReader>): void {
    for (const reader of [...readers]) {
      const { committed, isOutstanding, toCommit } = reader.progress
      this.forfeited.processed ||= committed !== -1 && toCommit !== committed
      this.forfeited.inHand ||= isOutstanding
      reader.close()
      this.outOfRange.delete(reader)
      if (this.reader(reader) === reader) this.readers.delete(topicPartitionKey(reader))
    }
    this.followReaders()
    this.progressed.notify()
  }
  /** Reads no partition. */
  end(): void {
    this.hasBegun = false
    this.remove(this.readers.values())
  }
  /** Delivers no message until `resume`. */
  pause(): void {
    this.paused = true
  }

  /** Delivers no message of these topics while their partitions are still assigned. */
  mute(topics: ReadonlyArray<string>): void {
    for (const topic of topics) this.muted.add(topic)
  }
  unmute(topics: ReadonlyArray<string>): void {
    for (const topic of topics) this.muted.delete(topic)
  }

  /** Pauses partitions, or ends their pause. A paused partition is not fetched, and holds no memory. */
  setPaused(partitions: ReadonlyArray<TopicPartition>, paused: boolean): void {
    for (const of of partitions) {
      const key = topicPartitionKey(of)
      if (paused) this.pausedKeys.add(key)
      else this.pausedKeys.delete(key)
      const reader = this.readers.get(key)
      if (reader === undefined || reader.paused === paused) continue
      reader.paused = paused
      if (paused) reader.rewind()
    }
    this.fetcher.wake()
    this.arrived.notify()
  }
  /** Whether partitions ended since the last call with processed messages that were not committed, or with messages in hand. */
  takeForfeited(): { readonly processed: boolean; readonly inHand: boolean } {
    const forfeited = { ...this.forfeited }
    this.forfeited.processed = false
    this.forfeited.inHand = false
    return forfeited
  }

  /** Whether there is an assignment, which may be empty. */
  get isAssigned(): boolean {
    return this.hasBegun
  }
  get positions(): ReadonlyArray<PartitionPosition> {
    return [...this.readers.values()].map(({ next, partition, topic }) => ({ topic, partition, offset: next }))
  }
  reader(of: TopicPartition): PartitionReader | undefined {
    return this.readers.get(topicPartitionKey(of))
  }

  /** The partitions that are read at present. */
  get current(): ReadonlyArray<PartitionReader> {
    return [...this.readers.values()]
  }

  /** Delivers buffered messages, up to `most`. */
  take(most: number): ReadonlyArray<ConsumedRecord> {
    const records: Array<ConsumedRecord> = []
    if (!this.mayDeliver) return records
    const readers = this.inTurn
    let openedBatch = false
    for (let nth = 0; nth < readers.length && records.length < most; nth++) {
      const reader = readers[(this.turn + nth) % readers.length] as PartitionReader
      if (reader.held || reader.paused || this.muted.has(reader.topic)) continue
      const { bufferedBytes } = reader
      reader.take(most - records.length, this.services.decoding, (record) =>
        records.push(new ConsumedRecord(reader.topic, reader.partition, record, reader.topicId))
      )
      openedBatch ||= reader.bufferedBytes < bufferedBytes
    }
    if (this.services.settings.onCorrupt === "skip") for (const reader of readers) this.skipCorrupt(reader)
    this.turn += 1
    // Room for another fetch.
    if (openedBatch) this.fetcher.wake()
    return records
  }
  /** Whether `takeFrom` may deliver a message. */
  isReady(reader: PartitionReader): boolean {
    return reader.isReady && !reader.closed && !reader.held && !reader.paused && !this.muted.has(reader.topic) && this.mayDeliver
  }
  /** The message that `takeFrom` delivers next, which counts as not delivered. */
  peek(reader: PartitionReader): ConsumedRecord | undefined {
    if (!this.isReady(reader)) return undefined
    const record = reader.peek(this.services.decoding)
    if (this.services.settings.onCorrupt === "skip") this.skipCorrupt(reader)
    return record === undefined ? undefined : new ConsumedRecord(reader.topic, reader.partition, record, reader.topicId)
  }
  /** Delivers one message of a partition; undefined where there is none, or the partition is no longer this consumer's. */
  takeFrom(reader: PartitionReader): ConsumedRecord | undefined {
    if (!this.isReady(reader)) return undefined
    const { bufferedBytes } = reader
    let taken: ConsumedRecord | undefined
    reader.take(1, this.services.decoding, (record) => {
      taken = new ConsumedRecord(reader.topic, reader.partition, record, reader.topicId)
    })
    if (reader.failed !== undefined) {
      if (this.services.settings.onCorrupt === "skip") this.skipCorrupt(reader)
      this.arrived.notify()
    }
    if (reader.bufferedBytes < bufferedBytes) this.fetcher.wake()
    return taken
  }
  /** Delivers one message: of the partition that delivered the last one until its batch ends, and then of the next. */
  takeNext(): ConsumedRecord | undefined {
    const readers = this.inTurn
    for (let nth = 0; nth < readers.length; nth++) {
      const reader = readers[(this.turn + nth) % readers.length] as PartitionReader
      const { bufferedBytes } = reader
      const record = this.takeFrom(reader)
      if (record === undefined) continue
      this.turn += reader.bufferedBytes < bufferedBytes ? nth + 1 : nth
      return record
    }
    return undefined
  }
  /** Delivers the messages again that the caller did not process. */
  rewind(): void {
    for (const reader of this.readers.values()) if (reader.progress.isOutstanding) reader.seek(reader.progress.toCommit)
    this.fetcher.wake()
    this.progressed.notify()
  }
  /** See PartitionReader.notePending. */
  pendingSince(nowMs: number): number {
    return Math.min(...[...this.readers.values()].map((reader) => reader.notePending(nowMs)), Number.POSITIVE_INFINITY)
  }
  /** Continues behind damaged bytes, and logs their position. */
  private skipCorrupt(reader: PartitionReader): void {
    const { failed } = reader
    if (failed?._tag !== "CorruptRecords" || this.muted.has(reader.topic)) return
    reader.skip(failed.nextOffset)
    const { message, nextOffset, offset, partition, topic } = failed
    this.publishLater({ _tag: "RecordsSkipped", topic, partition, offset, nextOffset, reason: message })
    this.fetcher.wake()
    this.arrived.notify()
  }
  /**
   * Returns the error of a partition, once every message before it was delivered. Damaged bytes stop the partition until
   * a seek. After another error it is fetched again: the cause may pass without the caller, as a lost permission does.
   */
  takeError(): ReadError | undefined {
    for (const reader of this.readers.values()) {
      const { failed, hasBuffered } = reader
      if (failed === undefined || (failed._tag !== "CorruptRecords" && hasBuffered)) continue
      if (failed._tag !== "CorruptRecords" && failed._tag !== "OffsetOutOfRange") this.fetcher.fetchAgain(reader)
      return failed
    }
    return undefined
  }

  seek(of: TopicPartition, offset: number): boolean {
    const reader = this.reader(of)
    reader?.seek(offset)
    this.fetcher.wake()
    return reader !== undefined
  }

  /** Every delivered message is processed. */
  processedAll(): void {
    for (const { progress } of this.readers.values()) progress.processedAll()
    this.progressed.notify()
  }
  /** One message is processed. A message of an earlier topic of the same name says nothing about this one. */
  processed(message: PartitionPosition & { readonly topicId?: string | undefined }): void {
    const reader = this.reader(message)
    if (message.topicId === undefined || message.topicId === reader?.topicId) reader?.progress.processed(message.offset)
    this.progressed.notify()
  }
  /** Returns when every delivered message of these readers is processed. */
  processedOf(readers: ReadonlyArray<PartitionReader>): Effect.Effect<void> {
    return Effect.suspend(() =>
      readers.some(({ closed, progress }) => !closed && progress.isOutstanding)
        ? Effect.andThen(this.progressed.wait, () => this.processedOf(readers))
        : Effect.void
    )
  }
  /** The offsets that are processed and not committed. The caller calls `committed` when they are. */
  get uncommitted(): { readonly offsets: ReadonlyArray<PartitionPosition & { readonly topicId: string }>; readonly committed: () => void } {
    const due = [...this.readers.values()].filter(({ progress }) => progress.toCommit !== progress.committed)
    const offsets = due.map(({ partition, progress, topic, topicId }) => ({ topic, topicId, partition, offset: progress.toCommit }))
    const committed = () => {
      for (const [index, { progress }] of due.entries()) progress.committed = offsets[index]?.offset ?? progress.committed
    }
    return { offsets, committed }
  }
  /** The group has the offsets at which these readers began. */
  noteCommitted(readers: ReadonlyArray<PartitionReader>): void {
    for (const { progress } of readers) progress.committed = progress.toCommit
  }

  private publishLater(event: ConsumerEvent): void {
    this.unpublished.push(event)
    this.upkeepDue.notify()
  }
  private onOutOfRange(reader: PartitionReader): void {
    if (this.whenOutOfRange === "refuse") {
      reader.failed = new OffsetOutOfRange({ topic: reader.topic, partition: reader.partition, offset: reader.fetchFrom })
      return this.arrived.notify()
    }
    this.outOfRange.add(reader)
    this.upkeepDue.notify()
  }

  /** Publishes events, and finds new offsets for the readers that need them. */
  private readonly upkeep: Effect.Effect<void> = Effect.suspend(() => {
    const unpublished = this.unpublished
    const readers = [...this.outOfRange]
    this.unpublished = []
    this.outOfRange.clear()
    const published = Effect.forEach(unpublished, this.services.events.publish, { discard: true })
    // Where no node responds, the next fetch is out of range again, and the search is repeated.
    const searched = Effect.forEach(readers, (reader) => Effect.ignore(this.reset(reader)), { concurrency: searchesMax, discard: true })
    return Effect.zipRight(published, searched)
  })
  private reset(reader: PartitionReader): Effect.Effect<void, OffsetsError> {
    const from = reader.fetchFrom
    const { client, settings } = this.services
    return Effect.map(offsetInRange(client, settings.isolation, this.whenOutOfRange, { ...placeOf(reader), offset: from }), (offset) => {
      // Closed, or moved by a seek, during the search.
      if (reader.closed || reader.fetchFrom !== from) return
      this.seek(reader, offset)
      if (offset !== from) this.publishLater({ _tag: "OffsetReset", ...placeOf(reader), offset: from, nextOffset: offset })
    })
  }
}
