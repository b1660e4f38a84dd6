import { bug } from "../../../domain/kernel/bug.ts"
import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import { RecordBatch } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { encodeBatch } from "../../../domain/log/record.ts"
import type { OffsetsRecord } from "./records.ts"

/** Bytes of memory that a batch takes beside its own. */
const overheadBytes = 250

/** Record batches in memory, in the order of their offsets. Gaps between two of them are legal, as in a compacted log. */
export class MemoryLog {
  private batches: Array<RecordBatch> = []
  /** Roughly the memory that it takes. */
  sizeInBytes = 0
  /** No record has a larger timestamp, ms. */
  latestTimestamp = -1

  constructor(
    private next: Offset,
    private readonly leaderEpoch: Epoch
  ) {}

  /** The offset of the next record. */
  get end(): Offset {
    return this.next
  }
  /** The offset of the first record that is there; the end where there is none. */
  get first(): Offset {
    return this.batches[0]?.baseOffset ?? this.next
  }

  append(records: ReadonlyArray<OffsetsRecord>): void {
    const last = this.batches.at(-1)
    if (last !== undefined && last.nextOffset > this.next) bug(`__consumer_offsets: offset ${this.next} is appended behind ${last.nextOffset}`)
    const bytes = encodeBatch({ baseOffset: this.next, leaderEpoch: this.leaderEpoch, codec: "none", records }, { crc32c, compress: (_, whole) => whole })
    const batch = new RecordBatch(bytes)
    this.batches.push(batch)
    this.latestTimestamp = Math.max(this.latestTimestamp, batch.maxTimestamp)
    this.sizeInBytes += bytes.length + overheadBytes
    this.next += records.length
  }

  /** Drops whole batches that end at or before `offset`, but not the last batch: a reader before it would find nothing up to the end. */
  dropBefore(offset: Offset): void {
    const kept = Math.min(this.indexOf(offset), Math.max(0, this.batches.length - 1))
    for (const { bytes } of this.batches.slice(0, kept)) this.sizeInBytes -= bytes.length + overheadBytes
    this.batches = this.batches.slice(kept)
  }

  /** As PartitionLog.read: whole batches from the one that ends after `from`, the first whatever its size. */
  read(from: Offset, maxBytes: number): ReadonlyArray<Uint8Array> {
    const views: Array<Uint8Array> = []
    let left = maxBytes
    for (let at = this.indexOf(from); at < this.batches.length; at++) {
      const { bytes } = this.batches[at] as RecordBatch
      if (views.length > 0 && bytes.length > left) break
      views.push(bytes)
      left -= bytes.length
      if (left <= 0) break
    }
    return views
  }

  /** As PartitionLog.batchAtTime. The times of records do not rise in order, so that all batches may be looked at: a header each. */
  batchAtTime(timestamp: number, from: Offset): RecordBatch | undefined {
    for (let at = this.indexOf(from); at < this.batches.length; at++) {
      const batch = this.batches[at] as RecordBatch
      if (batch.maxTimestamp >= timestamp) return batch
    }
    return undefined
  }

  /** The first batch that ends after `offset`. */
  private indexOf(offset: Offset): number {
    let low = 0
    let high = this.batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.batches[middle] as RecordBatch).nextOffset > offset) high = middle
      else low = middle + 1
    }
    return low
  }
}
