import { type Context, Either } from "effect"
import type { Epoch, Offset, TopicId } from "../../domain/kernel/id.ts"
import { type RecordBatch, readableBatches } from "../../domain/log/batch.ts"
import type { Journal } from "../ports/journal.ts"
import { LogFault } from "../ports/log-store.ts"

/** What a stream is served from: its bounds, its epoch, and its changes. */
interface FollowedStream {
  readonly stream: string
  readonly epoch: number
  readonly start: number
  readonly end: () => number
  readonly onChange: (listener: () => void) => () => void
}

/** Where a stream is read by name or id: a partition of a topic that only the leader writes. */
interface StreamTopic {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
}

/** A stream as a partition with one reader after the other: the members of a `ReadablePartition` of the room that serves it. */
interface StreamPartition extends StreamTopic {
  readonly leaderEpoch: () => Epoch
  readonly start: () => Offset
  readonly highWatermark: () => Offset
  readonly end: () => Offset
  readonly read: (from: Offset, maxBytes: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  readonly batchAtTime: (timestamp: number) => Either.Either<RecordBatch | undefined, LogFault>
  readonly onAdvance: (wake: () => void) => () => void
}

/** Bytes of a stream that are read together when a time is looked up. */
const timeIndexStepBytes = 1024 * 1024

/** For a journal's times: where each stretch of about a mebibyte begins, and the largest time up to its end. Grows as it is asked. */
class TimeIndex {
  private readonly stretches: Array<{ readonly from: number; readonly maxTimestamp: number }> = []
  private next: number

  constructor(
    start: number,
    private readonly read: (from: number) => Either.Either<ReadonlyArray<RecordBatch>, LogFault>
  ) {
    this.next = start
  }

  /** The first batch that holds a time of at least `timestamp`, among those before `end`. */
  find(timestamp: number, end: number): Either.Either<RecordBatch | undefined, LogFault> {
    const grown = this.grow(end)
    if (Either.isLeft(grown)) return Either.left(grown.left)
    const stretch = this.stretches.find(({ maxTimestamp }) => maxTimestamp >= timestamp)
    return this.firstFrom(stretch?.from ?? this.next, timestamp, end)
  }

  /** Notes stretches that are full; the last one, which still grows, is read each time. */
  private grow(end: number): Either.Either<void, LogFault> {
    while (this.next < end) {
      const batches = this.read(this.next)
      if (Either.isLeft(batches)) return Either.left(batches.left)
      const bytes = batches.right.reduce((sum, batch) => sum + batch.bytes.length, 0)
      const last = batches.right.at(-1)
      if (last === undefined || bytes < timeIndexStepBytes / 2) return Either.void
      const before = this.stretches.at(-1)?.maxTimestamp ?? -1
      this.stretches.push({ from: this.next, maxTimestamp: Math.max(before, ...batches.right.map(({ maxTimestamp }) => maxTimestamp)) })
      this.next = last.nextOffset
    }
    return Either.void
  }

  private firstFrom(from: number, timestamp: number, end: number): Either.Either<RecordBatch | undefined, LogFault> {
    for (let at = from; at < end; ) {
      const batches = this.read(at)
      if (Either.isLeft(batches)) return Either.left(batches.left)
      const found = batches.right.find((batch) => batch.maxTimestamp >= timestamp && batch.baseOffset < end)
      const last = batches.right.at(-1)
      if (found !== undefined || last === undefined) return Either.right(found)
      at = last.nextOffset
    }
    return Either.right(undefined)
  }
}

const damaged = (stream: string, reason: string): LogFault =>
  new LogFault({ path: stream, reason: "corrupt", message: `${stream}: the journal holds bytes that are no record batch: ${reason}` })

/** A stream of the journal as a partition that every client may read, up to the durable end. */
export const streamPartition = (journal: Context.Tag.Service<typeof Journal>, stream: FollowedStream, topic: StreamTopic): StreamPartition => {
  const batchesAt = (from: number) =>
    Either.flatMap(journal.batches(stream.stream, from, timeIndexStepBytes), (views) =>
      Either.all(views.map((view) => Either.mapLeft(readableBatches(view), ({ reason }) => damaged(stream.stream, reason)))).pipe(
        Either.map((lists) => lists.flat())
      )
    )
  const times = new TimeIndex(stream.start, batchesAt)
  /** The journal may be one append ahead of what was published: no reader sees that before it is published. */
  const published = (view: Uint8Array): ReadonlyArray<Uint8Array> => {
    const end = stream.end()
    let bytes = 0
    for (const batch of Either.getOrElse(readableBatches(view), () => [])) {
      if (batch.baseOffset >= end) break
      bytes += batch.bytes.length
    }
    return bytes === view.length ? [view] : bytes === 0 ? [] : [view.subarray(0, bytes)]
  }
  return {
    ...topic,
    leaderEpoch: () => stream.epoch,
    start: () => stream.start,
    highWatermark: stream.end,
    end: stream.end,
    read: (from, maxBytes) => Either.map(journal.batches(stream.stream, from, maxBytes), (views) => views.flatMap(published)),
    batchAtTime: (timestamp) => times.find(timestamp, stream.end()),
    onAdvance: (wake) => stream.onChange(wake)
  }
}
