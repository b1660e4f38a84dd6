import type { Epoch, Offset } from "../kernel/id.ts"
import { type RecordBatch, verify as verifyCrc } from "./batch.ts"
import { mayFollow } from "./compacted-ranges.ts"
import type { Crc32c } from "./crc32c.ts"
import type { OffsetEntry } from "./offset-index.ts"
import type { TimeEntry } from "./time-index.ts"

/**
 * What can be wrong with a log on the disk (L6, L9): "batch": bytes that are no whole batch with the right CRC, or a
 * batch in the wrong place; "torn": the same at the very end, after everything that was durable; "gap": a segment does
 * not begin where the one before it ends; "header": a header that its batch's CRC does not cover is not what it was
 * when the segment was ended; "name": a segment's name is not its first offset; "index": an index that says what its
 * log does not; "lost": the log ends before what was durable; "cut": the node stopped while it cut the log, and the
 * next start finishes that; "journal": entries that do not follow, are not known, or do not fold to their snapshot;
 * "unreadable": a file that could not be read.
 */
type FindingKind = "batch" | "torn" | "gap" | "header" | "name" | "index" | "lost" | "cut" | "journal" | "unreadable"

/** One thing that is wrong, for the operator who decides what to do about it. */
export interface Finding {
  readonly kind: FindingKind
  /** The file, or the directory, as a path. */
  readonly file: string
  /** Byte in the file; undefined where the whole file is meant. */
  readonly position: number | undefined
  /** The first offset that is touched; undefined where none is known. */
  readonly offset: Offset | undefined
  /** What is wrong and what it means. */
  readonly meaning: string
  /** What to do. */
  readonly advice: string
}

/** Where a walk through a log's batches stands. */
export interface LogWalk {
  /** The offset that the next batch must have. */
  readonly next: Offset
  /** No batch after it has a smaller leader epoch. */
  readonly epoch: Epoch
  /**
   * Compaction went over the segment: records may be missing up to this offset. Undefined, or not over `next`: none
   * may.
   */
  readonly gapsEnd?: Offset
  /** A leader's compaction went over batches up to this offset: they may have fewer records than offsets. */
  readonly sparseEnd?: Offset
}

/**
 * What is wrong with a whole batch at this place of the log, as a sentence without its end; undefined for a right one.
 * Checks CRC, codec, offset, count and epoch.
 */
export const batchFault = (batch: RecordBatch, { epoch, gapsEnd = 0, next, sparseEnd = 0 }: LogWalk, crc32c: Crc32c): string | undefined => {
  const { baseOffset, lastOffsetDelta, partitionLeaderEpoch, recordCount } = batch
  const torn = verifyCrc(batch, crc32c)
  if (torn !== undefined) return torn.reason.replace(/\.$/, "")
  if (!mayFollow(baseOffset, next, gapsEnd)) return `the batch has offset ${baseOffset} where ${next} comes next`
  const isCompacted = baseOffset + lastOffsetDelta < Math.max(gapsEnd, sparseEnd)
  if (isCompacted ? recordCount > lastOffsetDelta + 1 || recordCount < 0 : recordCount !== lastOffsetDelta + 1)
    return `the batch says ${recordCount} records over ${lastOffsetDelta + 1} offsets`
  if (partitionLeaderEpoch < epoch) return `the batch has leader epoch ${partitionLeaderEpoch} after epoch ${epoch}`
  return undefined
}

/**
 * The walk after a batch, right or wrong: it continues from what the batch says, so that one wrong place is told once.
 */
export const walkOn = (batch: RecordBatch): LogWalk => ({ next: batch.nextOffset, epoch: batch.partitionLeaderEpoch })

/** What an index check needs to know of a batch. */
interface IndexedBatch {
  readonly lastOffset: Offset
  readonly maxTimestamp: number
  /** The same, or -1 where compaction has left it no records. */
  readonly newestRecord?: number
}

/**
 * Follows an offset index beside the batches of its segment; entries come from `take`, one by one. An index is a cache:
 * the first wrong entry says enough.
 */
export class OffsetIndexCheck {
  wrong: string | undefined
  private slot = 0
  private entry: OffsetEntry | undefined

  constructor(private readonly take: () => OffsetEntry | undefined) {
    this.entry = take()
  }

  /** The batch that starts at `position`, in order. */
  visit({ lastOffset }: IndexedBatch, position: number): void {
    while (this.wrong === undefined && this.entry !== undefined && this.entry.position <= position) {
      const { entry, slot } = this
      if (entry.position < position) this.wrong = `entry ${slot} points to byte ${entry.position}, where no batch starts`
      else if (entry.offset !== lastOffset)
        this.wrong = `entry ${slot} says offset ${entry.offset} for byte ${position}, the batch there ends with offset ${lastOffset}`
      else this.advance()
    }
  }

  /** Nothing is known of the bytes before `position`: entries that point there are not judged. */
  skip(position: number): void {
    while (this.wrong === undefined && this.entry !== undefined && this.entry.position < position) this.advance()
  }

  finish(end: number): string | undefined {
    if (this.wrong === undefined && this.entry !== undefined)
      this.wrong = `entry ${this.slot} points to byte ${this.entry.position}, the last batch ends at ${end}`
    return this.wrong
  }

  private advance(): void {
    const { entry: before, slot } = this
    this.entry = this.take()
    this.slot++
    if (before === undefined || this.entry === undefined) return
    if (this.entry.offset <= before.offset || this.entry.position <= before.position) this.wrong = `entry ${slot + 1} does not rise`
  }
}

/**
 * The same for a time index: an entry's timestamp is the largest up to its offset, and the batch that holds the offset
 * has it.
 */
export class TimeIndexCheck {
  wrong: string | undefined
  private slot = 0
  private last = -1
  private largest = -1
  private entry: TimeEntry | undefined
  private isBlind = false

  constructor(private readonly take: () => TimeEntry | undefined) {
    this.entry = take()
  }

  visit({ lastOffset, maxTimestamp, newestRecord = maxTimestamp }: IndexedBatch): void {
    this.largest = Math.max(this.largest, newestRecord)
    while (this.wrong === undefined && this.entry !== undefined && this.entry.offset <= lastOffset) {
      const { timestamp, offset } = this.entry
      if (!this.isBlind && (timestamp !== this.largest || timestamp !== newestRecord))
        this.wrong = `entry ${this.slot} says timestamp ${timestamp} up to offset ${offset}, the log has ${this.largest}`
      else this.advance()
    }
  }

  /** Batches are missing from the walk: from here on the largest timestamp is unknown. */
  skip(): void {
    this.isBlind = true
  }

  /** `isSealed`: nothing is written to the segment any more, so the last entry must say its largest timestamp. */
  finish(next: Offset, isSealed: boolean): string | undefined {
    if (this.wrong !== undefined) return this.wrong
    if (this.entry !== undefined && !this.isBlind) this.wrong = `entry ${this.slot} names offset ${this.entry.offset}, the segment ends before ${next}`
    else if (isSealed && !this.isBlind && this.last < this.largest) this.wrong = `it ends with timestamp ${this.last}, the segment's largest is ${this.largest}`
    return this.wrong
  }

  private advance(): void {
    const { entry: before, slot } = this
    this.last = before?.timestamp ?? this.last
    this.entry = this.take()
    this.slot++
    if (before === undefined || this.entry === undefined) return
    if (this.entry.timestamp <= before.timestamp || this.entry.offset < before.offset) this.wrong = `entry ${slot + 1} does not rise`
  }
}
