import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import { swapSuffix } from "../compaction/recover.ts"
import { attempt, type Disk, type DiskFile, faultOf } from "../disk/disk.ts"
import type { LogCore } from "../log-core.ts"
import { filesOf, type SegmentPath, segmentPath } from "../segment/segment-files.ts"
import type { ReadableSegment } from "../segment/segments.ts"

/** What the copy has of one segment. */
interface CopiedSegment {
  /** Open while bytes of it may not be durable: the sync of a new descriptor need not tell of a write that failed. */
  file: DiskFile | undefined
  /** Bytes of the segment's log that were copied. */
  bytes: number
  /** Those that are durable. */
  synced: number
  /** The segment is sealed, and all its files are copied and durable. */
  isWhole: boolean
}

/** Bytes of one file that are not durable, at most: the sync at the end is short. */
const unsyncedMax = 33_554_432
/** What is read and written at a time once the log is closed, bytes. */
const restSliceBytes = 1_048_576

/** Names of a log's directory that are not copied: files of segments, each of which is copied with its segment, and what the next opening removes. */
const notOfLog = /^\d{20}\.(log|index|timeindex|checksum)(\..*)?$|\.(deleted|cleaned|tmp)$/

const shorter = (path: string, sizeInBytes: number): LogFault =>
  new LogFault({ path, reason: "io", message: `${path} has not the ${sizeInBytes} bytes that its log has written. It is not copied.` })
const interrupted = (path: string): LogFault =>
  new LogFault({ path, reason: "io", message: `${path} is left of a compaction that was interrupted. The log is not moved before it is opened again.` })

const nameIn = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/**
 * A copy of a log's files in another directory, made while the log is used. Bytes of segments do not change once they are
 * written, but for what compaction replaces and what a cut removes: the log tells the copy of both (`forget`), and the segments in
 * question are copied again. What retention deletes is left out at the end.
 */
export class LogCopy {
  private readonly copied = new Map<Offset, CopiedSegment>()
  /** Files beside segments, and of the whole log, that are copied and not durable. */
  private unsynced: Array<DiskFile> = []
  private isOver = false

  constructor(
    private readonly core: LogCore,
    private readonly disk: Disk,
    readonly directory: string
  ) {}

  /** Segments from `from` on and before `to` have other bytes from now on. */
  forget(from: Offset, to = Number.POSITIVE_INFINITY): void {
    for (const [base, { file }] of this.copied) {
      if (base < from || base >= to) continue
      this.copied.delete(base)
      if (file !== undefined) attempt(file.path, "close", () => file.close())
    }
  }

  /** No byte is copied any more. */
  end(): void {
    this.isOver = true
    this.forget(0)
  }

  get endOffset(): Offset {
    for (const { baseOffset, sizeInBytes } of this.core.segments.from(0)) if ((this.copied.get(baseOffset)?.bytes ?? 0) < sizeInBytes) return baseOffset
    return this.core.segments.end
  }
  get sizeInBytes(): number {
    let sum = 0
    for (const { baseOffset } of this.core.segments.from(0)) sum += this.copied.get(baseOffset)?.bytes ?? 0
    return sum
  }

  /**
   * Copies a slice of the log that is open, and makes durable what is due. Returns the bytes that were copied, at most `bytesMax`; undefined once only
   * the end of the last segment is left, at most `bytesMax` of it.
   */
  slice(bytesMax: number): Effect.Effect<number | undefined, LogFault> {
    const { core } = this
    // Compaction, retention and cuts change no segment meanwhile.
    const copied = core.exclusive(
      Effect.suspend(() => (this.isOver ? this.ended : undefined) ?? core.refusal() ?? attempt(this.directory, "copy a log to", () => this.next(bytesMax)))
    )
    return Effect.flatMap(copied, (next) => {
      if (next === undefined) return Effect.as(this.synced(this.copied.get(core.segments.active.baseOffset)), undefined)
      const { bytes, isAllOf, segment } = next
      if (!isAllOf && segment.bytes - segment.synced < unsyncedMax) return Effect.succeed(bytes)
      return Effect.map(Effect.zipRight(this.synced(segment), this.syncBeside), () => {
        if (isAllOf) this.settle(segment)
        return bytes
      })
    })
  }

  private next(bytesMax: number): { readonly segment: CopiedSegment; readonly bytes: number; readonly isAllOf: boolean } | undefined {
    const { active, sealed } = this.core.segments
    for (const each of sealed) {
      const segment = this.of(each)
      if (segment.isWhole) continue
      const bytes = this.chunk(each, segment, bytesMax)
      const isAllOf = segment.bytes === each.sizeInBytes
      if (isAllOf) this.copyBeside(each.path)
      return { segment, bytes, isAllOf }
    }
    const segment = this.of(active)
    if (active.sizeInBytes - segment.bytes <= bytesMax) return undefined
    return { segment, bytes: this.chunk(active, segment, bytesMax), isAllOf: false }
  }

  private of({ baseOffset, path }: ReadableSegment): CopiedSegment {
    const known = this.copied.get(baseOffset)
    if (known !== undefined) return known
    const file = this.disk.open(this.at(path.log), "create")
    const segment: CopiedSegment = { file, bytes: 0, synced: 0, isWhole: false }
    this.copied.set(baseOffset, segment)
    // What is there was copied of a segment that had other bytes.
    file.truncate(0)
    return segment
  }

  private at(path: string): string {
    return `${this.directory}/${nameIn(path)}`
  }

