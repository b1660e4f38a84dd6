import { bug } from "../../../domain/kernel/bug.ts"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { type ChainEntry, HeaderChain } from "../../../domain/log/header-chain.ts"
import { lookupOffset, offsetEntrySize } from "../../../domain/log/offset-index.ts"
import { emptySegment, grow, type Segment, type SegmentBatch, type SegmentConfig, sealingTimeEntry, shouldRoll } from "../../../domain/log/segment.ts"
import { lookupTimestamp, type TimeEntry, timeEntrySize } from "../../../domain/log/time-index.ts"
import { attempt, type Disk, type DiskFile } from "../disk/disk.ts"
import { IndexBuffer, offsetIndex, timeIndex } from "./index-buffer.ts"
import { writeChecksum } from "./segment-checksum.ts"
import { checksumOf, type Indexes, type SegmentExtent, type SegmentPath, segmentPath } from "./segment-files.ts"
import type { SharedCaches } from "./shared-caches.ts"

/** A segment as readers see it, sealed or not. */
export interface ReadableSegment extends SegmentExtent {
  /** The largest timestamp of its batches, ms; -1 when there is none. */
  readonly maxTimestamp: number
  /** Compaction went over it: records before this offset may be missing. Its base offset where none may. */
  readonly gapsEnd: Offset
  readonly file: () => DiskFile
  /** Where to start looking for the batch that holds `offset`. */
  readonly positionFor: (offset: Offset) => number
  /** The last indexed point at which all timestamps were below `timestamp`. */
  readonly timeEntryFor: (timestamp: number) => TimeEntry | undefined
}

/** A segment that is not written any more. Its file and indexes are opened when it is read. */
export class SealedSegment implements ReadableSegment {
  constructor(
    private readonly caches: SharedCaches,
    private readonly indexIntervalBytes: number,
    readonly path: SegmentPath,
    readonly baseOffset: Offset,
    readonly endOffset: Offset,
    readonly sizeInBytes: number,
    readonly maxTimestamp: number,
    /** Whether a checksum file was written for it. Its contents are checked when the segment is scrubbed. */
    public hasChecksum = false,
    readonly gapsEnd: Offset = baseOffset
  ) {}

  file(): DiskFile {
    return this.caches.file(this.path.log)
  }
  positionFor(offset: Offset): number {
    const { offset: bytes } = this.indexes()
    return lookupOffset(bytes, bytes.length / offsetEntrySize, this.baseOffset, offset).position
  }
  timeEntryFor(timestamp: number): TimeEntry | undefined {
    const { time } = this.indexes()
    return lookupTimestamp(time, time.length / timeEntrySize, this.baseOffset, timestamp)
  }
  indexes(): Indexes {
    return this.caches.indexesOf(this, this.indexIntervalBytes)
  }
}

