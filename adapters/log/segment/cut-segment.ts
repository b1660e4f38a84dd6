import type { Offset } from "../../../domain/kernel/id.ts"
import { type ChainEntry, chainChunkBytes, HeaderChain } from "../../../domain/log/header-chain.ts"
import { offsetEntryAt, offsetEntrySize } from "../../../domain/log/offset-index.ts"
import type { SegmentConfig } from "../../../domain/log/segment.ts"
import { timeEntryAt, timeEntrySize } from "../../../domain/log/time-index.ts"
import type { DiskFile } from "../disk/disk.ts"
import { walkHeaders } from "./header-walk.ts"
import { damaged, type Indexes } from "./segment-files.ts"
import { ActiveSegment, type ReadableSegment, type SegmentContext } from "./segments.ts"

/** Where a segment is cut: at byte `position`, so that the log's next offset is `offset`. */
interface CutPosition {
  readonly offset: Offset
  readonly position: number
}

/**
 * The end of the last batch of a segment that ends at or before `offset`; the segment's start where there is none. So a cut inside a batch goes to the batch's base,
 * and a cut inside a gap that compaction left to the batch before it. Throws a LogFault "corrupt" where batches do not fit one after the other.
 */
export const lastEndBefore = (segment: ReadableSegment, offset: Offset): CutPosition => {
  const walk = (from: number): { readonly end: CutPosition | undefined; readonly position: number; readonly wrong: string | undefined } => {
    let end: CutPosition | undefined = from === 0 ? { offset: segment.baseOffset, position: 0 } : undefined
    const walked = walkHeaders(segment.file(), from, segment.sizeInBytes, (header, position) => {
      if (header.nextOffset > offset) return false
      end = { offset: header.nextOffset, position: position + header.sizeInBytes }
      return true
    })
    return { end, ...walked }
  }
  const indexed = segment.positionFor(offset - 1)
  let found = walk(indexed)
  // An index that leads astray is no damage to the log: without it the walk is only longer.
  if (found.wrong !== undefined || found.end === undefined) found = walk(0)
  if (found.wrong !== undefined || found.end === undefined) throw damaged(segment.path.log, found.position, found.wrong ?? "no batch starts here")
  return found.end
}

/** The checksums of the headers before `position`: whole chunks as they were, and the headers after them read again. Undefined where they do not fit. */
const chainBefore = (entries: ReadonlyArray<ChainEntry>, file: DiskFile, position: number): HeaderChain | undefined => {
  const whole = entries.filter(({ end }, i) => end <= position && end - (entries[i - 1]?.end ?? 0) >= chainChunkBytes)
  const chain = new HeaderChain(whole)
  const walked = walkHeaders(file, chain.sizeInBytes, position, (header) => (chain.add(header), true))
  return walked.wrong === undefined && chain.sizeInBytes === position ? chain : undefined
}

/** The segment read again from its start: what its indexes would have told is folded from the headers of its batches. */
const refolded = (context: SegmentContext, file: DiskFile, baseOffset: Offset, position: number, config: SegmentConfig, now: number): ActiveSegment => {
  const segment = new ActiveSegment(context, file, baseOffset, config, now)
  const walked = walkHeaders(file, 0, position, (header) => (segment.grow(header), true))
  if (walked.wrong !== undefined || walked.position !== position) throw damaged(segment.path.log, walked.position, walked.wrong ?? "no batch ends here")
  return segment
}

/**
 * A segment as it is after it is cut, open for appends again; `file` is its own, open to write. Of the indexes the entries before the cut stay, and only the batches after the last
 * of them are looked at: a segment may have a gigabyte, and thousands of logs may be cut at once. Nothing is written. Throws a LogFault "corrupt" and what the disk throws.
 */
export const reopenedAt = (
  context: SegmentContext,
  segment: ReadableSegment & { readonly indexes: () => Indexes },
  headers: ReadonlyArray<ChainEntry> | undefined,
  { offset: end, position }: CutPosition,
  file: DiskFile,
  config: SegmentConfig,
  now: number
): ActiveSegment => {
  const { baseOffset } = segment
  const { offset, time } = segment.indexes()
  let offsets = offset.length / offsetEntrySize
  while (offsets > 0 && offsetEntryAt(offset, offsets - 1, baseOffset).position >= position) offsets--
  let times = time.length / timeEntrySize
  while (times > 0 && timeEntryAt(time, times - 1, baseOffset).offset >= end) times--
  const lastIndexed = offsets === 0 ? 0 : offsetEntryAt(offset, offsets - 1, baseOffset).position
  const lastTime = times === 0 ? { timestamp: -1, offset: -1 } : timeEntryAt(time, times - 1, baseOffset)
  let newest = lastTime
  let firstTimestamp = -1
  let next = position === 0 ? end : -1
  if (position > 0) walkHeaders(file, 0, position, (header) => ((firstTimestamp = header.maxTimestamp), false))
  const walked = walkHeaders(file, lastIndexed, position, (header) => {
    if (header.newestRecord > newest.timestamp) newest = { timestamp: header.newestRecord, offset: header.lastOffset }
    next = header.nextOffset
    return true
  })
  const gapsEnd = Math.max(baseOffset, Math.min(segment.gapsEnd, end))
  if (walked.wrong !== undefined || walked.position !== position || next !== end)
    return refolded({ ...context, gapsEnd }, file, baseOffset, position, config, now)
  const state = {
    baseOffset,
    sizeInBytes: position,
    bytesSinceIndexEntry: position - lastIndexed,
    firstTimestamp,
    maxTimestamp: newest.timestamp,
    offsetOfMaxTimestamp: newest.offset,
    offsetEntryCount: offsets,
    timeEntryCount: times,
    lastTimeEntry: lastTime.timestamp
  }
  const indexes = { offset: offset.slice(0, offsets * offsetEntrySize), time: time.slice(0, times * timeEntrySize) }
  const chain = headers === undefined ? undefined : chainBefore(headers, file, position)
  return new ActiveSegment({ ...context, gapsEnd }, file, baseOffset, config, now, { state, endOffset: end, indexes, chain })
}
