import { Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { fieldAt, headerSize, type RecordBatch, viewHeader } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { readInt64, readUint32, writeInt64 } from "../../../domain/log/int.ts"
import type { ReadableFile } from "../disk/disk.ts"
import { findBatchAfter } from "./verify-batches.ts"

/** The least that a disk writes at once: of two neighbours one may be there and the other not. */
const sectorBytes = 512
const chunkBytes = 128 * sectorBytes
/** A batch whose length is looked into is no longer than this: no request brings a longer one. */
const batchBytesMax = 134_217_728

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)

const readAt = (file: ReadableFile, position: number, count: number): Uint8Array => {
  const bytes = new Uint8Array(count)
  return bytes.subarray(0, file.read(bytes, position))
}

/** Whether a sector, from its start to its end or the file's, is blank where `from` to `to` reach into it; they begin at a sector's start. */
const hasBlankSector = (file: ReadableFile, size: number, from: number, to: number): boolean => {
  for (let at = from; at < to; at += chunkBytes) {
    const bytes = readAt(file, at, Math.min(chunkBytes, size - at))
    for (let start = 0; start < bytes.length && at + start < to; start += sectorBytes) if (isBlank(bytes.subarray(start, start + sectorBytes))) return true
  }
  return false
}

/** Whether the sector in which a batch with `offset` should begin brought nothing of it. A batch that is there shows its offset, its length, and its magic. */
const beginsBlank = (file: ReadableFile, size: number, position: number, offset: Offset): boolean => {
  const bytes = readAt(file, position, Math.min(size - position, sectorBytes - (position % sectorBytes)))
  if (!isBlank(bytes)) return false
  if (bytes.length >= fieldAt.leaderEpoch) return true
  const expected = new Uint8Array(8)
  writeInt64(expected, 0, offset)
  return !isBlank(expected.subarray(0, bytes.length))
}

/** Whether the batch is whole when it ends elsewhere than its length says: where the next whole one starts, or with the file. */
const hasWrongLength = (file: ReadableFile, size: number, position: number, batch: RecordBatch, crc32c: Crc32c): boolean => {
  const last = Math.min(size, position + batchBytesMax)
  for (let from = position + headerSize; ; ) {
    const next = findBatchAfter(file, from, last, batch.nextOffset, crc32c)
    const end = next ?? size
    // A record may hold batches of another log: the one that comes next has the next offset.
    const isNext = next === undefined || readInt64(readAt(file, next, headerSize), 0) === batch.nextOffset
    if (isNext && end <= last) {
      const bytes = readAt(file, position, end - position)
      if (crc32c(bytes, fieldAt.attributes) === readUint32(bytes, fieldAt.crc)) return true
    }
    if (next === undefined) return false
    from = next + 1
  }
}

/**
 * Why the bytes at `position`, where a right batch with `offset` should stand and does not, are damage and nothing that a power cut leaves; undefined when they
 * may be torn. A disk writes what was not synced in any order and stops anywhere, but it writes whole sectors: what it did not write is the end of the file, or
 * a sector that reads as zeros. A wrong batch all of whose sectors are there was written, and changed afterwards.
 */
export const whyNotTorn = (file: ReadableFile, size: number, position: number, offset: Offset, isWhole: boolean, crc32c: Crc32c): string | undefined => {
  if (position === size || beginsBlank(file, size, position, offset)) return undefined
  if (isWhole) return "the batch is whole, so this is no torn end"
  if (size - position < headerSize) return undefined
  const header = viewHeader(readAt(file, position, headerSize), 0)
  const isBatch = Either.isRight(header) && header.right !== undefined
  const end = position + (isBatch ? header.right.sizeInBytes : headerSize)
  const nextSector = (Math.floor(position / sectorBytes) + 1) * sectorBytes
  if (isBatch && hasWrongLength(file, size, position, header.right, crc32c)) return "the batch is whole but for its length, so this is no torn end"
  if (end > size || hasBlankSector(file, size, nextSector, Math.min(end, size))) return undefined
  return "none of its sectors is missing, so this is no torn end"
}
