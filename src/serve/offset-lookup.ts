import { Either } from "effect"
import type { KafkaError } from "../../domain/kernel/error-code.ts"
import type { Epoch, Offset } from "../../domain/kernel/id.ts"
import { RecordBatch } from "../../domain/log/batch.ts"
import { type Decompress, readRecords } from "../../domain/log/record.ts"
import type { CompressionFault } from "../ports/compression.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { ReadablePartition } from "./readable.ts"

/** A place in a partition; -1 in every field that has no answer. */
export interface Found {
  /** ms since 1970. */
  readonly timestamp: number
  readonly offset: Offset
  readonly leaderEpoch: Epoch
}
export const notFound: Found = { timestamp: -1, offset: -1, leaderEpoch: -1 }

type Answer = Either.Either<Found, KafkaError>
type Unpack = Decompress<CompressionFault>

/** A batch is unpacked to at most this many bytes to find one record in it. */
const unpackedBytesMax = 32 * 1024 * 1024

const storageError = (_: LogFault): KafkaError => "KAFKA_STORAGE_ERROR"

/** The start of the log, with the epoch of the record there; an empty log has the epoch of its leader. */
export const earliest = (partition: ReadablePartition): Answer => {
  const offset = partition.start()
  return Either.mapBoth(partition.read(offset, 0), {
    onLeft: storageError,
    onRight: ([view]) => ({
      timestamp: -1,
      offset,
      leaderEpoch: view === undefined || view.length === 0 ? partition.leaderEpoch() : new RecordBatch(view).partitionLeaderEpoch
    })
  })
}

/**
 * The first record of a batch that is at or after `timestamp`, and at or after the offset `from`. The batch is opened, since its header knows only its largest
 * timestamp. Not found: all that fit lie before `from`, where the log was cut within the batch (DeleteRecords).
 */
const recordAt = (batch: RecordBatch, timestamp: number, from: Offset, unpack: Unpack): Answer => {
  const leaderEpoch = batch.partitionLeaderEpoch
  const first = Math.max(from, batch.baseOffset)
  // Every record of such a batch has the batch's time: the first is the one, unless compaction may have removed it.
  if (batch.timestampType === "LogAppendTime" && batch.recordCount === batch.lastOffsetDelta + 1)
    return Either.right({ timestamp: batch.maxTimestamp, offset: first, leaderEpoch })
  const records = readRecords(batch, unpack, unpackedBytesMax)
  if (Either.isLeft(records)) {
    // A batch too large to unpack here still answers, a little early: a reader from its start meets the record.
    const tooLarge = records.left._tag === "CompressionFault" && records.left.kind === "tooLarge"
    return tooLarge ? Either.right({ timestamp: batch.maxTimestamp, offset: first, leaderEpoch }) : Either.left("CORRUPT_MESSAGE")
  }
  const record = records.right.find((each) => each.timestamp >= timestamp && each.offset >= from)
  if (record !== undefined) return Either.right({ timestamp: record.timestamp, offset: record.offset, leaderEpoch })
  return from > batch.baseOffset ? Either.right(notFound) : Either.left("CORRUPT_MESSAGE")
}

/** The first record at or after `timestamp` (ms) that a consumer sees. */
export const earliestAtTime = (partition: ReadablePartition, timestamp: number, unpack: Unpack): Answer =>
  Either.map(firstAtTime(partition, timestamp, partition.start(), unpack), (place) => (place.offset < partition.highWatermark() ? place : notFound))

const firstAtTime = (partition: ReadablePartition, timestamp: number, from: Offset, unpack: Unpack): Answer => {
  const batch = partition.batchAtTime(timestamp, from)
  if (Either.isLeft(batch)) return Either.left(storageError(batch.left))
  if (batch.right === undefined) return Either.right(notFound)
  const { baseOffset, nextOffset } = batch.right
  const found = recordAt(batch.right, timestamp, from, unpack)
  // Only the batch that the log was cut in can disappoint: the next one keeps what its header says.
  const isCut = Either.isRight(found) && found.right.offset < 0 && baseOffset < from
  return isCut ? firstAtTime(partition, timestamp, nextOffset, unpack) : found
}

/**
 * The first batch from the offset `from` on with the largest timestamp. The log can only be asked for the first batch at or after a time, so the time is closed
 * in on: steps that double until nothing is found, then halve. A log that spans a year of milliseconds is asked some seventy times.
 */
const latestBatch = (partition: ReadablePartition, from: Offset): Either.Either<RecordBatch | undefined, KafkaError> => {
  const first = partition.batchAtTime(0, from)
  if (Either.isLeft(first)) return Either.left(storageError(first.left))
  if (first.right === undefined) return Either.right(undefined)
  let best = first.right
  let nothingFrom = Number.POSITIVE_INFINITY
  let step = 1
  while (best.maxTimestamp + 1 < nothingFrom) {
    const probe = Math.min(best.maxTimestamp + step, nothingFrom - 1)
    const batch = partition.batchAtTime(probe, from)
    if (Either.isLeft(batch)) return Either.left(storageError(batch.left))
    if (batch.right === undefined) {
      nothingFrom = probe
      step = Math.max(1, Math.floor((probe - best.maxTimestamp) / 2))
    } else {
      best = batch.right
      if (nothingFrom === Number.POSITIVE_INFINITY) step *= 2
    }
  }
  return Either.right(best)
}

/** The largest timestamp among the records of a batch that lie at or after `from`; -1 for none. */
const latestIn = (batch: RecordBatch, from: Offset, unpack: Unpack): number => {
  const records = readRecords(batch, unpack, unpackedBytesMax)
  const left = Either.getOrElse(records, () => []).filter(({ offset }) => offset >= from)
  return left.reduce((largest, { timestamp }) => Math.max(largest, timestamp), -1)
}

/** The first record with the largest timestamp. */
export const latestTime = (partition: ReadablePartition, unpack: Unpack): Answer => {
  const start = partition.start()
  const best = latestBatch(partition, start)
  if (Either.isLeft(best)) return Either.left(best.left)
  if (best.right === undefined) return Either.right(notFound)
  if (best.right.baseOffset >= start) return recordAt(best.right, best.right.maxTimestamp, start, unpack)
  // The log was cut within this batch, and the record that gave it its time may be gone: what is left of it is held against what follows.
  const left = latestIn(best.right, start, unpack)
  const later = latestBatch(partition, best.right.nextOffset)
  if (Either.isLeft(later)) return Either.left(later.left)
  if (later.right !== undefined && later.right.maxTimestamp > left) return recordAt(later.right, later.right.maxTimestamp, start, unpack)
  return left < 0 ? Either.right(notFound) : recordAt(best.right, left, start, unpack)
}
