import { Either } from "effect"
import { type RecordBatch, verify, viewBatch } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import { type Decompress, type Record, readRecords } from "../../../../domain/log/record.ts"
import { type AnswerTooLarge, CorruptRecords, type KafkaFailure, type NotAuthorized, type OffsetOutOfRange } from "../../error.ts"
import { Progress } from "./progress.ts"

export interface Decoding {
  readonly crc32c: Crc32c
  readonly decompress: Decompress<{ readonly message: string }>
  readonly batchBytesMax: number
}

export type ReadError = AnswerTooLarge | CorruptRecords | KafkaFailure | NotAuthorized | OffsetOutOfRange

const idleAnswersMax = 5
const strideMax = 1_000_000

/**
 * What one partition gives to one consumer: batches that were fetched and wait, and how far the user is. It belongs to one assignment: when that ends it is closed, and
 * what it holds is never handed out (G1, G7). Offsets rise strictly and skip only what is no message (L8).
 */
export class PartitionReader {
  /** Where the next fetch begins. */
  fetchFrom: number
  readonly progress: Progress
  /** Raised by the next poll; nothing is fetched before the user has moved on. */
  failed: ReadError | undefined
  /** Nothing is fetched before this moment, ms. */
  notBefore = 0
  failures = 0
  /** A fetch of this partition is on its way. */
  fetching = false
  closed = false
  bufferedBytes = 0
  /** The offset that follows the last message of the partition, as the last fetch said; -1 before one. */
  highWatermark = -1
  /** Answers in a row that had bytes and nothing to read. */
  private idleAnswers = 0
  /** Bytes behind the batches that wait are no batch. */
  private broken: { readonly offset: number; readonly reason: string } | undefined
  /** The batch that stopped the reader. */
  private unreadable: RecordBatch | undefined
  /** How far the next skip goes where the bytes do not say it. */
  private stride = 1
  private batches: Array<RecordBatch> = []
  private opened: ReadonlyArray<Record> = []
  private nextRecord = 0
  /** Where the batch that is open ends. */
  private openedEnd = -1
  private position: number

  constructor(
    readonly topic: string,
    /** Changes when the topic is removed and made again under the same name. */
    public topicId: string,
    readonly partition: number,
    startAt: number
  ) {
    this.fetchFrom = startAt
    this.position = startAt
    this.progress = new Progress(startAt)
  }

  /** The offset of the next message that is handed out. */
  get next(): number {
    return this.position
  }
  get hasBuffered(): boolean {
    return this.nextRecord < this.opened.length || this.batches.length > 0
  }

  /** Takes over what a fetch from `from` gave. It is dropped when the reader is closed or has moved meanwhile. */
  buffer(from: number, records: Uint8Array | null): void {
    if (this.closed || from !== this.fetchFrom || records === null || records.length === 0) return
    for (let at = 0; at < records.length; ) {
      const next = viewBatch(records, at)
      if (Either.isLeft(next)) {
        this.broken = { offset: this.fetchFrom, reason: next.left.message }
        break
      }
      const batch = next.right
      // The last batch may be cut, since a broker stops at a byte limit.
      if (batch === undefined) break
      at += batch.bytes.length
      // A broker answers from the start of the batch that holds the offset; one that ends before it has nothing for us.
      if (batch.nextOffset <= this.fetchFrom) continue
      this.batches.push(batch)
      this.bufferedBytes += batch.bytes.length
      this.fetchFrom = batch.nextOffset
    }
    if (this.fetchFrom > from) this.idleAnswers = 0
    else if (this.broken === undefined) this.noteIdle()
    if (this.broken !== undefined && this.batches.length === 0) this.failBroken()
  }
  /** The answer had bytes and nothing to read. A broker that repeats that would be asked without end. */
  private noteIdle(): void {
    this.idleAnswers += 1
    if (this.idleAnswers >= idleAnswersMax)
      this.fail(`${this.idleAnswers} answers in a row hold no whole batch from this offset on; a batch over partitionBytesMax may be one.`, this.skipped())
  }
  /** Where to go on when the bytes do not say how far the damage reaches: each time twice as far, so that much damage takes few attempts. */
  private skipped(): number {
    const most = this.highWatermark > this.position ? this.highWatermark : this.position + 1
    return Math.min(most, this.position + this.stride)
  }
  private failBroken(): void {
    const { broken } = this
    if (broken !== undefined) this.fail(broken.reason, this.skipped())
  }
  /** Whether the last answer brought nothing although it had bytes. */
  get isIdle(): boolean {
    return this.idleAnswers > 0
  }

