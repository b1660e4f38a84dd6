import { Either } from "effect"
import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import { headerSize, magic2, RecordBatch, verify, viewHeader } from "../../../domain/log/batch.ts"
import { mayFollow } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { ReadableFile } from "../disk/disk.ts"
import { FileWindow } from "../disk/file-window.ts"

/** What a walk through a segment's batches starts from and ends with. */
interface WalkState {
  /** Byte in the segment. */
  readonly position: number
  /** The offset that the next batch must have. */
  readonly offset: Offset
  /** No batch after it has a smaller leader epoch. */
  readonly epoch: Epoch
  /** Compaction went over the segment: offsets may be missing up to this one. */
  readonly gapsEnd?: Offset
}

/** Where whole and right batches end, and what is wrong with what follows; `wrong` is undefined at the end of the file. */
export interface Verified extends WalkState {
  readonly wrong: string | undefined
  /** What is wrong is a whole batch with the right CRC, in the wrong place: no torn write looks like that. */
  readonly isWhole: boolean
}

const chunkBytes = 1_048_576

const outOfOrder = (batch: RecordBatch, expected: Pick<WalkState, "offset" | "epoch">, gapsEnd: Offset): string | undefined => {
  if (!mayFollow(batch.baseOffset, expected.offset, gapsEnd)) return `the batch has offset ${batch.baseOffset} where ${expected.offset} comes next`
  if (batch.partitionLeaderEpoch < expected.epoch) return `the batch has leader epoch ${batch.partitionLeaderEpoch} after epoch ${expected.epoch}`
  return undefined
}

/** The whole batch at `position`, or what is there instead, in words. */
const batchAt = (window: FileWindow, position: number, size: number): RecordBatch | string => {
  const header = viewHeader(window.view(position, Math.min(headerSize, size - position)), 0)
  if (Either.isLeft(header)) return header.left.reason
  if (header.right === undefined) return `only ${size - position} bytes are left, less than a batch's header`
  const batchSize = header.right.sizeInBytes
  if (position + batchSize > size) return `a batch of ${batchSize} bytes starts here, ${size - position} are left`
  return new RecordBatch(window.view(position, batchSize))
}

/**
 * Reads every batch of a segment from `start` on: header, size, continuity of offsets, order of epochs, CRC. `visit` gets each right batch, as a view that does not last.
 * Ends after `bytesMax` bytes and the batch that they end in, with nothing wrong: the next call continues from where it ended.
 */
export const verifyBatches = (
  file: ReadableFile,
  size: number,
  start: WalkState,
  crc32c: Crc32c,
  visit: (batch: RecordBatch, position: number) => void,
  bytesMax: number = Number.POSITIVE_INFINITY
): Verified => {
  const window = new FileWindow(file, size, chunkBytes)
  const { gapsEnd = 0 } = start
  let { epoch, offset, position } = start
  const enough = position + bytesMax
  while (position < size && position < enough) {
    const batch = batchAt(window, position, size)
    if (typeof batch === "string") return { epoch, offset, position, wrong: batch, isWhole: false }
    const torn = verify(batch, crc32c)?.reason
    const wrong = torn ?? outOfOrder(batch, { epoch, offset }, gapsEnd)
    if (wrong !== undefined) return { epoch, offset, position, wrong, isWhole: torn === undefined }
    visit(batch, position)
    epoch = batch.partitionLeaderEpoch
    offset = batch.nextOffset
    position += batch.sizeInBytes
  }
  return { epoch, offset, position, wrong: undefined, isWhole: false }
}

/**
 * The position of a right batch with an offset of at least `offset` anywhere after `from`; undefined when there is none. A crash tears the end of what was
 * written: a right batch after a wrong one says that this is damage, not a torn tail. Where a header is damaged it is unknown where the next one starts, so every byte is tried.
 */
export const findBatchAfter = (file: ReadableFile, from: number, size: number, offset: Offset, crc32c: Crc32c): number | undefined => {
  const window = new FileWindow(file, size, chunkBytes)
  const batches = new FileWindow(file, size, chunkBytes)
  for (let position = from; position + headerSize <= size; ) {
    const bytes = window.view(position, Math.min(chunkBytes, size - position))
    if (bytes.length < headerSize) return undefined
    for (let at = 0; at + headerSize <= bytes.length; at++) {
      if (bytes[at + 16] !== magic2) continue
      const header = viewHeader(bytes, at)
      const isLikely = Either.isRight(header) && header.right !== undefined && header.right.baseOffset >= offset
      if (!isLikely || position + at + header.right.sizeInBytes > size) continue
      const batch = batchAt(batches, position + at, size)
      if (typeof batch !== "string" && verify(batch, crc32c) === undefined) return position + at
    }
    position += bytes.length - headerSize + 1
  }
  return undefined
}
