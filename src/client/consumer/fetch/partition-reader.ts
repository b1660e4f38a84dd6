import { Either } from "effect"
import { type RecordBatch, verify, viewBatch } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import { type Decompress, type Record, viewRecords } from "../../../../domain/log/record.ts"
import {
  type AnswerTooLarge,
  type AuthenticationFailed,
  CorruptRecords,
  type KafkaFailure,
  type NotAuthorized,
  type OffsetOutOfRange,
  type TlsFailed
} from "../../error.ts"
import { broken } from "../../runtime/invariant.ts"
import { type AbortedTransaction, AbortedTransactions } from "./aborted-transactions.ts"
import { Progress } from "./progress.ts"

export interface Decoding {
  readonly crc32c: Crc32c
  readonly decompress: Decompress<{ readonly message: string }>
  readonly batchBytesMax: number
}

export type ReadError = AnswerTooLarge | TlsFailed | AuthenticationFailed | CorruptRecords | KafkaFailure | NotAuthorized | OffsetOutOfRange

/** Results in a row without a whole batch after which the reader fails. */
const idleResultsMax = 5
/** Offsets that one skip passes, at most. */
const strideMax = 1_000_000

/**
 * One partition of one assignment: the fetched batches, the position, and the progress of the caller. When the
 * assignment ends it is closed, and delivers none of its messages (G1, G7). Offsets rise strictly, and skip only what
 * is not a message (L8).
 */
export class PartitionReader {
  /** The offset of the next fetch. */
  fetchFrom: number
  readonly progress: Progress
  /** The next poll fails with it. The partition is not fetched until then, or where its bytes are damaged until a seek. */
  failed: ReadError | undefined
  /** The partition is not fetched before this time, ms. */
  notBefore = 0
  failures = 0
  /** The replica that the leader prefers for this consumer, until a time, ms (KIP-392). */
  preferred: { readonly nodeId: number; readonly until: number } | undefined
  closed = false
  /** Its work has not begun, or it is given away: none of its messages is delivered. */
  held = false
  /** The caller wants no messages of the partition, and it is not fetched. */
  paused = false
  bufferedBytes = 0
  /** The offset up to which the caller's messages were processed when `heldSince` was set (see `notePending`). */
  private heldAt = -1
  private heldSince = 0
  /** The high watermark of the last fetch; -1 before the first. */
  highWatermark = -1
  /** Results in a row that had bytes and no whole batch. */
  private idleResults = 0
  /** The bytes behind the buffered batches are not a batch. */
  private damage: { readonly offset: number; readonly reason: string } | undefined
  /** The batch that cannot be decoded. */
  private unreadable: RecordBatch | undefined
  /** How many offsets the next skip passes where the bytes do not tell where the next batch begins. */
  private stride = 1
  private batches: Array<RecordBatch> = []
  private readonly aborted = new AbortedTransactions()
  private opened: ReadonlyArray<Record> = []
  private nextRecord = 0
  /** The offset after the open batch. */
  private openedEnd = -1
  private position: number

  constructor(
    readonly topic: string,
    /** Changes when the topic is deleted and created again under the same name. */
    public topicId: string,
    readonly partition: number,
    startAt: number
  ) {
    this.fetchFrom = startAt
    this.position = startAt
    this.progress = new Progress(startAt)
  }

  /** The offset of the next message. */
  get next(): number {
    return this.position
  }
  get hasBuffered(): boolean {
    return this.nextRecord < this.opened.length || this.batches.length > 0
  }

  /** Whether `take` may find a message, an error, or the end of a batch whose last messages are gone. */
  get isReady(): boolean {
    if (this.nextRecord < this.opened.length || this.openedEnd > this.position) return true
    const [next] = this.batches
    return next === undefined ? this.damage !== undefined && this.failed === undefined : next !== this.unreadable
  }
  /**
   * Returns since when the caller has had its oldest message, as far as these calls show; infinite where it has none.
   * Sampled, so that a message costs no reading of the clock.
   */
  notePending(nowMs: number): number {
    if (!this.progress.isOutstanding) {
      this.heldAt = -1
      return Number.POSITIVE_INFINITY
    }
    if (this.heldAt !== this.progress.toCommit) {
      this.heldAt = this.progress.toCommit
      this.heldSince = nowMs
    }
    return this.heldSince
  }

  /**
   * Buffers the batches of a fetch from `from`. They are dropped when the reader was closed or has moved meanwhile.
   * `aborted`: the aborted transactions among them, where the caller reads what is committed.
   */
  buffer(from: number, records: Uint8Array | null, aborted: ReadonlyArray<AbortedTransaction> = []): void {
    if (this.closed || from !== this.fetchFrom || records === null || records.length === 0) return
    this.aborted.add(aborted)
    for (let at = 0; at < records.length; ) {
      const next = viewBatch(records, at)
      if (Either.isLeft(next)) {
        this.damage = { offset: this.fetchFrom, reason: next.left.message }
        break
      }
      const batch = next.right
      // The last batch may be incomplete, since a broker stops at a byte limit.
      if (batch === undefined) break
      at += batch.bytes.length
      // A broker returns whole batches, from the one that holds the offset on: a batch that ends before it has no
      // message for this reader.
      if (batch.nextOffset <= this.fetchFrom) continue
      this.batches.push(batch)
      this.bufferedBytes += batch.bytes.length
      this.fetchFrom = batch.nextOffset
    }
    if (this.fetchFrom > from) this.idleResults = 0
    else if (this.damage === undefined) this.noteIdle()
    if (this.damage !== undefined && this.batches.length === 0) this.failDamaged()
  }
  /** The result had bytes and no whole batch. The reader would fetch for ever from a broker that repeats it. */
  private noteIdle(): void {
    this.idleResults += 1
    if (this.idleResults >= idleResultsMax)
      this.fail(
        `${this.idleResults} fetches in a row returned no whole batch from this offset on; a batch larger than partitionBytesMax may be the cause.`,
        this.skipped()
      )
  }
  /**
   * Where to continue when the bytes do not tell how far the damage reaches: each time twice as far, so that large
   * damage takes few attempts.
   */
  private skipped(): number {
    const most = this.highWatermark > this.position ? this.highWatermark : this.position + 1
    return Math.min(most, this.position + this.stride)
  }
  private failDamaged(): void {
    const { damage } = this
    if (damage !== undefined) this.fail(damage.reason, this.skipped())
  }
  /** Whether the last result had bytes and no whole batch. */
  get isIdle(): boolean {
    return this.idleResults > 0
  }

