import type { Offset } from "../../../domain/kernel/id.ts"
import { headerSize } from "../../../domain/log/batch.ts"
import { locate, readRun } from "./segment-read.ts"
import type { ReadableSegment } from "./segments.ts"
import type { LogTail } from "./tail-cache.ts"

/** Where the last reads ended: consumers read on from there, and need no index for it. */
const hintsMax = 8

/** Reads of a log that its tail in memory does not answer. */
export class FileReads {
  private readonly hints = new Map<Offset, number>()

  constructor(private readonly tail: LogTail) {}

  /** Segments were removed, or written again: batches stand elsewhere. */
  forget(): void {
    this.hints.clear()
  }

  /** As PartitionLog.read, from the first of `segments` on. Throws what the disk throws. */
  read(segments: Iterable<ReadableSegment>, from: Offset, maxBytes: number, upTo: Offset): ReadonlyArray<Uint8Array> {
    const views: Array<Uint8Array> = []
    let left = maxBytes
    let at = from
    for (const segment of segments) {
      const isFirst = views.length === 0
      const known = this.hints.get(at)
      this.hints.delete(at)
      const position = segment.baseOffset === at ? 0 : (known ?? locate(segment, at))
      if (!isFirst && left < headerSize) break
      if (position < segment.sizeInBytes) {
        const run = readRun(segment, position, left, upTo, isFirst)
        if (run.bytes.length === 0) break
        views.push(run.bytes)
        left -= run.bytes.length
        at = run.endOffset
        if (position + run.bytes.length < segment.sizeInBytes) {
          this.remember(at, position + run.bytes.length)
          break
        }
      }
      // Compaction may have removed what stood at its end.
      at = segment.endOffset
      const tail = this.tail.read(at, left, upTo, views.length === 0)
      if (tail !== undefined) return [...views, ...tail]
    }
    return views
  }

  private remember(offset: Offset, position: number): void {
    this.hints.set(offset, position)
    if (this.hints.size > hintsMax) for (const oldest of this.hints.keys()) return void this.hints.delete(oldest)
  }
}