  /** Goes on behind what cannot be read. Messages that were handed out keep their state. */
  skip(to: number): void {
    const failedBatch = this.batches[0]
    if (failedBatch !== undefined && failedBatch.nextOffset === to) {
      this.batches.shift()
      this.bufferedBytes -= failedBatch.bytes.length
    } else {
      this.stride = Math.min(strideMax, this.stride * 2)
      this.drop()
      this.fetchFrom = to
    }
    this.position = to
    this.progress.skipped(to)
    this.failed = undefined
    this.idleAnswers = 0
    // What is broken behind the batches that are left is met again.
    if (this.batches.length > 0) return
    this.broken = undefined
    this.fetchFrom = Math.max(this.fetchFrom, to)
  }

  /** Hands out up to `most` messages; an error stands behind the messages that come before it. */
  take(most: number, decoding: Decoding, give: (record: Record) => void): number {
    let given = 0
    while (given < most) {
      const record = this.opened[this.nextRecord]
      if (record !== undefined) {
        this.nextRecord += 1
        if (record.offset < this.position) continue
        this.position = record.offset + 1
        this.progress.handedOut(record.offset)
        give(record)
        given += 1
        continue
      }
      this.passEnd()
      if (!this.open(decoding)) break
    }
    return given
  }

  /** Opens the next batch; false when there is none, or it cannot be read. */
  private open(decoding: Decoding): boolean {
    this.opened = []
    this.nextRecord = 0
    const batch = this.batches[0]
    if (batch === undefined) {
      this.failBroken()
      return false
    }
    if (batch === this.unreadable) return false
    const records = recordsOf(batch, decoding)
    if (Either.isLeft(records)) {
      this.unreadable = batch
      this.fail(records.left, batch.nextOffset)
      return false
    }
    this.stride = 1
    this.batches.shift()
    this.bufferedBytes -= batch.bytes.length
    this.opened = records.right
    this.openedEnd = batch.nextOffset
    return true
  }

  /** The batch is read to its end: compaction may have removed what stood behind its last message, or all of it. */
  private passEnd(): void {
    if (this.openedEnd <= this.position) return
    this.position = this.openedEnd
    this.progress.skipped(this.position)
  }
  private fail(reason: string, nextOffset: number): void {
    this.failed ??= new CorruptRecords({ topic: this.topic, partition: this.partition, offset: this.position, nextOffset, reason })
  }

  /** Goes on reading elsewhere. */
  seek(offset: number): void {
    this.drop()
    this.fetchFrom = offset
    this.position = offset
    this.failed = undefined
    this.notBefore = 0
    this.progress.restart(offset)
  }

  close(): void {
    this.closed = true
    this.drop()
  }
  private drop(): void {
    this.batches = []
    this.opened = []
    this.openedEnd = -1
    this.nextRecord = 0
    this.bufferedBytes = 0
    this.unreadable = undefined
    this.broken = undefined
  }
}

/** The messages of a batch, or why it cannot be read. */
const recordsOf = (batch: RecordBatch, decoding: Decoding): Either.Either<ReadonlyArray<Record>, string> => {
  try {
    const corrupt = verify(batch, decoding.crc32c)
    if (corrupt !== undefined) return Either.left(corrupt.message)
    // Control batches are marks of transactions, no messages.
    if (batch.isControl) return Either.right([])
    const records = readRecords(batch, decoding.decompress, decoding.batchBytesMax)
    if (Either.isLeft(records)) return Either.left(records.left.message)
    const wrong = misplaced(batch, records.right)
    return wrong === undefined
      ? Either.right(records.right)
      : Either.left(`The record at index ${wrong} does not follow the one before it within the batch's offsets.`)
  } catch (defect) {
    // A decompressor that throws has met bytes that it does not expect.
    return Either.left(`The decoder failed: ${defect instanceof Error ? defect.message : String(defect)}`)
  }
}
/** The index of the first record whose offset is outside its batch or not above the one before it. Such a record would hide those behind it. */
const misplaced = ({ baseOffset, nextOffset }: RecordBatch, records: ReadonlyArray<Record>): number | undefined => {
  let least = baseOffset
  for (let at = 0; at < records.length; at++) {
    const { offset } = records[at] as Record
    if (offset < least || offset >= nextOffset) return at
    least = offset + 1
  }
  return undefined
}
