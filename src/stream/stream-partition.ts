import { type Context, Either } from "effect"
import type { Epoch, Offset, TopicId } from "../../domain/kernel/id.ts"
import { type RecordBatch, readableBatches } from "../../domain/log/batch.ts"
import type { Journal } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { SnapshotId } from "./snapshot-writing.ts"
import { JournalStretches } from "./stretches.ts"

/** What a stream is served from: its bounds, its epoch, its newest snapshot, and its changes. */
interface FollowedStream {
  readonly stream: string
  readonly epoch: number
  readonly start: () => number
  readonly snapshot: () => SnapshotId | undefined
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
  readonly snapshot: () => SnapshotId | undefined
  readonly read: (from: Offset, maxBytes: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  readonly batchAtTime: (timestamp: number) => Either.Either<RecordBatch | undefined, LogFault>
  readonly onAdvance: (wake: () => void) => () => void
}

/** Bytes of a stream that are read together when a time is looked up. */
const timeIndexStepBytes = 1024 * 1024

/** Finds the first batch with a time of at least `timestamp`, among those before `end`. Each stretch of the journal is read once. */
const batchAtTime = (stretches: JournalStretches, timestamp: number, start: number, end: number): Either.Either<RecordBatch | undefined, LogFault> => {
  stretches.dropBefore(start)
  for (;;) {
    const stepped = stretches.step(end)
    if (Either.isLeft(stepped)) return Either.left(stepped.left)
    if (!stepped.right) break
  }
  const from = stretches.full.find(({ maxTimestamp }) => maxTimestamp >= timestamp)?.from ?? stretches.end
  for (let at = Math.max(from, start); at < end; ) {
    const batches = stretches.batchesAt(at)
    if (Either.isLeft(batches)) return Either.left(batches.left)
    const found = batches.right.find((batch) => batch.maxTimestamp >= timestamp && batch.baseOffset < end)
    const last = batches.right.at(-1)
    if (found !== undefined || last === undefined) return Either.right(found)
    at = last.nextOffset
  }
  return Either.right(undefined)
}

/** A stream of the journal as a partition that every client may read, up to the durable end. */
export const streamPartition = (journal: Context.Tag.Service<typeof Journal>, stream: FollowedStream, topic: StreamTopic): StreamPartition => {
  const stretches = new JournalStretches(journal, stream.stream, stream.start(), timeIndexStepBytes)
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
    start: stream.start,
    snapshot: stream.snapshot,
    highWatermark: stream.end,
    end: stream.end,
    read: (from, maxBytes) => Either.map(journal.batches(stream.stream, from, maxBytes), (views) => views.flatMap(published)),
    batchAtTime: (timestamp) => batchAtTime(stretches, timestamp, stream.start(), stream.end()),
    onAdvance: (wake) => stream.onChange(wake)
  }
}
