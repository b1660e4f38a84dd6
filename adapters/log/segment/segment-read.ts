import { Buffer } from "node:buffer"
import type { Offset } from "../../../domain/kernel/id.ts"
import { fieldAt, headerSize, lengthOverhead, magic2, RecordBatch } from "../../../domain/log/batch.ts"
import { readInt32, readInt64 } from "../../../domain/log/int.ts"
import { lend } from "../../../src/ports/lent-memory.ts"
import { walkHeaders } from "./header-walk.ts"
import { damaged } from "./segment-files.ts"
import type { ReadableSegment } from "./segments.ts"

// An index entry stands every few KiB of log, so the batch that is looked for is mostly in the first piece of this size.
const locateChunkBytes = 8192

/** Where the batch that holds `offset` starts, looked for from `from` on, or what was found instead. */
const walkTo = (segment: ReadableSegment, from: number, offset: Offset): { readonly position: number; readonly wrong: string | undefined } => {
  const { gapsEnd, sizeInBytes } = segment
  let isHere = false
  const walked = walkHeaders(
    segment.file(),
    from,
    sizeInBytes,
    (header, position) => {
      // The batch that an index names is at or before the offset, also where the batch that held the offset is gone.
      const mayBeNext = header.baseOffset <= gapsEnd && (position > from || from === 0)
      isHere = offset <= header.lastOffset && (header.baseOffset <= offset || mayBeNext)
      return header.lastOffset < offset
    },
    locateChunkBytes
  )
  const isGone = walked.wrong === undefined && walked.position === sizeInBytes && offset < gapsEnd
  return isHere || isGone ? walked : { position: walked.position, wrong: walked.wrong ?? `offset ${offset} is missing` }
}

/**
 * Where the batch that holds `offset` starts; where compaction has removed it, the next one, or the end of the segment. Throws a LogFault "corrupt" when the
 * segment has none, though its extent says so.
 */
export const locate = (segment: ReadableSegment, offset: Offset): number => {
  const from = segment.positionFor(offset)
  const indexed = walkTo(segment, from, offset)
  // An index that leads astray is no damage to the log: without it the walk is only longer.
  const found = indexed.wrong === undefined || from === 0 ? indexed : walkTo(segment, 0, offset)
  if (found.wrong !== undefined) throw damaged(segment.path.log, found.position, found.wrong)
  return found.position
}

/** Memory that is not cleared, and is the caller's alone: a socket may hold it long after, and may release it then (`returnLent`). */
const readBytes = (segment: ReadableSegment, position: number, count: number): Uint8Array => {
  const bytes = lend(count) ?? new Uint8Array(Buffer.allocUnsafeSlow(count).buffer, 0, count)
  const found = segment.file().read(bytes, position)
  if (found < count) throw damaged(segment.path.log, position + found, `the file ends here, ${count - found} bytes before its batches do`)
  return bytes
}

/** A run of whole batches out of a segment. */
interface Run {
  readonly bytes: Uint8Array
  readonly position: number
  /** The offset after its last batch. */
  readonly endOffset: Offset
}

/**
 * The whole batches from `position` on that fit `maxBytes` and start before `upTo`; with `mustGive` the first is given even if it is larger.
 * Only the parts of a header that say where the next batch starts are looked at.
 */
export const readRun = (segment: ReadableSegment, position: number, maxBytes: number, upTo: Offset, mustGive: boolean): Run => {
  const available = segment.sizeInBytes - position
  let bytes = readBytes(segment, position, Math.min(available, Math.max(maxBytes, headerSize)))
  let end = 0
  let endOffset = -1
  while (end + headerSize <= bytes.length && readInt64(bytes, end + fieldAt.baseOffset) < upTo) {
    const size = lengthOverhead + readInt32(bytes, end + fieldAt.batchLength)
    if (bytes[end + fieldAt.magic] !== magic2 || size < headerSize || end + size > available)
      throw damaged(segment.path.log, position + end, "no batch stands here")
    if (end + size > maxBytes && !(mustGive && end === 0)) break
    if (end + size > bytes.length) bytes = readBytes(segment, position, size)
    endOffset = readInt64(bytes, end + fieldAt.baseOffset) + readInt32(bytes, end + fieldAt.lastOffsetDelta) + 1
    end += size
  }
  return { bytes: end === bytes.length ? bytes : bytes.subarray(0, end), position, endOffset }
}

/** The first batch of the segment that ends after `from` and has a timestamp of at least `timestamp`, whole; undefined when there is none. */
export const firstBatchAt = (segment: ReadableSegment, timestamp: number, from: Offset): RecordBatch | undefined => {
  let found: { readonly position: number; readonly size: number } | undefined
  const walk = (start: number) =>
    walkHeaders(segment.file(), start, segment.sizeInBytes, (header, position) => {
      if (header.newestRecord < timestamp || header.lastOffset < from) return true
      found = { position, size: header.sizeInBytes }
      return false
    })
  const entry = segment.timeEntryFor(timestamp)
  const byTime = entry === undefined ? 0 : segment.positionFor(entry.offset)
  const indexed = from > segment.baseOffset ? Math.max(byTime, segment.positionFor(from)) : byTime
  let walked = walk(indexed)
  if (walked.wrong !== undefined && indexed > 0) walked = walk(0)
  if (walked.wrong !== undefined) throw damaged(segment.path.log, walked.position, walked.wrong)
  return found === undefined ? undefined : new RecordBatch(readBytes(segment, found.position, found.size))
}
