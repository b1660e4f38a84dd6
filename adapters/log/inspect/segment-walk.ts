import { Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { headerSize, RecordBatch, verify, viewHeader } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { ReadableFile } from "../disk/disk.ts"
import { FileWindow } from "../disk/file-window.ts"
import { findBatchAfter } from "../recovery/verify-batches.ts"

/** The contents of a segment file, piece after piece. */
type Piece =
  | { readonly _tag: "Batch"; readonly position: number; readonly batch: RecordBatch }
  /** Bytes up to `until` that are no right batch; at `until` a whole one follows, or the file ends (`isLast`). */
  | { readonly _tag: "Damage"; readonly position: number; readonly until: number; readonly isLast: boolean; readonly reason: string }

const chunkBytes = 4_194_304
/** A batch comes in one request, and requests are far smaller: a length over this is a damaged one, and no memory is taken for it. */
const batchBytesMax = 268_435_456

/** The whole batch at `position` with the right CRC, or what is there instead, in words. */
const batchAt = (window: FileWindow, position: number, size: number, crc32c: Crc32c): RecordBatch | string => {
  const left = size - position
  const first = window.view(position, Math.min(headerSize, left))
  // What a power cut leaves of a write whose size was written down before its bytes.
  if (first.every((byte) => byte === 0)) return "zeros stand here instead of a batch"
  const header = viewHeader(first, 0)
  if (Either.isLeft(header)) return header.left.reason.replace(/\.$/, "")
  if (header.right === undefined) return `only ${left} bytes are left, less than a batch's header`
  const { sizeInBytes } = header.right
  if (sizeInBytes > left) return `a batch of ${sizeInBytes} bytes starts here, ${left} are left`
  if (sizeInBytes > batchBytesMax) return `a batch says that it has ${sizeInBytes} bytes, more than any request brings`
  const batch = new RecordBatch(window.view(position, sizeInBytes))
  if (batch.bytes.length < sizeInBytes) return `the file became shorter while it was read`
  return verify(batch, crc32c)?.reason.replace(/\.$/, "") ?? batch
}

/**
 * The batches of a segment's first `size` bytes, in order, with what is damaged between them. A view lasts until the next piece. Memory is bounded by
 * 4 MiB or the largest batch. After damage the next whole batch with an offset of at least `next()` is looked for, byte by byte. Throws what the disk throws.
 */
export function* segmentPieces(file: ReadableFile, size: number, crc32c: Crc32c, next: () => Offset): Generator<Piece, void> {
  const window = new FileWindow(file, size, chunkBytes)
  for (let position = 0; position < size; ) {
    const batch = batchAt(window, position, size, crc32c)
    if (typeof batch !== "string") {
      const { length } = batch.bytes
      yield { _tag: "Batch", position, batch }
      position += length
      continue
    }
    const found = findBatchAfter(file, position + 1, size, next(), crc32c)
    yield { _tag: "Damage", position, until: found ?? size, isLast: found === undefined, reason: batch }
    position = found ?? size
  }
}

const indexChunkEntries = 65_536

/** Whole entries of an index file, one at each call, undefined after the last. Memory is bounded by 1 MiB. Throws what the disk throws. */
export const entryReader = <Entry>(
  file: ReadableFile,
  entrySize: number,
  entryAt: (bytes: Uint8Array, slot: number, baseOffset: Offset) => Entry,
  baseOffset: Offset
): (() => Entry | undefined) => {
  const memory = new Uint8Array(indexChunkEntries * entrySize)
  let at = 0
  let count = 0
  let slot = 0
  return () => {
    if (slot === count) {
      count = Math.floor(file.read(memory, at) / entrySize)
      at += count * entrySize
      slot = 0
    }
    return slot < count ? entryAt(memory, slot++, baseOffset) : undefined
  }
}
