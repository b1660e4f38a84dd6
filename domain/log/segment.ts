import type { Offset } from "../kernel/id.ts"
import { offsetEntrySize } from "./offset-index.ts"
import { timeEntrySize } from "./time-index.ts"

/** Kafka's names for the files of a segment: the base offset in 20 digits. */
const stem = (baseOffset: Offset): string => String(baseOffset).padStart(20, "0")
export const logFileName = (baseOffset: Offset): string => `${stem(baseOffset)}.log`
export const offsetIndexFileName = (baseOffset: Offset): string => `${stem(baseOffset)}.index`
export const timeIndexFileName = (baseOffset: Offset): string => `${stem(baseOffset)}.timeindex`
/**
 * Not one of Kafka's, which leaves it alone: what the headers of a segment's batches were when the segment was ended.
 */
export const checksumFileName = (baseOffset: Offset): string => `${stem(baseOffset)}.checksum`

const logFile = /^(\d{20})\.log$/
/** The base offset that a `.log` file's name says; undefined for any other file. */
export const baseOffsetOfLogFile = (fileName: string): Offset | undefined => {
  const digits = logFile.exec(fileName)?.[1]
  const baseOffset = digits === undefined ? Number.NaN : Number(digits)
  return Number.isSafeInteger(baseOffset) ? baseOffset : undefined
}

/**
 * How segments are cut and indexed; Kafka's `segment.bytes`, `segment.ms`, `index.interval.bytes`,
 * `segment.index.bytes`.
 */
export interface SegmentConfig {
  readonly segmentBytesMax: number
  readonly segmentMs: number
  readonly indexIntervalBytes: number
  readonly segmentIndexBytesMax: number
}

/** What a segment needs to know of a batch: its header. */
export interface SegmentBatch {
  readonly sizeInBytes: number
  readonly lastOffset: Offset
  readonly maxTimestamp: number
  /** The same, unless it has no records left: then -1, and no index names it for its time. */
  readonly newestRecord?: number
}

/**
 * The last segment of a log as numbers: what decides when to index and when to roll. A fold of its batches, so a
 * restart finds it again by reading headers.
 */
export interface Segment {
  readonly baseOffset: Offset
  readonly sizeInBytes: number
  readonly bytesSinceIndexEntry: number
  /** Max timestamp of the first batch, ms; -1 while there is none. */
  readonly firstTimestamp: number
  /** The largest timestamp so far, and the last offset of the first batch that has it; -1 while there is none. */
  readonly maxTimestamp: number
  readonly offsetOfMaxTimestamp: Offset
  readonly offsetEntryCount: number
  readonly timeEntryCount: number
  /** Timestamp of the newest entry of the time index; -1 while there is none. */
  readonly lastTimeEntry: number
}

export const emptySegment = (baseOffset: Offset): Segment => ({
  baseOffset,
  sizeInBytes: 0,
  bytesSinceIndexEntry: 0,
  firstTimestamp: -1,
  maxTimestamp: -1,
  offsetOfMaxTimestamp: -1,
  offsetEntryCount: 0,
  timeEntryCount: 0,
  lastTimeEntry: -1
})

/** A segment's offsets are written as int32 relative to its base. */
const relativeOffsetMax = 0x7fff_ffff
/** A position in a segment is an int32 too. */
const positionMax = 0x7fff_ffff

/**
 * Whether a new segment must be started before `batch` is appended: it would grow over its bytes, it is older than
 * `segmentMs` (by the batches' own timestamps, or by `now - createdAt` where they have none), an index is full, or the
 * batch's offset is too far from its base. An empty segment never rolls.
 */
export const shouldRoll = (segment: Segment, batch: SegmentBatch, config: SegmentConfig, now: number, createdAt: number): boolean => {
  if (segment.sizeInBytes === 0) return false
  const age = segment.firstTimestamp >= 0 && batch.maxTimestamp >= 0 ? batch.maxTimestamp - segment.firstTimestamp : now - createdAt
  return (
    segment.sizeInBytes + batch.sizeInBytes > Math.min(config.segmentBytesMax, positionMax) ||
    age > config.segmentMs ||
    segment.offsetEntryCount >= Math.floor(config.segmentIndexBytesMax / offsetEntrySize) ||
    // One slot of the time index is left for the entry that is written when the segment is sealed.
    segment.timeEntryCount >= Math.floor(config.segmentIndexBytesMax / timeEntrySize) - 1 ||
    batch.lastOffset - segment.baseOffset > relativeOffsetMax
  )
}

/** A segment after a batch, and the index entries that are due with it. */
export interface Grown {
  readonly segment: Segment
  /** For the offset index: the batch's last offset, and the position where the batch starts. */
  readonly offsetEntry: { readonly offset: Offset; readonly position: number } | undefined
  readonly timeEntry: { readonly timestamp: number; readonly offset: Offset } | undefined
}

/**
 * The segment after `batch` was appended to it, as Kafka indexes: an entry when more than `indexIntervalBytes` were
 * written since the last one.
 */
export const grow = (segment: Segment, batch: SegmentBatch, { indexIntervalBytes }: Pick<SegmentConfig, "indexIntervalBytes">): Grown => {
  const newest = batch.newestRecord ?? batch.maxTimestamp
  const newer = newest > segment.maxTimestamp
  const maxTimestamp = newer ? newest : segment.maxTimestamp
  const offsetOfMaxTimestamp = newer ? batch.lastOffset : segment.offsetOfMaxTimestamp
  const due = segment.bytesSinceIndexEntry > indexIntervalBytes
  const timeDue = due && maxTimestamp > segment.lastTimeEntry
  return {
    segment: {
      baseOffset: segment.baseOffset,
      sizeInBytes: segment.sizeInBytes + batch.sizeInBytes,
      bytesSinceIndexEntry: (due ? 0 : segment.bytesSinceIndexEntry) + batch.sizeInBytes,
      firstTimestamp: segment.sizeInBytes === 0 ? batch.maxTimestamp : segment.firstTimestamp,
      maxTimestamp,
      offsetOfMaxTimestamp,
      offsetEntryCount: segment.offsetEntryCount + (due ? 1 : 0),
      timeEntryCount: segment.timeEntryCount + (timeDue ? 1 : 0),
      lastTimeEntry: timeDue ? maxTimestamp : segment.lastTimeEntry
    },
    offsetEntry: due ? { offset: batch.lastOffset, position: segment.sizeInBytes } : undefined,
    timeEntry: timeDue ? { timestamp: maxTimestamp, offset: offsetOfMaxTimestamp } : undefined
  }
}

/**
 * The last entry of the time index, written when the segment is rolled or closed: with it the index knows the segment's
 * largest timestamp. Undefined when it does already.
 */
export const sealingTimeEntry = (segment: Segment): Grown["timeEntry"] =>
  segment.maxTimestamp > segment.lastTimeEntry ? { timestamp: segment.maxTimestamp, offset: segment.offsetOfMaxTimestamp } : undefined
