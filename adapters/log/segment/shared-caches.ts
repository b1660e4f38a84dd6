import type { Disk, DiskFile } from "../disk/disk.ts"
import { type Indexes, loadIndexes, type SegmentExtent } from "./segment-files.ts"

/** Bounds of what a store keeps in memory and open for all its logs together. */
export interface CacheBounds {
  /** Files of sealed segments that stay open for reading. */
  readonly openFilesMax: number
  /** Bytes of indexes of sealed segments. */
  readonly indexBytesMax: number
}

/** What all logs of a store share: the least recently used goes first. */
export class SharedCaches {
  private readonly files = new Map<string, DiskFile>()
  private readonly indexes = new Map<string, Indexes>()
  private indexBytes = 0

  constructor(
    private readonly disk: Disk,
    private readonly bounds: CacheBounds
  ) {}

  /** The file of a sealed segment, open for reading until others are read more. Never kept by the caller over a wait. */
  file(path: string): DiskFile {
    const known = this.files.get(path)
    if (known !== undefined) {
      this.files.delete(path)
      this.files.set(path, known)
      return known
    }
    const file = this.disk.open(path, "read")
    this.files.set(path, file)
    if (this.files.size > this.bounds.openFilesMax) for (const [oldest] of this.files) return (this.closeFile(oldest), file)
    return file
  }

  indexesOf(segment: SegmentExtent, indexIntervalBytes: number): Indexes {
    const key = segment.path.log
    const known = this.indexes.get(key)
    if (known !== undefined) {
      this.indexes.delete(key)
      this.indexes.set(key, known)
      return known
    }
    const loaded = loadIndexes(this.disk, this.file(key), segment, indexIntervalBytes)
    this.indexes.set(key, loaded)
    this.indexBytes += loaded.offset.length + loaded.time.length
    for (const [oldest] of this.indexes) {
      if (this.indexBytes <= this.bounds.indexBytesMax || oldest === key) break
      this.dropIndexes(oldest)
    }
    return loaded
  }

  /** Forgets a segment that is removed or closed. */
  forget(path: string): void {
    this.closeFile(path)
    this.dropIndexes(path)
  }

  close(): void {
    for (const file of this.files.values()) file.close()
    this.files.clear()
    this.indexes.clear()
    this.indexBytes = 0
  }

  private closeFile(path: string): void {
    this.files.get(path)?.close()
    this.files.delete(path)
  }
  private dropIndexes(path: string): void {
    const dropped = this.indexes.get(path)
    if (dropped === undefined) return
    this.indexBytes -= dropped.offset.length + dropped.time.length
    this.indexes.delete(path)
  }
}
