import { Either } from "effect"
import type { KafkaError } from "../../../domain/kernel/error-code.ts"
import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import { RecordBatch } from "../../../domain/log/batch.ts"
import type { Decompress } from "../../../domain/log/record.ts"
import { RecordScan } from "../../../domain/log/record-scan.ts"
import type { CompressionFault } from "../../ports/compression.ts"
import type { LogFault } from "../../ports/log-store.ts"
import type { ReadablePartition } from "../readable.ts"

/** An offset with its timestamp and leader epoch; -1 in every field that is unknown. */
export interface OffsetResult {
  /** ms since 1970. */
  readonly timestamp: number
  readonly offset: Offset
  readonly leaderEpoch: Epoch
}
export const notFound: OffsetResult = { timestamp: -1, offset: -1, leaderEpoch: -1 }

type LookupResult = Either.Either<OffsetResult, KafkaError>

/** A batch is unpacked to at most this many bytes to find one record in it. */
const batchUnpackedBytesMax = 32 * 1024 * 1024
/** All batches of one request together. */
const requestUnpackedBytesMax = 1024 * 1024 * 1024
/** Batches that one look-up skips because they lack the record of their largest timestamp: compaction leaves some. */
const emptyBatchesMax = 1000

const storageError = (_: LogFault): KafkaError => "KAFKA_STORAGE_ERROR"

/** A record of a batch; "none" where the batch has none that fits, "unopened" where it unpacks to more than it may. */
type InBatch = { readonly timestamp: number; readonly offset: Offset } | "none" | "unopened" | "corrupt"

/** Looks offsets up for one request and counts the cost, so that the request can pause. */
export class OffsetLookup {
  /** Approximate µs of work so far. */
  cost = 0
  private unpackedLeft: number

  constructor(
    private readonly decompress: Decompress<CompressionFault>,
    unpackedBytesMax = requestUnpackedBytesMax
  ) {
    this.unpackedLeft = unpackedBytesMax
  }

  /** The start of the log, with the epoch of the record there; an empty log has the epoch of its leader. */
  earliest(partition: ReadablePartition): LookupResult {
    this.cost += 20
    const offset = partition.earliest?.() ?? partition.start()
    return Either.mapBoth(partition.read(offset, 0), {
      onLeft: storageError,
      onRight: ([view]) => ({
        timestamp: -1,
        offset,
        leaderEpoch: view === undefined || view.length === 0 ? partition.leaderEpoch() : new RecordBatch(view).partitionLeaderEpoch
      })
    })
  }

  /** The first record at or after `timestamp` (ms) that a consumer sees. */
  earliestAtTime(partition: ReadablePartition, timestamp: number): LookupResult {
    const start = partition.start()
    let from = start
    for (let passed = 0; ; passed++) {
      const batch = this.batchAtTime(partition, timestamp, from)
      if (Either.isLeft(batch)) return Either.left(batch.left)
      if (batch.right === undefined) return Either.right(notFound)
      const found = this.first(batch.right, timestamp, start)
      if (found === "corrupt") return Either.left("CORRUPT_MESSAGE")
      // The log start is within this batch, or compaction removed the record of its largest timestamp: the search continues after it.
      if (found === "none" && passed < emptyBatchesMax) from = batch.right.nextOffset
      else {
        const place = placed(batch.right, found, start)
        return Either.right(place.offset < partition.highWatermark() ? place : notFound)
      }
    }
  }

  /** The first record with the largest timestamp. */
  latestTime(partition: ReadablePartition): LookupResult {
    const start = partition.start()
    let best = notFound
    // Ranges of the log that may have a record with a larger timestamp than the best one.
    const stretches: Array<readonly [from: Offset, upTo: Offset]> = [[start, partition.highWatermark()]]
    for (let passed = 0; ; passed++) {
      const stretch = stretches.pop()
      if (stretch === undefined || passed > emptyBatchesMax) return Either.right(best)
      const [from, upTo] = stretch
      const found = this.latestBatch(partition, from, upTo)
      if (Either.isLeft(found)) return Either.left(found.left)
      const batch = found.right
      if (batch === undefined || batch.maxTimestamp < best.timestamp) continue
      const record = this.first(batch, batch.maxTimestamp, start)
      if (record === "corrupt") return Either.left("CORRUPT_MESSAGE")
      if (record !== "none") best = better(best, placed(batch, record, start))
      else {
        // The record that gave the batch its timestamp is gone: its other records are compared with those around it.
        const left = this.latestIn(batch, start)
        if (left !== undefined) best = better(best, placed(batch, left, start))
        stretches.push([batch.nextOffset, upTo], [from, batch.baseOffset])
      }
    }
  }

  private batchAtTime(partition: ReadablePartition, timestamp: number, from: Offset): Either.Either<RecordBatch | undefined, KafkaError> {
    const batch = partition.batchAtTime(timestamp, from)
    this.cost += 30 + (Either.isRight(batch) ? (batch.right?.bytes.length ?? 0) / 4000 : 0)
    return Either.mapLeft(batch, storageError)
  }