/** Which of the segments, in order, is the first that holds an offset at or after `offset`; their number when none does. */
export const indexOf = (segments: ReadonlyArray<SealedSegment>, offset: Offset): number => {
  let low = 0
  let high = segments.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((segments[middle] as SealedSegment).endOffset <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** What a segment has to know of batches that are added together. Throws where they do not follow each other from `next` on. */
export const runOf = (batches: ReadonlyArray<RecordBatch>, next: Offset, directory: string): SegmentBatch => {
  let sizeInBytes = 0
  let maxTimestamp = -1
  let at = next
  for (const batch of batches) {
    // A gap in the offsets would be found only at the next start, as damage. The writer that makes one is stopped.
    if (batch.baseOffset !== at) bug(`A batch with offset ${batch.baseOffset} was appended to ${directory}, where ${at} comes next.`)
    at = batch.nextOffset
    sizeInBytes += batch.bytes.length
    maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp)
  }
  return { sizeInBytes, lastOffset: at - 1, maxTimestamp }
}

/** Where a segment is written. */
export interface SegmentContext {
  readonly disk: Disk
  readonly directory: string
  readonly crc32c: Crc32c
  /** What its files have behind their names while compaction writes them. */
  readonly suffix?: string
  /** As in ReadableSegment; absent: no record is missing. */
  readonly gapsEnd?: Offset
}

/** The segment at the end of a log, with its file open and its indexes in memory. */
export class ActiveSegment implements ReadableSegment {
  readonly path: SegmentPath
  readonly gapsEnd: Offset
  endOffset: Offset
  private state: Segment
  /** Unknown where an earlier life did not leave it: then the scrub makes the checksum, when the segment is sealed. */
  private readonly chain: HeaderChain | undefined
  /** The files beside it were found as a clean close left them. */
  readonly isAsClosed: boolean
  private readonly offsets: IndexBuffer<{ readonly offset: Offset; readonly position: number }>
  private readonly times: IndexBuffer<TimeEntry>
  /** The checksum file as it was written last. */
  private checksum: Uint8Array | undefined

  /** `indexes` and `state` are what a clean close left; without them the segment is empty, and recovery adds its batches one by one. */
  constructor(
    private readonly place: SegmentContext,
    private readonly active: DiskFile,
    readonly baseOffset: Offset,
    private config: SegmentConfig,
    /** When it was made or opened, ms: its age where batches carry no timestamps. */
    private readonly createdAt: number,
    found?: { readonly state: Segment; readonly endOffset: Offset; readonly indexes: Indexes; readonly chain: HeaderChain | undefined }
  ) {
    const { directory, disk, gapsEnd = baseOffset, suffix } = place
    this.gapsEnd = gapsEnd
    this.chain = found === undefined ? new HeaderChain() : found.chain
    this.isAsClosed = found?.chain !== undefined
    this.path = segmentPath(directory, baseOffset, suffix)
    this.endOffset = found?.endOffset ?? baseOffset
    this.state = found?.state ?? emptySegment(baseOffset)
    this.offsets = new IndexBuffer(offsetIndex, disk, this.path.offsetIndex, baseOffset, found?.indexes.offset)
    this.times = new IndexBuffer(timeIndex, disk, this.path.timeIndex, baseOffset, found?.indexes.time)
  }

  get sizeInBytes(): number {
    return this.state.sizeInBytes
  }
  get maxTimestamp(): number {
    return this.state.maxTimestamp
  }
  file(): DiskFile {
    return this.active
  }
  positionFor(offset: Offset): number {
    return lookupOffset(this.offsets.bytes, this.offsets.count, this.baseOffset, offset).position
  }
  timeEntryFor(timestamp: number): TimeEntry | undefined {
    return lookupTimestamp(this.times.bytes, this.times.count, this.baseOffset, timestamp)
  }
  isFullFor(batch: SegmentBatch, now: number): boolean {
    return shouldRoll(this.state, batch, this.config, now, this.createdAt)
  }

  /** From the next batch on. */
  configure(config: SegmentConfig): void {
    this.config = config
  }

  /** The batch's bytes are in the file; only the header is looked at. */
  grow(batch: RecordBatch): void {
    const { offsetEntry, segment, timeEntry } = grow(this.state, batch, this.config)
    this.state = segment
    this.endOffset = batch.nextOffset
    this.chain?.add(batch)
    if (offsetEntry !== undefined) this.offsets.add(offsetEntry)
    if (timeEntry !== undefined) this.times.add(timeEntry)
  }

  /** As a sealed segment has them: whole entries. */
  indexes(): Indexes {
    const { offsets, times } = this
    return { offset: offsets.bytes.subarray(0, offsets.count * offsetIndex.entrySize), time: times.bytes.subarray(0, times.count * timeIndex.entrySize) }
  }
  /** The checksums of its headers so far; undefined where they are not known from its first batch on. */
  headerEntries(): ReadonlyArray<ChainEntry> | undefined {
    return this.chain?.entries()
  }

  /** The index files were removed: writes them again. */
  rewriteEntries(): void {
    this.offsets.fileIsGone()
    this.times.fileIsGone()
    this.flushEntries()
  }

  /** Writes out what the index files do not have yet, and makes them where they are missing: for tools that look at a log in use. */
  flushEntries(): void {
    this.offsets.flush()
    this.times.flush()
  }

  /** Writes the files beside the log when nothing more is written to it: the indexes, with the entry that tells the largest timestamp, and the checksum. */
  finish(): void {
    const sealing = sealingTimeEntry(this.state)
    if (sealing !== undefined) {
      this.times.add(sealing)
      this.state = { ...this.state, timeEntryCount: this.state.timeEntryCount + 1, lastTimeEntry: sealing.timestamp }
    }
    this.flushEntries()
    const { chain, path, place } = this
    // What an earlier life left may fit by its size and not by what it says.
    if (chain === undefined) attempt(path.checksum, "remove", () => place.disk.exists(path.checksum) && place.disk.unlink(path.checksum))
    this.checksum = chain === undefined ? undefined : writeChecksum(place.disk, path.checksum, this, chain, place.crc32c)
  }

  /** Of what `finish` wrote. */
  indexesChecksum(): number {
    return checksumOf(this.indexes(), this.checksum, this.place.crc32c)
  }

  /** The same bytes as a sealed segment. The file stays open: it may have to be synced yet. */
  seal(caches: SharedCaches): SealedSegment {
    this.finish()
    const { baseOffset, checksum, config, endOffset, gapsEnd, maxTimestamp, path, sizeInBytes } = this
    const end = Math.max(endOffset, gapsEnd)
    return new SealedSegment(caches, config.indexIntervalBytes, path, baseOffset, end, sizeInBytes, maxTimestamp, checksum !== undefined, gapsEnd)
  }
}
