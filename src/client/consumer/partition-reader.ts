import { Either } from "effect"
import { type RecordBatch, readableBatches, verify } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { type Decompress, type Record, readRecords } from "../../../domain/log/record.ts"
import { CorruptRecords, type KafkaFailure, type NotAuthorized, type OffsetOutOfRange } from "../error.ts"
import { Progress } from "./progress.ts"

export interface Decoding {
  readonly crc32c: Crc32c
  readonly decompress: Decompress<{ readonly message: string }>
  readonly batchBytesMax: number
}

export type ReadError = CorruptRecords | KafkaFailure | NotAuthorized | OffsetOutOfRange

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
    const batches = readableBatches(records)
    if (Either.isLeft(batches)) {
      this.fail(batches.left.message)
      return
    }
    for (const batch of batches.right) {
      // A broker answers from the start of the batch that holds the offset; one that ends before it has nothing for us.
      if (batch.nextOffset <= this.fetchFrom) continue
      this.batches.push(batch)
      this.bufferedBytes += batch.bytes.length
      this.fetchFrom = batch.nextOffset
    }
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
    if (batch === undefined) return false
    const corrupt = verify(batch, decoding.crc32c)
    // Control batches are marks of transactions, no messages.
    const records = corrupt ? Either.left(corrupt) : batch.isControl ? Either.right([]) : readRecords(batch, decoding.decompress, decoding.batchBytesMax)
    if (Either.isLeft(records)) {
      this.fail(records.left.message)
      return false
    }
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
  private fail(reason: string): void {
    this.failed ??= new CorruptRecords({ topic: this.topic, partition: this.partition, offset: this.position, reason })
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
  }
}