  /**
   * The first batch of a stretch with the largest timestamp. The log can only be asked for the first batch at or after a time: mostly it knows its largest; else the
   * time is closed in on, by steps that double until nothing is found, then halve. A stretch of a year of milliseconds is asked some seventy times.
   */
  private latestBatch(partition: ReadablePartition, from: Offset, upTo: Offset): Either.Either<RecordBatch | undefined, KafkaError> {
    const at = (timestamp: number) =>
      Either.map(this.batchAtTime(partition, timestamp, from), (batch) => (batch !== undefined && batch.baseOffset < upTo ? batch : undefined))
    const known = partition.latestTimestamp?.() ?? Number.POSITIVE_INFINITY
    if (from >= upTo) return Either.right(undefined)
    if (Number.isFinite(known)) {
      const newest = at(known)
      if (Either.isLeft(newest) || newest.right !== undefined) return newest
    }
    const first = at(0)
    if (Either.isLeft(first) || first.right === undefined) return first
    let best = first.right
    let nothingFrom = known
    let step = 1
    while (best.maxTimestamp + 1 < nothingFrom) {
      const probe = Math.min(best.maxTimestamp + step, nothingFrom - 1)
      const batch = at(probe)
      if (Either.isLeft(batch)) return batch
      if (batch.right === undefined) {
        nothingFrom = probe
        step = Math.max(1, Math.floor((probe - best.maxTimestamp) / 2))
      } else {
        best = batch.right
        if (nothingFrom === known) step *= 2
      }
    }
    return Either.right(best)
  }

  /** The first record of a batch at or after `timestamp`, and at or after the offset `from`. */
  private first(batch: RecordBatch, timestamp: number, from: Offset): InBatch {
    const { baseOffset, lastOffset, recordCount } = batch
    if (recordCount <= 0 || lastOffset < from) return "none"
    const isWhole = recordCount === lastOffset - baseOffset + 1
    // Every record of such a batch has the batch's time, and where none is missing the first is the one.
    if (batch.timestampType === "LogAppendTime" && isWhole) return { timestamp: batch.maxTimestamp, offset: Math.max(from, baseOffset) }
    return this.walk(batch, (at, offset) => at >= timestamp && offset >= from)
  }

  /** The record of a batch with the largest timestamp, the first of several, among those at or after `from`. */
  private latestIn(batch: RecordBatch, from: Offset): Exclude<InBatch, string> | undefined {
    let best: Exclude<InBatch, string> | undefined
    this.walk(batch, (timestamp, offset) => {
      if (offset >= from && (best === undefined || timestamp > best.timestamp)) best = { timestamp, offset }
      return false
    })
    return best
  }

  /** Opens a batch, since its header knows only its largest timestamp, and stops at the first record that `fits`. */
  private walk(batch: RecordBatch, fits: (timestamp: number, offset: Offset) => boolean): InBatch {
    const { baseOffset, baseTimestamp, maxTimestamp, recordCount } = batch
    if (recordCount <= 0) return "none"
    const payload = this.open(batch)
    if (typeof payload === "string") return payload
    const stamped = batch.timestampType === "LogAppendTime"
    const scan = new RecordScan(payload, recordCount)
    while (scan.next()) {
      const timestamp = stamped ? maxTimestamp : baseTimestamp + scan.timestampDelta
      const offset = baseOffset + scan.offsetDelta
      if (fits(timestamp, offset)) return { timestamp, offset }
    }
    return scan.failed ? "corrupt" : "none"
  }

  private open(batch: RecordBatch): Uint8Array | "unopened" | "corrupt" {
    const { codec, records } = batch
    if (codec === undefined) return "corrupt"
    if (codec === "none") {
      this.cost += records.length / 500
      return records
    }
    const payload = this.decompress(codec, records, Math.min(batchUnpackedBytesMax, this.unpackedLeft))
    if (Either.isLeft(payload)) {
      this.cost += records.length / 100
      return payload.left.kind === "tooLarge" ? "unopened" : "corrupt"
    }
    this.unpackedLeft -= payload.right.length
    this.cost += payload.right.length / 200
    return payload.right
  }
}

/** Where a record is; of a batch that was not opened the beginning, a little early: a reader from there meets the record. */
const placed = (batch: RecordBatch, found: InBatch, from: Offset): OffsetResult => ({
  ...(typeof found === "string" ? { timestamp: batch.maxTimestamp, offset: Math.max(from, batch.baseOffset) } : found),
  leaderEpoch: batch.partitionLeaderEpoch
})

const better = (one: OffsetResult, other: OffsetResult): OffsetResult =>
  other.timestamp > one.timestamp || (other.timestamp === one.timestamp && other.offset < one.offset) ? other : one
