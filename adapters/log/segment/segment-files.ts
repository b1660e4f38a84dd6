import { Either } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../domain/log/int.ts"
import { offsetIndexFault } from "../../../domain/log/offset-index.ts"
import { checksumFileName, emptySegment, grow, logFileName, offsetIndexFileName, sealingTimeEntry, timeIndexFileName } from "../../../domain/log/segment.ts"
import { timeIndexFault } from "../../../domain/log/time-index.ts"
import { attempt, corrupt, type Disk, type DiskFile, readSmallFile } from "../disk/disk.ts"
import { walkHeaders } from "./header-walk.ts"
import { IndexBuffer, offsetIndex, timeIndex } from "./index-buffer.ts"

/** Where a segment's files are. */
export interface SegmentPath {
  readonly log: string
  readonly offsetIndex: string
  readonly timeIndex: string
  /** There from the segment's end on; missing while it is written, and in a log that an older version wrote. */
  readonly checksum: string
}
/** `suffix` ends the names of a segment that compaction writes. */
export const segmentPath = (directory: string, baseOffset: Offset, suffix = ""): SegmentPath => ({
  log: `${directory}/${logFileName(baseOffset)}${suffix}`,
  offsetIndex: `${directory}/${offsetIndexFileName(baseOffset)}${suffix}`,
  timeIndex: `${directory}/${timeIndexFileName(baseOffset)}${suffix}`,
  checksum: `${directory}/${checksumFileName(baseOffset)}${suffix}`
})

/** All that a segment has on the disk, the `.log` file last: while it is there, recovery sees the segment. */
export const filesOf = ({ checksum, log, offsetIndex, timeIndex }: SegmentPath): ReadonlyArray<string> => [offsetIndex, timeIndex, checksum, log]

/** What must be known of a segment to read its indexes or to make them again. */
export interface SegmentExtent {
  readonly path: SegmentPath
  readonly baseOffset: Offset
  /** The offset after its last record. */
  readonly endOffset: Offset
  readonly sizeInBytes: number
}

/** Both indexes of a segment that is not written any more: whole entries. */
export interface Indexes {
  readonly offset: Uint8Array
  readonly time: Uint8Array
}

/** One number for the files beside a segment, whose checksum file may be missing: a clean close notes it, since it does not sync them. */
export const checksumOf = ({ offset, time }: Indexes, checksum: Uint8Array | undefined, crc32c: Crc32c): number => {
  const all = new Uint8Array(checksum === undefined ? 8 : 12)
  writeInt32(all, 0, crc32c(offset))
  writeInt32(all, 4, crc32c(time))
  if (checksum !== undefined) writeInt32(all, 8, crc32c(checksum))
  return crc32c(all)
}

/** The files beside a segment that are there, to be synced with it: once the recovery point has passed a segment, only the ends of its indexes are looked at. */
export const openIndexes = (disk: Disk, path: SegmentPath): ReadonlyArray<DiskFile> =>
  [path.offsetIndex, path.timeIndex, path.checksum].filter((file) => disk.exists(file)).map((file) => disk.open(file, "write"))

/**
 * The same for a segment that was ended just now, and without a throw: its log must be synced whatever becomes of these. One that cannot be opened (the process has
 * no descriptors) could not be synced, so it is removed, which takes none: an index is made again by its next reader, a checksum by the scrub.
 */
export const openBeside = (disk: Disk, segment: { readonly path: SegmentPath; hasChecksum: boolean }): ReadonlyArray<DiskFile> => {
  const { checksum, offsetIndex: offset, timeIndex: time } = segment.path
  const files = [offset, time, checksum].flatMap((path) => {
    const opened = attempt(path, "open", () => (disk.exists(path) ? [disk.open(path, "write")] : []))
    if (Either.isRight(opened)) return opened.right
    attempt(path, "remove", () => disk.unlink(path))
    return []
  })
  segment.hasChecksum &&= disk.exists(checksum)
  return files
}

/** No index that this program writes is larger: `segment.index.bytes` is an int32. */
const indexBytesMax = 0x7fff_ffff

/** A first entry of zeros alone is what a power cut leaves of one that was never written: such a time index would say that nothing is later than 1970. */
export const isBlankTimeEntry = (bytes: Uint8Array): boolean => bytes.subarray(0, timeIndex.entrySize).every((byte) => byte === 0)

const loadIndex = (disk: Disk, path: string, faultIn: (bytes: Uint8Array) => string | undefined): Uint8Array | undefined => {
  if (!disk.exists(path)) return undefined
  const bytes = readSmallFile(disk, path, indexBytesMax)
  return faultIn(bytes) === undefined ? bytes : undefined
}

/** Makes both indexes from the batches' headers, writes them, and answers them. Throws a LogFault "corrupt" where batches do not fit one after the other. */
export const rebuildIndexes = (disk: Disk, file: DiskFile, { baseOffset, path, sizeInBytes }: SegmentExtent, indexIntervalBytes: number): Indexes => {
  const offsets = new IndexBuffer(offsetIndex, disk, path.offsetIndex, baseOffset)
  const times = new IndexBuffer(timeIndex, disk, path.timeIndex, baseOffset)
  let segment = emptySegment(baseOffset)
  const walked = walkHeaders(file, 0, sizeInBytes, (header) => {
    const grown = grow(segment, header, { indexIntervalBytes })
    segment = grown.segment
    if (grown.offsetEntry !== undefined) offsets.add(grown.offsetEntry)
    if (grown.timeEntry !== undefined) times.add(grown.timeEntry)
    return true
  })
  if (walked.wrong !== undefined) throw damaged(path.log, walked.position, walked.wrong)
  const sealing = sealingTimeEntry(segment)
  if (sealing !== undefined) times.add(sealing)
  offsets.flush()
  times.flush()
  return { offset: offsets.bytes.subarray(0, offsets.count * offsetIndex.entrySize), time: times.bytes.subarray(0, times.count * timeIndex.entrySize) }
}

const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf("/"))

/** The sentence for damage that recovery must not repair by cutting. */
export const damaged = (path: string, position: number, wrong: string) =>
  corrupt(
    path,
    `${path} is damaged at byte ${position}: ${wrong.replace(/\.$/, "")}. Nothing was changed. Its log stays offline: \`franz log verify ${directoryOf(path)}\` shows all that is wrong; restore the file from a copy, or see with \`franz log repair ${directoryOf(path)}\` what a cut there would lose.`
  )

/** The indexes of a sealed segment as its files have them, or made again where a file is missing, torn, or does not fit the log. */
export const loadIndexes = (disk: Disk, file: DiskFile, segment: SegmentExtent, indexIntervalBytes: number): Indexes => {
  const offset = loadIndex(disk, segment.path.offsetIndex, (bytes) => offsetIndexFault(bytes, segment.sizeInBytes))
  const time = loadIndex(disk, segment.path.timeIndex, (bytes) => timeIndexFault(bytes, segment.baseOffset, segment.endOffset))
  // A sealed segment that has a batch has an entry in its time index, unless its batches have no timestamps: then a second look costs little.
  if (offset === undefined || time === undefined || (isBlankTimeEntry(time) && segment.sizeInBytes > 0))
    return rebuildIndexes(disk, file, segment, indexIntervalBytes)
  return { offset, time }
}
