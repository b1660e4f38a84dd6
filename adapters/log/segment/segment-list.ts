import { bug } from "../../../domain/kernel/bug.ts"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { SegmentExtent } from "../../../domain/log/retention.ts"
import { attempt, type Disk, type DiskFile } from "../disk/disk.ts"
import { openBeside } from "./segment-files.ts"
import { type ActiveSegment, indexOf, type ReadableSegment, type SealedSegment } from "./segments.ts"
import type { SharedCaches } from "./shared-caches.ts"

/** Where a log ends when a sync of it is asked for. */
export interface SyncPoint {
  readonly active: ActiveSegment
  /** The log's end, and the byte of the active segment that it is at. */
  readonly end: Offset
  readonly position: number
  /** The changes of the active segment's file by then (`DiskFile.changeMark`). */
  readonly mark: number
}

/** What one round of syncs makes durable: the state of the log when the round starts. */
export interface UnsyncedChanges extends Omit<SyncPoint, "mark"> {
  /** Files of sealed segments and of what is derived from them. */
  readonly files: ReadonlyArray<DiskFile>
  /** Names in the log's directory changed. */
  readonly hasNewNames: boolean
  /** The log's directory itself is new in the data directory. */
  readonly isNewInRoot: boolean
  /** A segment was sealed since the round before. */
  readonly hasSealed: boolean
}

/**
 * The segments of an open log: the sealed ones in order, the active one at its end, and which of their files and names the next sync must cover.
 * Sealed segments touch: each ends at the offset at which the next one starts. A hole would lose records without an error, so it stops the node.
 */
export class SegmentList {
  active: ActiveSegment
  private readonly sealedSegments: Array<SealedSegment>
  /** Files whose bytes are not durable yet, by the descriptors that they were written through: a new descriptor may not be told that an earlier write failed. */
  private unsynced: Array<DiskFile> = []
  private hasNewNames: boolean
  private isNewInRoot: boolean
  private hasSealed = false
  /** How often the log was cut since it was opened. Work that waited in between compares: what it knew of the log may be gone. */
  cuts = 0

  /** The segments are durable as they are, unless the log is new. */
  constructor(
    private readonly disk: Disk,
    private readonly caches: SharedCaches,
    { active, isNew, sealed }: { readonly sealed: ReadonlyArray<SealedSegment>; readonly active: ActiveSegment; readonly isNew: boolean }
  ) {
    this.sealedSegments = [...sealed]
    this.active = active
    this.hasNewNames = this.isNewInRoot = isNew
    this.mustTouch(0, this.sealedSegments.length)
  }

  get sealed(): ReadonlyArray<SealedSegment> {
    return this.sealedSegments
  }
  /** The log's first offset. */
  get start(): Offset {
    return (this.sealedSegments[0] ?? this.active).baseOffset
  }
  /** The offset of the next record. */
  get end(): Offset {
    return this.active.endOffset
  }
  get extents(): ReadonlyArray<SegmentExtent> {
    return [...this.segmentsFrom(0)]
  }
  /** The segments from the one that holds `offset` on, or that holds the first record after it. */
  from(offset: Offset): Iterable<ReadableSegment> {
    return this.segmentsFrom(indexOf(this.sealedSegments, offset))
  }
  private *segmentsFrom(index: number): Generator<ReadableSegment> {
    for (let i = index; i < this.sealedSegments.length; i++) yield this.sealedSegments[i] as SealedSegment
    yield this.active
  }

  /** Seals the active segment; `next`, which is empty, takes its place. Does not throw once it has begun: half a roll would count unsynced records as durable. */
  roll(next: ActiveSegment): SealedSegment {
    const old = this.active
    this.active = next
    const sealed = old.seal(this.caches)
    this.sealedSegments.push(sealed)
    this.mustTouch(this.sealedSegments.length - 1, this.sealedSegments.length)
    this.mustSync([old.file(), ...openBeside(this.disk, sealed)])
    this.hasSealed = true
    return sealed
  }