  /** Copies the next bytes of a segment's log. Throws what the disks throw. */
  private chunk({ path, sizeInBytes }: ReadableSegment, segment: CopiedSegment, bytesMax: number): number {
    const wanted = Math.min(bytesMax, sizeInBytes - segment.bytes)
    if (wanted === 0) return 0
    const bytes = new Uint8Array(wanted)
    const from = this.core.parts.disk.open(path.log, "read")
    try {
      if (from.read(bytes, segment.bytes) < wanted) throw shorter(path.log, sizeInBytes)
    } finally {
      from.close()
    }
    segment.file ??= this.disk.open(this.at(path.log), "write")
    segment.file.write([bytes], segment.bytes)
    segment.bytes += wanted
    return wanted
  }

  /** Makes the copy of a segment's log durable, as far as it is. */
  private synced(segment: CopiedSegment | undefined): Effect.Effect<void, LogFault> {
    const file = segment?.file
    if (segment === undefined || file === undefined) return Effect.void
    const { bytes } = segment
    return Effect.mapBoth(file.sync, { onFailure: (error) => faultOf(file.path, "sync", error), onSuccess: () => void (segment.synced = bytes) })
  }

  /** A sealed segment is copied. Where it was compacted or cut meanwhile, it is another one. */
  private settle(segment: CopiedSegment): void {
    segment.isWhole = true
    const { file } = segment
    segment.file = undefined
    if (file !== undefined) attempt(file.path, "close", () => file.close())
  }

  /** Copies what is beside a segment's log; a file that the log does not have goes. Throws what the disks throw. */
  private copyBeside({ checksum, offsetIndex, timeIndex }: SegmentPath): void {
    for (const path of [offsetIndex, timeIndex, checksum]) this.copyFile(path)
  }

  /** Copies a whole file, durably. Throws what the disks throw. */
  private copyFile(path: string): void {
    const { disk: source } = this.core.parts
    const to = this.at(path)
    if (!source.exists(path)) return this.disk.exists(to) ? this.disk.unlink(to) : undefined
    const from = source.open(path, "read")
    const into = this.disk.open(to, "create")
    try {
      into.truncate(0)
      const size = from.size()
      const bytes = new Uint8Array(Math.min(size, restSliceBytes))
      for (let at = 0; at < size; at += bytes.length) into.write([bytes.subarray(0, from.read(bytes.subarray(0, Math.min(bytes.length, size - at)), at))], at)
      this.unsynced.push(into)
    } catch (error) {
      attempt(to, "close", () => into.close())
      throw error
    } finally {
      from.close()
    }
  }
  private readonly syncBeside: Effect.Effect<void, LogFault> = Effect.suspend(() => {
    const files = this.unsynced
    this.unsynced = []
    return Effect.ensuring(
      Effect.forEach(files, (file) => Effect.mapError(file.sync, (error) => faultOf(file.path, "sync", error)), { discard: true }),
      Effect.sync(() => {
        for (const file of files) attempt(file.path, "close", () => file.close())
      })
    )
  })

  /** Copies what is left of the log, which is closed, and removes what is not the log's. All of it is durable when it returns, but for the directory's own name. */
  readonly rest: Effect.Effect<void, LogFault> = Effect.suspend(() =>
    this.core.exclusive(
      Effect.gen(this, function* () {
        if (this.isOver) return yield* this.ended
        const { core, directory, disk } = this
        const { directory: from, disk: source } = core.parts
        const names = yield* attempt(from, "list", () => source.list(from))
        const left = names.find((name) => name.endsWith(swapSuffix))
        if (left !== undefined) return yield* interrupted(`${from}/${left}`)
        const kept = new Set<string>()
        for (const segment of core.segments.from(0)) {
          yield* this.restOf(segment)
          for (const path of filesOf(segmentPath(from, segment.baseOffset))) kept.add(nameIn(path))
        }
        for (const name of names) {
          if (kept.has(name) || notOfLog.test(name)) continue
          yield* attempt(directory, "copy a log to", () => this.copyFile(`${from}/${name}`))
          kept.add(name)
        }
        yield* this.syncBeside
        yield* attempt(directory, "clear", () => {
          for (const name of disk.list(directory)) if (!kept.has(name)) disk.unlink(`${directory}/${name}`)
        })
        yield* Effect.mapError(disk.syncDirectory(directory), (error) => faultOf(directory, "sync", error))
      })
    )
  )

  private restOf(each: ReadableSegment): Effect.Effect<void, LogFault> {
    return Effect.gen(this, function* () {
      const { directory } = this
      const { path, sizeInBytes } = each
      const segment = yield* attempt(directory, "copy a log to", () => this.of(each))
      if (segment.isWhole) return
      while (segment.bytes < sizeInBytes) {
        yield* attempt(directory, "copy a log to", () => this.chunk(each, segment, restSliceBytes))
        yield* Effect.yieldNow()
      }
      yield* attempt(directory, "copy a log to", () => {
        const size = this.core.parts.disk.size(path.log)
        if (size !== sizeInBytes || segment.bytes !== sizeInBytes) throw shorter(path.log, sizeInBytes)
        this.copyBeside(path)
      })
      yield* this.synced(segment)
      yield* this.syncBeside
      this.settle(segment)
    })
  }

  private get ended(): LogFault {
    return new LogFault({ path: this.directory, reason: "io", message: `The move of ${this.core.directory} was ended.` })
  }
}
