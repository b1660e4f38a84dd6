import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { attempt, type DiskFile, faultOf } from "../disk/disk.ts"
import type { LogCore } from "../log-core.ts"
import { filesOf, openIndexes, type SegmentPath } from "../segment/segment-files.ts"
import { ActiveSegment } from "../segment/segments.ts"
import { cleanedSuffix } from "./recover.ts"

/** A position in a segment is an int32. */
const positionMax = 0x7fff_ffff

/** Writes a compacted segment beside those that it will take the place of, with its indexes. No reader sees it before it is swapped in. */
export class CleanedSegmentWriter {
  readonly path: SegmentPath
  private readonly segment: ActiveSegment
  private readonly file: DiskFile
  private chunks: Array<Uint8Array> = []
  private waitingBytes = 0
  private written = 0

  /** Throws what the disk throws. */
  constructor(
    private readonly log: LogCore,
    baseOffset: Offset,
    gapsEnd: Offset,
    private readonly bufferBytes: number
  ) {
    const { crc32c, directory, disk } = log.parts
    const place = { disk, directory, crc32c, suffix: cleanedSuffix, gapsEnd }
    const name = `${directory}/${String(baseOffset).padStart(20, "0")}.log${cleanedSuffix}`
    this.file = disk.open(name, "create")
    this.file.truncate(0)
    this.segment = new ActiveSegment(place, this.file, baseOffset, log.config, 0)
    this.path = this.segment.path
  }

  get sizeInBytes(): number {
    return this.segment.sizeInBytes
  }
  get maxTimestamp(): number {
    return this.segment.maxTimestamp
  }

  /** Adds a batch, whose bytes are copied. Throws what the disk throws. */
  add(batch: RecordBatch): void {
    if (this.sizeInBytes + batch.bytes.length > positionMax) throw faultOf(this.path.log, "write", new Error("the compacted segment would grow over 2 GiB"))
    this.chunks.push(batch.bytes.slice())
    this.waitingBytes += batch.bytes.length
    this.segment.grow(batch)
    if (this.waitingBytes >= this.bufferBytes) this.flush()
  }

  private flush(): void {
    if (this.chunks.length === 0) return
    this.file.write(this.chunks, this.written)
    this.written += this.waitingBytes
    this.chunks = []
    this.waitingBytes = 0
  }

  /** Makes the segment and the files beside it durable, under the names that they have. */
  readonly finish: Effect.Effect<void, LogFault> = Effect.suspend(() => {
    const { disk } = this.log.parts
    return attempt(this.path.log, "write", () => {
      this.flush()
      this.segment.finish()
      return [this.file, ...openIndexes(disk, this.path)]
    }).pipe(
      Effect.flatMap((files) =>
        Effect.ensuring(
          Effect.forEach(files, (file) => Effect.mapError(file.sync, (error) => this.log.syncFailed(file.path, error)), { discard: true }),
          Effect.sync(() => {
            for (const file of files.slice(1)) file.close()
          })
        )
      )
    )
  })

  close(): void {
    attempt(this.path.log, "close", () => this.file.close())
  }

  /** Takes it all back. What cannot be removed now goes when the log is opened next. */
  discard(): void {
    const { disk } = this.log.parts
    attempt(this.path.log, "remove", () => {
      for (const file of filesOf(this.path)) if (disk.exists(file)) disk.unlink(file)
    })
  }
}