  /** Retention removed the first sealed segment. */
  dropFirst(): void {
    const first = this.sealedSegments.shift()
    if (first !== undefined) this.caches.forget(first.path.log)
  }

  /** Compaction wrote `by` in place of `old`, which follow one another. Does nothing where they are not in the list any more. */
  replace(old: ReadonlyArray<SealedSegment>, by: SealedSegment): void {
    const at = this.sealedSegments.indexOf(old[0] as SealedSegment)
    if (at < 0) return
    this.sealedSegments.splice(at, old.length, by)
    for (const segment of old) this.caches.forget(segment.path.log)
    this.mustTouch(at - 1, at + 1)
  }

  /** The log was cut: `active` is its last segment from now on, and the only one where the log `restarts` there. The caller has synced everything before. */
  cutTo(active: ActiveSegment, restarts: boolean): void {
    if (this.hasUnsyncedFiles || this.hasNewNames) bug(`${active.path.log} is to be the end of its log, and the log has files that are not synced.`)
    const kept = restarts ? 0 : this.sealedSegments.filter(({ baseOffset }) => baseOffset < active.baseOffset).length
    for (const { path } of this.segmentsFrom(kept)) this.caches.forget(path.log)
    const old = this.active.file()
    attempt(old.path, "close", () => old.close())
    this.sealedSegments.length = kept
    this.active = active
    this.cuts++
    this.mustTouch(kept - 1, kept)
  }

  /** The next round of syncs covers these files, and names in the directory. */
  mustSync(files: ReadonlyArray<DiskFile>): void {
    this.unsynced.push(...files)
    this.hasNewNames ||= files.length > 0
  }
  /** The next round of syncs covers names in the directory. */
  mustSyncNames(): void {
    this.hasNewNames = true
  }
  get hasUnsyncedNames(): boolean {
    return this.hasNewNames
  }
  get hasUnsyncedFiles(): boolean {
    return this.unsynced.length > 0
  }

  /** What a round that starts now must make durable. A copy: the round does not cover what a roll adds while it runs. */
  takeChanges(): UnsyncedChanges {
    const { active, hasNewNames, hasSealed, isNewInRoot } = this
    this.hasNewNames = this.isNewInRoot = this.hasSealed = false
    return { files: [...this.unsynced], active, end: active.endOffset, position: active.sizeInBytes, hasNewNames, isNewInRoot, hasSealed }
  }

  /** The log's end, for a sync of records alone; undefined where files or names must be synced too. */
  get recordsPoint(): SyncPoint | undefined {
    const { active } = this
    if (this.hasNewNames || this.unsynced.length > 0) return undefined
    const mark = active.file().changeMark?.()
    return mark === undefined ? undefined : { active, end: active.endOffset, position: active.sizeInBytes, mark }
  }

  /** The round made them durable. */
  synced({ files }: UnsyncedChanges): void {
    for (const file of files) file.close()
    this.unsynced = this.unsynced.filter((file) => !files.includes(file))
  }

  /** Closes all files. Of what cannot be closed nothing is left to do. */
  close(): void {
    for (const file of [...this.unsynced, this.active.file()]) attempt(file.path, "close", () => file.close())
    for (const { path } of this.segmentsFrom(0)) this.caches.forget(path.log)
  }

  /** Each of the sealed segments from `from` up to and without `to` ends where the next one starts. */
  private mustTouch(from: number, to: number): void {
    for (let i = Math.max(0, from); i < to; i++) {
      const { endOffset, path } = this.sealedSegments[i] as SealedSegment
      const { baseOffset } = this.sealedSegments[i + 1] ?? this.active
      if (endOffset !== baseOffset) bug(`The segment ${path.log} ends at offset ${endOffset}, and the next one starts at ${baseOffset}.`)
    }
  }
}
