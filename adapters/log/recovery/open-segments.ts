import { Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { headerSize, viewHeader } from "../../../domain/log/batch.ts"
import { type CompactedRanges, gapsEnd, mayFollow } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { HeaderChain } from "../../../domain/log/header-chain.ts"
import { offsetEntryAt, offsetEntrySize } from "../../../domain/log/offset-index.ts"
import { baseOffsetOfLogFile, type Segment, type SegmentConfig } from "../../../domain/log/segment.ts"
import { timeEntryAt, timeEntrySize } from "../../../domain/log/time-index.ts"
import { corrupt, type Disk, type DiskFile } from "../disk/disk.ts"
import { walkHeaders } from "../segment/header-walk.ts"
import { readChecksum } from "../segment/segment-checksum.ts"
import {
  checksumOf,
  damaged,
  filesOf,
  type Indexes,
  isBlankTimeEntry,
  loadIndexes,
  openIndexes,
  rebuildIndexes,
  type SegmentExtent,
  segmentPath
} from "../segment/segment-files.ts"
import { ActiveSegment, SealedSegment } from "../segment/segments.ts"
import type { SharedCaches } from "../segment/shared-caches.ts"
import type { OpeningProgress } from "./opening-progress.ts"
import type { RecoveryPoint } from "./recovery-point.ts"
import { whyNotTorn } from "./tear.ts"
import { type Verified, verifyBatches } from "./verify-batches.ts"

/** What opening a log's segments needs to know. */
export interface OpenContext {
  readonly disk: Disk
  readonly directory: string
  readonly config: SegmentConfig
  readonly caches: SharedCaches
  readonly crc32c: Crc32c
  readonly progress: OpeningProgress
  /** Where compaction may have removed records. */
  readonly compacted: CompactedRanges
  /** ms since 1970. */
  readonly now: number
}

/** A torn tail that was cut. */
interface Cut {
  readonly path: string
  readonly position: number
  readonly offset: Offset
  readonly bytes: number
  readonly wrong: string
}

/** A log's segments in order, and what must be synced before its end counts as durable. */
export interface OpenSegments {
  readonly sealed: Array<SealedSegment>
  readonly active: ActiveSegment
  /** Files whose bytes may not be on the disk yet. */
  readonly unsynced: ReadonlyArray<DiskFile>
  readonly cut: Cut | undefined
  /** A sync of them failed before: they are written again before they are synced. */
  readonly mustRewrite: boolean
  /** There was no segment: the first one was made. */
  readonly isNew: boolean
  /** Everything is as the clean close before left it. */
  readonly isAsClosed: boolean
}

/** Runs `use`; when it throws, the file is closed first: a log that cannot be opened is tried again and again, and must not use up the descriptors. */
const orClose = <A>(file: DiskFile, use: () => A): A => {
  try {
    return use()
  } catch (error) {
    file.close()
    throw error
  }
}

const besideForm = /^(\d{20})\.(?:index|timeindex|checksum)$/

/** Removes what is left of an interrupted removal, what stood beside a log that is gone among it, and answers the base offsets of the segments, rising. */
const findSegments = ({ directory, disk }: OpenContext): ReadonlyArray<Offset> => {
  const bases: Array<Offset> = []
  const names = new Set(disk.list(directory))
  for (const name of names) {
    const baseOffset = baseOffsetOfLogFile(name)
    const beside = besideForm.exec(name)
    if (baseOffset !== undefined) bases.push(baseOffset)
    else if (name.endsWith(deletedSuffix) || (beside !== null && !names.has(`${beside[1]}.log`))) disk.unlink(`${directory}/${name}`)
  }
  return bases.sort((a, b) => a - b)
}

export const newActiveSegment = ({ config, crc32c, directory, disk, now }: Omit<OpenContext, "caches" | "compacted">, baseOffset: Offset): ActiveSegment => {
  const file = disk.open(segmentPath(directory, baseOffset).log, "create")
  return orClose(file, () => {
    // A file of that name can only be what a crash left of a roll that was not done.
    if (file.size() > 0) file.truncate(0)
    const segment = new ActiveSegment({ disk, directory, crc32c }, file, baseOffset, config, now)
    segment.flushEntries()
    return segment
  })
}

/** The last entries of both index files, without reading the rest; undefined where a file cannot be right. */
const lastEntries = (
  disk: Disk,
  { baseOffset, path, sizeInBytes }: SegmentExtent
): { readonly position: number; readonly maxTimestamp: number } | undefined => {
  const last = (file: string, entrySize: number): Uint8Array | undefined => {
    const size = disk.size(file)
    if (size === undefined || size % entrySize !== 0) return undefined
    const entry = new Uint8Array(Math.min(size, entrySize))
    const open = disk.open(file, "read")
    orClose(open, () => open.read(entry, size - entry.length))
    open.close()
    return entry
  }
  const offset = last(path.offsetIndex, offsetEntrySize)
  const time = last(path.timeIndex, timeEntrySize)
  if (offset === undefined || time === undefined || isBlankTimeEntry(time)) return undefined
  const position = offset.length === 0 ? 0 : offsetEntryAt(offset, 0, baseOffset).position
  return position < 0 || position >= sizeInBytes ? undefined : { position, maxTimestamp: timeEntryAt(time, 0, baseOffset).timestamp }
}

/**
 * Walks the headers from the last indexed batch to the end; the largest timestamp. Undefined where that does not end at `endOffset`, or where an entry should
 * have been made on the way: then the index is too short, or not this log's.
 */
const walkToEnd = (
  file: DiskFile,
  { endOffset, sizeInBytes }: SegmentExtent,
  from: number,
  maxTimestamp: number,
  indexIntervalBytes: number,
  gaps: Offset
): number | undefined => {
  let largest = maxTimestamp
  let next = -1
  const walked = walkHeaders(file, from, sizeInBytes, (header, position) => {
    if ((next !== -1 && !mayFollow(header.baseOffset, next, gaps)) || position - from > indexIntervalBytes) return false
    next = header.nextOffset
    largest = Math.max(largest, header.newestRecord)
    return true
  })
  const isWhole = walked.position === sizeInBytes && walked.wrong === undefined
  return isWhole && next <= endOffset && Math.max(next, gaps) === endOffset ? largest : undefined
}

/** A segment that was durable long ago: its ends are looked at, its middle is not read. Indexes that do not fit are made again; then every header is read. */
const openSealed = (context: OpenContext, baseOffset: Offset, endOffset: Offset, unsynced: Array<DiskFile>): SealedSegment => {
  const { caches, config, directory, disk } = context
  const path = segmentPath(directory, baseOffset)
  const sizeInBytes = disk.size(path.log) ?? 0
  const extent: SegmentExtent = { path, baseOffset, endOffset, sizeInBytes }
  const file = caches.file(path.log)
  const first = new Uint8Array(headerSize)
  const header = viewHeader(first.subarray(0, file.read(first, 0)), 0)
  const gaps = gapsEnd(context.compacted, baseOffset)
  // Compaction may have left nothing of a segment.
  const isEmptied = sizeInBytes === 0 && gaps === endOffset
  if (!isEmptied && (Either.isLeft(header) || header.right === undefined || !mayFollow(header.right.baseOffset, baseOffset, gaps)))
    throw damaged(path.log, 0, `no batch with offset ${baseOffset} starts there`)
  const known = lastEntries(disk, extent)
  let maxTimestamp = known === undefined ? undefined : walkToEnd(file, extent, known.position, known.maxTimestamp, config.indexIntervalBytes, gaps)
  if (maxTimestamp === undefined) {
    rebuildIndexes(disk, file, extent, config.indexIntervalBytes)
    unsynced.push(...openIndexes(disk, path))
    maxTimestamp = walkToEnd(file, extent, 0, -1, Number.POSITIVE_INFINITY, gaps)
  }
  if (maxTimestamp === undefined) throw damaged(path.log, sizeInBytes, `the segment does not end at offset ${endOffset}, where the next one starts`)
  const hasChecksum = disk.exists(path.checksum)
  return new SealedSegment(caches, config.indexIntervalBytes, path, baseOffset, endOffset, sizeInBytes, maxTimestamp, hasChecksum, gaps)
}

/** Where the last indexed batch starts; the segment's start when none is. */
const lastPosition = ({ offset }: Indexes, baseOffset: Offset): number =>
  offset.length === 0 ? 0 : offsetEntryAt(offset, offset.length / offsetEntrySize - 1, baseOffset).position

/** The last segment after a clean close: its indexes are as they were left, and its last batches are checked. */
const openClean = ({ compacted, config, crc32c, directory, disk, now }: OpenContext, point: RecoveryPoint, file: DiskFile): ActiveSegment => {
  const { baseOffset, indexesChecksum, offset, position } = point
  const path = segmentPath(directory, baseOffset)
  const gaps = gapsEnd(compacted, baseOffset)
  const extent: SegmentExtent = { path, baseOffset, endOffset: offset, sizeInBytes: position }
  let indexes = loadIndexes(disk, file, extent, config.indexIntervalBytes)
  const checksum = readChecksum(disk, extent, crc32c)
  const isAsClosed = checksumOf(indexes, checksum?.bytes, crc32c) === indexesChecksum
  if (!isAsClosed) indexes = rebuildIndexes(disk, file, extent, config.indexIntervalBytes)
  if (position > 0 && walkToEnd(file, extent, lastPosition(indexes, baseOffset), -1, config.indexIntervalBytes, gaps) === undefined)
    indexes = rebuildIndexes(disk, file, extent, config.indexIntervalBytes)
  const offsetEntryCount = indexes.offset.length / offsetEntrySize
  const timeEntryCount = indexes.time.length / timeEntrySize
  const lastIndexed = lastPosition(indexes, baseOffset)
  const lastTime = timeEntryCount === 0 ? { timestamp: -1, offset: -1 } : timeEntryAt(indexes.time, timeEntryCount - 1, baseOffset)
  let firstTimestamp = -1
  let startOffset = baseOffset
  if (position > 0) walkHeaders(file, 0, position, (header) => ((firstTimestamp = header.maxTimestamp), false), headerSize)
  if (lastIndexed > 0) walkHeaders(file, lastIndexed, position, (header) => ((startOffset = header.baseOffset), false), headerSize)
  const end = verifyBatches(file, position, { position: lastIndexed, offset: startOffset, epoch: 0, gapsEnd: gaps }, crc32c, () => undefined)
  if (end.wrong !== undefined) throw damaged(path.log, end.position, end.wrong)
  if (end.offset !== offset) throw damaged(path.log, position, `the log ends at offset ${end.offset}, it was closed at ${offset}`)
  const state: Segment = {
    baseOffset,
    sizeInBytes: position,
    bytesSinceIndexEntry: position - lastIndexed,
    firstTimestamp,
    maxTimestamp: lastTime.timestamp,
    offsetOfMaxTimestamp: lastTime.offset,
    offsetEntryCount,
    timeEntryCount,
    lastTimeEntry: lastTime.timestamp
  }
  const chain = isAsClosed && checksum !== undefined ? new HeaderChain(checksum.entries) : undefined
  return new ActiveSegment({ disk, directory, crc32c, gapsEnd: gaps }, file, baseOffset, config, now, { state, endOffset: offset, indexes, chain })
}

/** Bytes that are checked between two pauses: some milliseconds. */
const sliceBytes = 4_194_304

interface Walked {
  readonly segment: ActiveSegment
  readonly end: Verified
}

function* verifySegment(
  { compacted, config, crc32c, directory, disk, now, progress }: OpenContext,
  baseOffset: Offset,
  epoch: number
): Generator<void, Walked> {
  const file = disk.open(segmentPath(directory, baseOffset).log, "write")
  try {
    const gaps = gapsEnd(compacted, baseOffset)
    const segment = new ActiveSegment({ disk, directory, crc32c, gapsEnd: gaps }, file, baseOffset, config, now)
    const size = file.size()
    let end: Verified = { position: 0, offset: baseOffset, epoch, wrong: undefined, isWhole: false }
    progress.due(size)
    while (end.position < size && end.wrong === undefined) {
      const from = end.position
      end = verifyBatches(file, size, { ...end, gapsEnd: gaps }, crc32c, (batch) => segment.grow(batch), sliceBytes)
      progress.checked(end.position - from)
      yield
    }
    return { segment, end }
  } catch (error) {
    file.close()
    throw error
  }
}

/**
 * Cuts what a power cut left of what was not synced: it may lack anything behind the last sync, in any order, and hold what was written later. Throws a LogFault
 * "corrupt", and changes nothing, where it is more than that (L9; docs/decisions/0013).
 */
const cutTail = (
  { compacted, crc32c, directory, disk }: OpenContext,
  { end, segment }: Walked,
  later: ReadonlyArray<Offset>,
  point: RecoveryPoint | undefined
): Cut => {
  const { offset, position } = end
  const { log } = segment.path
  const file = segment.file()
  const wrong = end.wrong ?? `the segment ends with offset ${offset - 1}, the next one starts with ${later[0]}`
  if (point !== undefined && offset < point.offset) throw damaged(log, position, `${wrong}, and everything before offset ${point.offset} was durable`)
  const [next] = later
  if (next !== undefined && next < offset) throw damaged(log, position, `${wrong}, and the next segment starts with ${next}, before that`)
  if (offset < segment.gapsEnd || later.some((base) => compacted.has(base)))
    throw damaged(log, position, `${wrong}, and compaction was done behind that, so all of it was durable`)
  const size = file.size()
  const damage = whyNotTorn(file, size, position, offset, end.isWhole, crc32c)
  if (damage !== undefined) throw damaged(log, position, `${wrong}, and ${damage}`)
  const bytes = later.reduce((sum, baseOffset) => sum + (disk.size(segmentPath(directory, baseOffset).log) ?? 0), size - position)
  for (const baseOffset of later.toReversed()) removeSegmentFiles(disk, directory, baseOffset)
  if (size > position) file.truncate(position)
  return { path: log, position, offset, bytes, wrong }
}

/** The `.log` file goes last: while it is there, recovery sees the segment. */
const removeSegmentFiles = (disk: Disk, directory: string, baseOffset: Offset): void => {
  for (const path of filesOf(segmentPath(directory, baseOffset))) if (disk.exists(path)) disk.unlink(path)
}

const deletedSuffix = ".deleted"

/** Takes a segment out of the log by renaming its files, the `.log` file last; answers their names now. What is left of them is removed when the log is opened next. */
export const retireSegmentFiles = (disk: Disk, directory: string, baseOffset: Offset): ReadonlyArray<string> => {
  return filesOf(segmentPath(directory, baseOffset)).flatMap((path) => {
    if (!disk.exists(path)) return []
    const retired = `${path}${deletedSuffix}`
    disk.rename(path, retired)
    return [retired]
  })
}

/**
 * Opens the segments of a log. After a clean close only their ends are looked at; otherwise every batch from the segment of the recovery point on is read
 * and checked, a torn tail is cut, and the indexes are made again. Throws a LogFault.
 */
export function* openSegments(context: OpenContext, point: RecoveryPoint | undefined): Generator<void, OpenSegments> {
  const { directory, disk } = context
  const bases = findSegments(context)
  const last = bases.at(-1)
  if (last === undefined) {
    if (point !== undefined && point.offset > 0)
      throw corrupt(directory, `The segments of ${directory} are gone; it held offsets up to ${point.offset}. Restore them, or remove the directory.`)
    return { sealed: [], active: newActiveSegment(context, 0), unsynced: [], cut: undefined, mustRewrite: false, isNew: true, isAsClosed: false }
  }
  const [first = 0] = bases
  if (point !== undefined && first > point.offset)
    throw damaged(segmentPath(directory, first).log, 0, `the first segment starts with offset ${first}, and the log held ${point.offset}, which is gone`)
  const isClean = point?.isClean === true && point.baseOffset === last && disk.size(segmentPath(directory, last).log) === point.position
  // The segment of the point, also where it ends there: its indexes were not synced before the next one's point.
  const firstWalked = isClean
    ? bases.length - 1
    : Math.max(
        0,
        bases.findLastIndex((base) => base <= (point?.baseOffset ?? 0))
      )
  const unsynced: Array<DiskFile> = []
  try {
    const sealed: Array<SealedSegment> = []
    for (const [i, base] of bases.slice(0, firstWalked).entries()) {
      sealed.push(openSealed(context, base, bases[i + 1] as Offset, unsynced))
      yield
    }
    if (isClean) {
      const file = disk.open(segmentPath(directory, last).log, "write")
      const active = orClose(file, () => openClean(context, point, file))
      return { sealed, active, unsynced, cut: undefined, mustRewrite: false, isNew: false, isAsClosed: active.isAsClosed && unsynced.length === 0 }
    }
    return {
      sealed,
      ...(yield* walkSegments(context, bases, firstWalked, point, sealed, unsynced)),
      unsynced,
      mustRewrite: point?.syncFailed === true,
      isNew: false,
      isAsClosed: false
    }
  } catch (error) {
    for (const file of unsynced) file.close()
    throw error
  }
}

function* walkSegments(
  context: OpenContext,
  bases: ReadonlyArray<Offset>,
  firstWalked: number,
  point: RecoveryPoint | undefined,
  sealed: Array<SealedSegment>,
  unsynced: Array<DiskFile>
): Generator<void, { readonly active: ActiveSegment; readonly cut: Cut | undefined }> {
  let epoch = 0
  for (let i = firstWalked; ; i++) {
    const walked = yield* verifySegment(context, bases[i] as Offset, epoch)
    unsynced.push(walked.segment.file())
    epoch = walked.end.epoch
    const later = bases.slice(i + 1)
    const isWrong = walked.end.wrong !== undefined || (later.length > 0 && later[0] !== Math.max(walked.end.offset, walked.segment.gapsEnd))
    const cut = isWrong ? cutTail(context, walked, later, point) : undefined
    if (cut === undefined && later.length > 0) {
      sealed.push(walked.segment.seal(context.caches))
      unsynced.push(...openIndexes(context.disk, walked.segment.path))
      continue
    }
    if (point !== undefined && walked.end.offset < point.offset)
      throw damaged(
        walked.segment.path.log,
        walked.end.position,
        `the log ends at offset ${walked.end.offset}, and everything before ${point.offset} was durable`
      )
    walked.segment.flushEntries()
    return { active: walked.segment, cut }
  }
}