  /** Continues at `to`, behind damaged bytes. Delivered messages keep their progress. */
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
    this.advance(to)
    this.progress.skipped(to)
    this.failed = undefined
    this.idleResults = 0
    // The damage behind the batches that are left is found again after them.
    if (this.batches.length > 0) return
    this.damage = undefined
    this.fetchFrom = Math.max(this.fetchFrom, to)
  }

  /** The message that `take` delivers next, which stays where it is; undefined where there is none. */
  peek(decoding: Decoding): Record | undefined {
    for (;;) {
      const record = this.opened[this.nextRecord]
      if (record !== undefined && record.offset >= this.position) return record
      if (record !== undefined) this.nextRecord += 1
      else {
        this.passEnd()
        if (!this.open(decoding)) return undefined
      }
    }
  }

  /** Delivers up to `most` messages. An error comes after the messages before it. */
  take(most: number, decoding: Decoding, deliver: (record: Record) => void): number {
    let delivered = 0
    while (delivered < most) {
      const record = this.opened[this.nextRecord]
      if (record !== undefined) {
        this.nextRecord += 1
        if (record.offset < this.position) continue
        this.advance(record.offset + 1)
        this.progress.delivered(record.offset)
        deliver(record)
        delivered += 1
        continue
      }
      this.passEnd()
      if (!this.open(decoding)) break
    }
    return delivered
  }
  /** The position never goes back without a seek: the caller would get messages twice. */
  private advance(to: number): void {
    if (to < this.position) broken(`${this.topic}-${this.partition} goes back from ${this.position} to ${to} without a seek`)
    this.position = to
  }

  /** Decodes the next batch; false when there is none, or it cannot be decoded. */
  private open(decoding: Decoding): boolean {
    this.opened = []
    this.nextRecord = 0
    const batch = this.batches[0]
    if (batch === undefined) {
      this.failDamaged()
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
    this.opened = this.aborted.isAborted(batch, records.right) ? [] : records.right
    this.openedEnd = batch.nextOffset
    return true
  }

  /**
   * Every message of the batch is delivered. Compaction may have removed messages behind the last one, or all of them.
   */
  private passEnd(): void {
    if (this.openedEnd <= this.position) return
    this.advance(this.openedEnd)
    this.progress.skipped(this.position)
  }
  private fail(reason: string, nextOffset: number): void {
    this.failed ??= new CorruptRecords({ topic: this.topic, partition: this.partition, offset: this.position, nextOffset, reason })
  }

  /** Drops what is buffered. It is fetched again. */
  rewind(): void {
    this.drop()
    this.fetchFrom = this.position
  }
  /** Continues at another offset. */
  seek(offset: number): void {
    this.drop()
    this.fetchFrom = offset
    this.position = offset
    this.failed = undefined
    this.notBefore = 0
    // Results from the old offset say nothing about this one.
    this.idleResults = 0
    this.stride = 1
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
    this.aborted.clear()
    this.unreadable = undefined
    this.damage = undefined
  }
}

/** Decodes a batch: its messages, or why it cannot be decoded. */
const recordsOf = (batch: RecordBatch, decoding: Decoding): Either.Either<ReadonlyArray<Record>, string> => {
  try {
    const corrupt = verify(batch, decoding.crc32c)
    if (corrupt !== undefined) return Either.left(corrupt.message)
    const records = viewRecords(batch, decoding.decompress, decoding.batchBytesMax)
    // Control batches are the markers of transactions. One of an unknown form has no message, either.
    if (batch.isControl && Either.isLeft(records)) return Either.right([])
    if (Either.isLeft(records)) return Either.left(records.left.message)
    const wrong = misplaced(batch, records.right)
    return wrong === undefined
      ? Either.right(records.right)
      : Either.left(`The record at index ${wrong} does not follow the one before it within the batch's offsets.`)
  } catch (defect) {
    // A decompressor throws for bytes that it does not expect.
    return Either.left(`The decoder failed: ${defect instanceof Error ? defect.message : String(defect)}`)
  }
}
/**
 * Returns the index of the first record whose offset is outside its batch, or not above the one before it. Such a
 * record would hide those behind it.
 */
const misplaced = ({ baseOffset, nextOffset }: RecordBatch, records: ReadonlyArray<Record>): number | undefined => {
  let least = baseOffset
  for (let at = 0; at < records.length; at++) {
    const { offset } = records[at] as Record
    if (offset < least || offset >= nextOffset) return at
    least = offset + 1
  }
  return undefined
}
