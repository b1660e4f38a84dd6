import { type Clock, Effect } from "effect"
import type { Client } from "../../cluster/client.ts"
import { type OffsetsError, type StartAt, startOffsets } from "../../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../../cluster/topic-partition.ts"
import { type ClientDefect, OffsetOutOfRange } from "../../error.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { Signal } from "../../runtime/signal.ts"
import { reportDefect, supervised } from "../../runtime/supervision.ts"
import { Fetcher } from "./fetcher.ts"
import { type Decoding, PartitionReader, type ReadError } from "./partition-reader.ts"
import { ConsumedRecord } from "./record.ts"
import type { FetchSettings } from "./settings.ts"

export interface ReadingParts {
  readonly client: Client
  readonly reading: FetchSettings
  readonly decoding: Decoding
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** What to do where the offset to read from is not there. "refuse": the user named it, and hears that it is not. */
export type OutOfRange = "earliest" | "latest" | "nearest" | "refuse"

/** The partitions that a consumer reads at present, and the messages that wait for its next poll. */
export class ReadingSet {
  private readonly readers = new Map<string, PartitionReader>()
  private readonly fetcher: Fetcher
  private paused = false
  private defect: ClientDefect | undefined
  private hasBegun = false
  private lease = Number.POSITIVE_INFINITY
  private readonly muted = new Set<string>()
  private whenOutOfRange: OutOfRange = "nearest"
  /** Where the next poll begins to look, so that no partition starves the others. */
  private turn = 0
  /** Rung when a poll may find something. */
  readonly news = new Signal()
  /** Rung when messages may have become processed. */
  readonly progressed = new Signal()

  constructor(private readonly parts: ReadingParts) {
    this.fetcher = new Fetcher({
      ...parts,
      arrived: () => this.news.notify(),
      outOfRange: (reader) => this.findAgain(reader),
      failed: (fault) => this.failed(fault)
    })
  }
  /** Fetches until its fiber ends. */
  get run(): Effect.Effect<void> {
    return supervised("fetcher", this.fetcher.run, (fault) => this.failed(fault))
  }
  /** A part of the consumer failed by a defect and is begun anew: the next poll says so. */
  failed(fault: ClientDefect): void {
    this.defect = fault
    this.news.notify()
  }
  takeDefect(): ClientDefect | undefined {
    const { defect } = this
    this.defect = undefined
    return defect
  }

  /** Hands nothing out after this moment, ms, until it is told of a later one: a process that slept does not know whether the partitions are still its own. */
  aliveUntil(moment: number): void {
    this.lease = moment
    this.news.notify()
  }
  private get mayHandOut(): boolean {
    return !this.paused && (this.lease === Number.POSITIVE_INFINITY || monotonicMs(this.parts.clock) <= this.lease)
  }

  /** Reads these and nothing else, each from its offset. */
  begin(places: ReadonlyArray<TopicPartition & { readonly offset: number }>, whenOutOfRange: OutOfRange): void {
    this.end()
    const { topics } = this.parts.client.metadata.view()
    for (const { offset, partition, topic } of places) {
      const view = topics.get(topic)
      if (view !== undefined) this.readers.set(topicPartitionKey({ topic, partition }), new PartitionReader(topic, view.topicId, partition, offset))
    }
    this.paused = false
    this.hasBegun = true
    this.whenOutOfRange = whenOutOfRange
    this.fetcher.follow([...this.readers.values()])
    this.news.notify()
  }
  /** Reads nothing any more; what was fetched and not handed out never is (G1, G7). */
  end(): void {
    this.hasBegun = false
    for (const reader of this.readers.values()) reader.close()
    this.readers.clear()
    this.fetcher.follow([])
    this.progressed.notify()
  }
  /** Hands nothing out until `begin`. */
  pause(): void {
    this.paused = true
  }

  /** Hands out nothing of these topics, while they are still this consumer's. */
  mute(topics: ReadonlyArray<string>): void {
    for (const topic of topics) this.muted.add(topic)
  }
  unmute(topics: ReadonlyArray<string>): void {
    for (const topic of topics) this.muted.delete(topic)
  }

  /** Whether an assignment is in force, be it an empty one. */
  get isAssigned(): boolean {
    return this.hasBegun
  }
  get places(): ReadonlyArray<TopicPartition & { readonly offset: number }> {
    return [...this.readers.values()].map(({ next, partition, topic }) => ({ topic, partition, offset: next }))
  }
  reader(place: TopicPartition): PartitionReader | undefined {
    return this.readers.get(topicPartitionKey(place))
  }

