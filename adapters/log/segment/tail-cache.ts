import type { Offset } from "../../../domain/kernel/id.ts"
import { fieldAt, lengthOverhead, type RecordBatch } from "../../../domain/log/batch.ts"
import { readInt32, readInt64 } from "../../../domain/log/int.ts"

/** A run of batches, one after the other in memory. What is in it never changes; a packed one grows behind `used`. */
interface Chunk {
  readonly owner: LogTail
  readonly baseOffset: Offset
  endOffset: Offset
  readonly bytes: Uint8Array
  used: number
  /** Where the last read up to the end stopped: its reader continues there when more has been packed behind it. */
  readOffset: Offset
  readPosition: number
  readonly charge: number
}

/** Below this size batches share a chunk: that costs less than a chunk a batch. */
const packedBatchBytesMax = 16_384
const packBytes = 65_536
/** A chunk's own objects, roughly. */
const chunkOverheadBytes = 256

const chunkAt = (owner: LogTail, baseOffset: Offset, bytes: Uint8Array, charge: number): Chunk => ({
  owner,
  baseOffset,
  endOffset: baseOffset,
  bytes,
  used: 0,
  readOffset: baseOffset,
  readPosition: 0,
  charge
})

/** The bound for all logs of a store: the chunk that came first goes first, whosever it is. */
export class TailBudget {
  /** A set keeps the order of arrival, and lets a chunk go from its middle. */
  private readonly chunks = new Set<Chunk>()
  private bytes = 0

  constructor(
    readonly logBytesMax: number,
    private readonly storeBytesMax: number
  ) {}

  get usedBytes(): number {
    return this.bytes
  }
  /** @internal */
  enter(chunk: Chunk): void {
    this.chunks.add(chunk)
    this.bytes += chunk.charge
    while (this.bytes > this.storeBytesMax) {
      const oldest = this.chunks.values().next()
      if (oldest.done) break
      // The oldest of all is the oldest of its log, too.
      oldest.value.owner.dropFirst()
    }
  }
  /** @internal */
  leave(chunk: Chunk): void {
    this.chunks.delete(chunk)
    this.bytes -= chunk.charge
  }
}

/**
 * The newest batches of a log, as they were appended: a consumer at the end reads them from memory.
 *
 * Only where there is such a consumer. What is kept for no reader costs more than anything else about an append: 64 MB of frames go round through memory that is
 * returned to the system in between, and every page of it is a fault. So a tail keeps nothing until a consumer reads near the end, and stops when none has read for as
 * many bytes as it would keep: the offset of a consumer that reads then would not be in it.
 */
export class LogTail {
  private chunks: Array<Chunk> = []
  private bytes = 0
  /** Bytes that were appended since a consumer read near the end. */
  private unreadBytes = Number.POSITIVE_INFINITY

  constructor(private readonly budget: TailBudget) {}

  /** A consumer reads `behindBytes` from the end. What is appended next is kept, if it will still be here when the consumer has read up to it. */
  noteReader(behindBytes: number): void {
    if (behindBytes <= this.budget.logBytesMax) this.unreadBytes = 0
  }

  /** @internal */
  dropFirst(): void {
    const gone = this.chunks.shift()
    if (gone === undefined) return
    this.bytes -= gone.charge
    this.budget.leave(gone)
  }
  clear(): void {
    while (this.chunks.length > 0) this.dropFirst()
  }

  /** Forgets what begins before `offset`: it was written again in the files. */
  dropBefore(offset: Offset): void {
    for (let first = this.chunks[0]; first !== undefined && first.baseOffset < offset; first = this.chunks[0]) this.dropFirst()
  }

  /** Takes a copy of a batch that follows the one before, or skips it where no consumer reads. The frame that it came in is used for others soon. */
  add(batch: RecordBatch): void {
    const { bytes } = batch
    if (this.unreadBytes > this.budget.logBytesMax) return
    this.unreadBytes += bytes.length
    if (this.unreadBytes > this.budget.logBytesMax) return this.clear()
    if (bytes.length >= packedBatchBytesMax) {
      const charge = bytes.length + chunkOverheadBytes
      return this.enter({ ...chunkAt(this, batch.baseOffset, bytes.slice(), charge), endOffset: batch.nextOffset, used: bytes.length })
    }
    let last = this.chunks.at(-1)
    if (last === undefined || last.bytes.length - last.used < bytes.length) {
      last = chunkAt(this, batch.baseOffset, new Uint8Array(packBytes), packBytes + chunkOverheadBytes)
      this.enter(last)
    }
    last.bytes.set(bytes, last.used)
    last.used += bytes.length
    last.endOffset = batch.nextOffset
  }

  private enter(chunk: Chunk): void {
    this.chunks.push(chunk)
    this.bytes += chunk.charge
    this.budget.enter(chunk)
    while (this.bytes > this.budget.logBytesMax && this.chunks.length > 0) this.dropFirst()
  }

  /**
   * As PartitionLog.read, each view a run of whole batches; undefined when the batch that holds `from` is not here any more.
   * `isFirst` says whether the first batch is given even when it is larger than `maxBytes`.
   */
  read(from: Offset, maxBytes: number, upTo: Offset, isFirst: boolean): ReadonlyArray<Uint8Array> | undefined {
    let index = this.indexOf(from)
    if (index === undefined) return undefined
    this.unreadBytes = 0
    const views: Array<Uint8Array> = []
    let left = maxBytes
    for (; index < this.chunks.length; index++) {
      const chunk = this.chunks[index] as Chunk
      const start = chunk.baseOffset >= from ? 0 : batchHolding(chunk, from)
      const end = runEnd(chunk, start, left, upTo, isFirst && views.length === 0)
      if (end > start) views.push(start === 0 && end === chunk.bytes.length ? chunk.bytes : chunk.bytes.subarray(start, end))
      left -= end - start
      if (end < chunk.used) break
      chunk.readOffset = chunk.endOffset
      chunk.readPosition = end
    }
    return views
  }

  private indexOf(from: Offset): number | undefined {
    const first = this.chunks[0]
    if (first === undefined || from < first.baseOffset) return undefined
    let low = 0
    let high = this.chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.chunks[middle] as Chunk).endOffset <= from) low = middle + 1
      else high = middle
    }
    return low < this.chunks.length ? low : undefined
  }
}

const sizeAt = (bytes: Uint8Array, at: number): number => lengthOverhead + readInt32(bytes, at + fieldAt.batchLength)

const batchHolding = (chunk: Chunk, offset: Offset): number => {
  let at = offset >= chunk.readOffset && chunk.readPosition < chunk.used ? chunk.readPosition : 0
  for (;;) {
    const next = at + sizeAt(chunk.bytes, at)
    if (next >= chunk.used || readInt64(chunk.bytes, next + fieldAt.baseOffset) > offset) return at
    at = next
  }
}

/** Where the batches from `start` on that fit `maxBytes` and start before `upTo` end. */
const runEnd = (chunk: Chunk, start: number, maxBytes: number, upTo: Offset, mustGive: boolean): number => {
  // The usual case: the consumer is allowed all there is.
  if (chunk.endOffset <= upTo && chunk.used - start <= maxBytes) return chunk.used
  let at = start
  while (at < chunk.used && readInt64(chunk.bytes, at + fieldAt.baseOffset) < upTo) {
    const next = at + sizeAt(chunk.bytes, at)
    if (next - start > maxBytes && !(mustGive && at === start)) break
    at = next
  }
  return at
}