  /** Hands out what is there, up to `most` messages. */
  take(most: number): ReadonlyArray<ConsumedRecord> {
    const given: Array<ConsumedRecord> = []
    if (!this.mayHandOut) return given
    const readers = [...this.readers.values()]
    for (let nth = 0; nth < readers.length && given.length < most; nth++) {
      const reader = readers[(this.turn + nth) % readers.length] as PartitionReader
      if (this.muted.has(reader.topic)) continue
      reader.take(most - given.length, this.parts.decoding, (record) => given.push(new ConsumedRecord(reader.topic, reader.partition, record, reader.topicId)))
    }
    if (this.parts.reading.onCorrupt === "skip") for (const reader of readers) this.skipCorrupt(reader)
    this.turn += 1
    if (given.length > 0) this.fetcher.wake()
    return given
  }
  /** Goes on behind what cannot be read, and says where it was. */
  private skipCorrupt(reader: PartitionReader): void {
    const { failed } = reader
    if (failed?._tag !== "CorruptRecords" || this.muted.has(reader.topic)) return
    reader.skip(failed.nextOffset)
    this.parts.fork(Effect.logWarning(`Skipped: ${failed.message}`))
    this.fetcher.wake()
    this.news.notify()
  }
  /** What stopped a partition, once everything before it was handed out. */
  get error(): ReadError | undefined {
    for (const { failed, hasBuffered } of this.readers.values()) if (failed !== undefined && (failed._tag === "CorruptRecords" || !hasBuffered)) return failed
    return undefined
  }

  seek(place: TopicPartition, offset: number): boolean {
    const reader = this.reader(place)
    reader?.seek(offset)
    this.fetcher.wake()
    return reader !== undefined
  }

  /** Everything that was handed out is processed. */
  processedAll(): void {
    for (const { progress } of this.readers.values()) progress.processedAll()
    this.progressed.notify()
  }
  /** One message is processed. A message of a topic that had the name before says nothing about this one. */
  processed({ offset, topicId, ...place }: TopicPartition & { readonly offset: number; readonly topicId?: string | undefined }): void {
    const reader = this.reader(place)
    if (topicId === undefined || topicId === reader?.topicId) reader?.progress.processed(offset)
    this.progressed.notify()
  }
  /** Waits until nothing that was handed out is unprocessed. */
  readonly allProcessed: Effect.Effect<void> = Effect.suspend(() =>
    [...this.readers.values()].some(({ progress }) => progress.isOutstanding) ? Effect.andThen(this.progressed.wait, () => this.allProcessed) : Effect.void
  )
  /** What is processed and not committed yet, and how to note that it is. */
  get uncommitted(): {
    readonly offsets: ReadonlyArray<TopicPartition & { readonly topicId: string; readonly offset: number }>
    readonly committed: () => void
  } {
    const due = [...this.readers.values()].filter(({ progress }) => progress.toCommit !== progress.committed)
    const offsets = due.map(({ partition, progress, topic, topicId }) => ({ topic, topicId, partition, offset: progress.toCommit }))
    const committed = () => {
      for (const [index, { progress }] of due.entries()) progress.committed = offsets[index]?.offset ?? progress.committed
    }
    return { offsets, committed }
  }
  /** The group has these offsets already. */
  noteCommitted(): void {
    for (const { progress } of this.readers.values()) progress.committed = progress.toCommit
  }

  private findAgain(reader: PartitionReader): void {
    const { partition, topic } = reader
    if (this.whenOutOfRange === "refuse") {
      reader.failed = new OffsetOutOfRange({ topic, partition, offset: reader.fetchFrom })
      return this.news.notify()
    }
    const found = Effect.map(this.inRange(reader), (offset) => {
      if (reader.closed) return
      reader.seek(offset)
      this.fetcher.wake()
    })
    // If nobody answers, the next fetch will say again that the offset is not there.
    this.parts.fork(Effect.catchAllDefect(Effect.ignore(found), (defect) => reportDefect("search for an offset", defect)))
  }
  private inRange(reader: PartitionReader): Effect.Effect<number, OffsetsError> {
    const { partition, topic } = reader
    const at = (end: StartAt) =>
      Effect.map(startOffsets(this.parts.client, [{ topic, partition, at: end }]), (found) => found.get(topicPartitionKey(reader)) ?? reader.fetchFrom)
    if (this.whenOutOfRange !== "nearest") return at(this.whenOutOfRange === "latest" ? "latest" : "earliest")
    // Removed by retention: the oldest that is left. Beyond the end: the end, since everything before it was read.
    return Effect.map(Effect.all([at("earliest"), at("latest")]), ([first, end]) => Math.min(Math.max(reader.fetchFrom, first), end))
  }
}
