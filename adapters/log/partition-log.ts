import { Effect, Either } from "effect"
import type { Offset } from "../../domain/kernel/id.ts"
import { RecordBatch } from "../../domain/log/batch.ts"
import type { SegmentExtent } from "../../domain/log/retention.ts"
import type { SegmentBatch } from "../../domain/log/segment.ts"
import type { Compacted, CompactionOrder } from "../../src/ports/compaction.ts"
import { type LogConfig, LogFault, type PartitionLog } from "../../src/ports/log-store.ts"
import { compactLog } from "./compaction/compact.ts"
import type { CompactionNote } from "./compaction/note.ts"
import type { CompactedLog } from "./compaction/swap.ts"
import { dropBefore, type ShortenedLog } from "./delete-before.ts"
import type { DerivedFiles } from "./derived-files.ts"
import { attempt, type DiskFile, faultOf } from "./disk/disk.ts"
import { isOutOfFiles } from "./disk/file-pool.ts"
import { GroupCommit } from "./disk/group-commit.ts"
import { LaterRemoval } from "./disk/later-removal.ts"
import { inSlices } from "./disk/slices.ts"
import type { LogParts } from "./log-parts.ts"
import { newActiveSegment, type OpenSegments } from "./recovery/open-segments.ts"
import type { RecoveryPoint } from "./recovery/recovery-point.ts"
import type { ScrubbedLog } from "./scrub/scrubber.ts"
import { FileReads } from "./segment/file-reads.ts"
import { scanHeaders } from "./segment/header-scan.ts"
import { openBeside } from "./segment/segment-files.ts"
import { firstBatchAt } from "./segment/segment-read.ts"
import { type ActiveSegment, indexOf, type ReadableSegment, runOf, type SealedSegment } from "./segment/segments.ts"

const int32Max = 0x7fff_ffff
/** How often, at most, a sync also writes the newest index entries out, ms. */
const indexFlushMs = 5000

/** A partition's log over segment files. One writer; everything plain is done at once, on the event loop. */
export class SegmentedLog implements PartitionLog, ScrubbedLog {
  readonly directory: string
  private sealed: Array<SealedSegment>
  private active: ActiveSegment
  /** Sealed segments whose bytes are not durable yet, with the files they were written through: a new descriptor might not be told of an earlier write's failure. */
  private unsynced: Array<DiskFile> = []
  private durableEnd: Offset
  /** Where that is in the files. */
  private durableAt: Pick<RecoveryPoint, "baseOffset" | "position">
  /** Files or directories were made whose names are not durable yet. */
  private directoryChanged: boolean
  private rootChanged: boolean
  private sealedSinceSync = false
  /** The names of the log's directory and of its first segment survive a power cut. */
  private isNamed: boolean
  private readonly isAsClosed: boolean
  /** What a write failed with that was taken back, until that is durable: of a power cut before, parts of it could come back under what was written in its place. */
  private takenBack: LogFault | undefined
  private fault: LogFault | undefined
  /** What the scrub found: nothing is read or added any more, and what was added before is made durable all the same. */
  private damage: LogFault | undefined
  private hearDamage: ((fault: LogFault) => void) | undefined
  private readonly commit: GroupCommit
  private indexesFlushedAt = 0
  private config: LogConfig
  private readonly compaction: CompactedLog
  /** One change of the sealed segments at a time: removing the first ones, or putting compacted ones in their place. */
  private readonly turn = Effect.unsafeMakeSemaphore(1)
  private readonly removal: LaterRemoval
  private readonly reads: FileReads
  readonly sync: Effect.Effect<void, LogFault>

  /** The segments are durable as they are, unless they are new. */
  constructor(
    private readonly parts: LogParts,
    { active, isAsClosed, isNew, sealed }: OpenSegments,
    note: CompactionNote,
    readonly derived: DerivedFiles
  ) {
    this.directory = parts.directory
    this.sealed = sealed
    this.active = active
    this.config = parts.config
    this.durableEnd = active.endOffset
    this.durableAt = { baseOffset: active.baseOffset, position: active.sizeInBytes }
    this.directoryChanged = this.rootChanged = isNew
    this.isNamed = !isNew
    this.isAsClosed = isAsClosed
    this.removal = new LaterRemoval(parts.disk)
    this.commit = new GroupCommit(
      Effect.suspend(() => this.syncRound()),
      parts.fork
    )
    this.reads = new FileReads(parts.tail)
    this.compaction = this.lendTo(note)
    this.sync = Effect.suspend(() => {
      if (this.fault !== undefined) return Effect.fail(this.fault)
      const isDurable = this.durableEnd === this.active.endOffset && !this.directoryChanged && this.takenBack === undefined
      return isDurable ? Effect.void : this.commit.wait
    })
  }

  readonly start = (): Offset => (this.sealed[0] ?? this.active).baseOffset
  readonly end = (): Offset => this.active.endOffset
  readonly syncedEnd = (): Offset => this.durableEnd

  readonly refusal = (): LogFault | undefined => this.fault ?? this.damage
  readonly cleanEnd = (): Offset => this.compaction.note.cleanEnd
  readonly compact = (order: CompactionOrder): Effect.Effect<Compacted, LogFault> => Effect.suspend(() => this.refusal() ?? compactLog(this.compaction, order))
  readonly sealedSegments = (): ReadonlyArray<SealedSegment> => this.sealed
  readonly onDamage = (heard: (fault: LogFault) => void): void => {
    this.hearDamage = heard
    if (this.damage !== undefined) heard(this.damage)
  }
  readonly takeOffline = (fault: LogFault): boolean => {
    this.damage = fault
    this.hearDamage?.(fault)
    return this.hearDamage !== undefined
  }

  readonly segments = (): ReadonlyArray<SegmentExtent> => [...this.segmentsFrom(0)]
  readonly configure = (config: LogConfig): void => {
    this.config = config
    this.active.configure(config)
  }

  readonly append = (batches: ReadonlyArray<RecordBatch>): Either.Either<void, LogFault> => {
    const fault = this.refusal() ?? this.takenBack
    if (fault !== undefined) return Either.left(fault)
    const first = batches[0]
    if (first === undefined) return Either.void
    const run = runOf(batches, this.active.endOffset, this.parts.directory)
    try {
      if (this.active.isFullFor(run, this.parts.clock()) && this.mayRoll(run)) this.roll()
      this.write(batches.length === 1 ? [first.bytes] : batches.map((batch) => batch.bytes))
    } catch (error) {
      return Either.left(error instanceof LogFault ? error : faultOf(this.active.path.log, "append to", error))
    }
    for (const batch of batches) {
      this.active.grow(batch)
      this.parts.tail.add(batch)
    }
    return Either.void
  }

  readonly read = (from: Offset, maxBytes: number, upTo: Offset): Either.Either<ReadonlyArray<Uint8Array>, LogFault> => {
    const refusal = this.refusal()
    if (refusal !== undefined) return Either.left(refusal)
    const { active } = this
    const { tail } = this.parts
    if (from >= active.endOffset || from >= upTo) {
      tail.noteReader(0)
      return Either.right([])
    }
    const cached = tail.read(from, maxBytes, upTo, true)
    if (cached !== undefined) return Either.right(cached)
    if (from >= active.baseOffset) tail.noteReader(active.sizeInBytes - active.positionFor(from))
    return attempt(this.parts.directory, "read", () => this.reads.read(this.segmentsFrom(indexOf(this.sealed, from)), from, maxBytes, upTo))
  }

  readonly batchAtTime = (timestamp: number, from: Offset = 0): Either.Either<RecordBatch | undefined, LogFault> => {
    const refusal = this.refusal()
    if (refusal !== undefined) return Either.left(refusal)
    return attempt(this.parts.directory, "read", () => {
      for (const segment of this.segmentsFrom(indexOf(this.sealed, from))) {
        const found = segment.maxTimestamp >= timestamp ? firstBatchAt(segment, timestamp, from) : undefined
        if (found !== undefined) return found
      }
      return undefined
    })
  }

  readonly scan = (from: Offset, visit: (batch: RecordBatch) => void): Effect.Effect<void, LogFault> =>
    Effect.suspend(
      () => this.refusal() ?? inSlices(this.parts.pace, this.parts.directory, "read", scanHeaders(this.segmentsFrom(indexOf(this.sealed, from)), from, visit))
    )

  readonly deleteBefore = (offset: Offset): Effect.Effect<void, LogFault> => this.turn.withPermits(1)(dropBefore(this.lendToRetention(), offset))

  private removeLater(paths: ReadonlyArray<string>): void {
    this.parts.fork(this.removal.after(this.config.fileDeleteDelayMs, paths, () => this.fault === undefined))
  }

  /** Waits for what is under way, makes the rest durable and notes that all is in order. Does not fail: what could not be written is found by recovery. */
  readonly close: Effect.Effect<void> = Effect.gen(this, function* () {
    yield* this.commit.idle
    yield* Effect.ignore(this.sync)
    yield* this.commit.idle
    yield* this.removal.close
    const { path } = this.active
    if (this.fault === undefined) yield* this.derived.close
    // What nobody wrote to is as the close before left it.
    const isUntouched = this.isAsClosed && !this.parts.recoveryPoint.isWritten
    if (this.fault === undefined && !isUntouched)
      attempt(path.log, "close", () => {
        this.active.finish()
        this.noteRecoveryPoint({ ...this.durableAt, isClean: true, syncFailed: false, indexesChecksum: this.active.indexesChecksum() })
      })
    this.hearDamage = undefined
    this.goOffline("The log was closed.", undefined)
    for (const file of [...this.unsynced, this.active.file()]) attempt(file.path, "close", () => file.close())
    for (const segment of this.sealed) this.parts.caches.forget(segment.path.log)
    this.parts.caches.forget(path.log)
    attempt(path.log, "close", () => this.parts.recoveryPoint.close())
    this.parts.tail.clear()
  }).pipe(this.turn.withPermits(1))

  /** What retention may use of this log. */
  private lendToRetention(): ShortenedLog {
    const { caches, recoveryPoint } = this.parts
    return {
      place: this.parts,
      recoveryPoint,
      derived: this.derived,
      damage: () => this.damage,
      sealed: () => this.sealed,
      sync: this.sync,
      commit: Effect.suspend(() => this.commit.wait),
      sealUpTo: (offset) => {
        if (offset >= this.active.endOffset && this.active.sizeInBytes > 0) this.roll()
      },
      alsoSync: (files) => {
        this.unsynced.push(...files)
        this.directoryChanged ||= files.length > 0
      },
      changesNames: () => {
        this.directoryChanged = true
      },
      isNamed: () => !this.directoryChanged,
      dropped: ({ path }) => {
        this.sealed.shift()
        caches.forget(path.log)
        this.reads.forget()
      },
      removeLater: (paths) => this.removeLater(paths)
    }
  }

  /** What compaction may use of this log. */
  private lendTo(note: CompactionNote): CompactedLog {
    const { caches, recoveryPoint, tail } = this.parts
    return {
      place: this.parts,
      caches,
      config: () => this.config,
      fault: this.refusal,
      sealed: () => this.sealed,
      settle: Effect.suspend(() => Effect.zipRight(this.sync, this.directoryChanged ? this.commit.wait : Effect.void)).pipe(
        Effect.zipRight(Effect.mapError(recoveryPoint.sync, (error) => faultOf(recoveryPoint.path, "sync", error)))
      ),
      exclusive: (change) => Effect.uninterruptible(this.turn.withPermits(1)(change)),
      replace: (old, by) => {
        const at = this.sealed.indexOf(old[0] as SealedSegment)
        if (at < 0) return
        this.sealed.splice(at, old.length, by)
        for (const segment of old) caches.forget(segment.path.log)
        this.reads.forget()
        tail.dropBefore(by.endOffset)
      },
      fail: (path, cause) => this.goOffline(`A sync of ${path} failed, so nobody knows what the disk holds. Look at the disk, then start again.`, cause),
      removeLater: (paths) => this.removeLater(paths),
      note
    }
  }

  /** Its directory is offline, and the log with it. What was not synced must be written again by the next start: the kernel may call it clean by now. */
  fail(fault: LogFault): void {
    if (this.fault !== undefined) return
    if (this.durableEnd !== this.active.endOffset || this.unsynced.length > 0 || this.directoryChanged)
      attempt(this.parts.directory, "note", () => this.noteRecoveryPoint({ ...this.durableAt, isClean: false, syncFailed: true }))
    this.fault = fault
    this.parts.tail.clear()
  }

  private goOffline(why: string, cause: unknown): LogFault {
    const { directory } = this.parts
    if (this.fault !== undefined) return this.fault
    const fault = new LogFault({ path: directory, reason: "offline", message: `${directory} is offline. ${why}`, cause })
    this.fault = fault
    this.parts.tail.clear()
    this.hearDamage?.(fault)
    return fault
  }

  /** All or nothing: when the write fails, what it left of itself is cut off. */
  private write(chunks: ReadonlyArray<Uint8Array>): void {
    const size = this.active.sizeInBytes
    try {
      this.active.file().write(chunks, size)
    } catch (error) {
      // The file could not be opened again: nothing was written.
      if (isOutOfFiles(error)) throw error
      const cut = attempt(this.active.path.log, "cut", () => this.active.file().truncate(size))
      if (Either.isLeft(cut)) throw this.goOffline("A failed write could not be taken back. Look at the disk, then start again.", error)
      this.takenBack = error instanceof LogFault ? error : faultOf(this.active.path.log, "append to", error)
      this.commit.start()
      throw error
    }
  }

  /**
   * Whether the next segment may be begun. Of two names that are not durable a power cut may leave the later: the log would come back with its middle. The first
   * segment grows over its size, within what an index can say, until it cannot be lost; that is a sync away.
   */
  private mayRoll({ lastOffset, sizeInBytes }: SegmentBatch): boolean {
    if (this.isNamed) return true
    this.commit.start()
    return this.active.sizeInBytes + sizeInBytes > int32Max || lastOffset - this.active.baseOffset > int32Max
  }

  /** Starts a new segment. When its file cannot be made, nothing has changed. */
  private roll(): void {
    const old = this.active
    this.active = newActiveSegment({ ...this.parts, config: this.config, now: this.parts.clock() }, old.endOffset)
    // From here on nothing throws: half a roll would call records durable that nobody has synced.
    const sealed = old.seal(this.parts.caches)
    this.sealed.push(sealed)
    this.derived.active = this.active
    this.unsynced.push(old.file(), ...openBeside(this.parts.disk, sealed), ...this.derived.write())
    this.directoryChanged = this.sealedSinceSync = true
    this.parts.scrubber.owe(this)
    // A sealed segment is made durable soon, also where nobody waits for it: recovery then reads the last segment only.
    this.commit.start()
  }

  private syncRound(): Effect.Effect<void, LogFault> {
    if (this.fault !== undefined) return Effect.fail(this.fault)
    const { directory, disk, root } = this.parts
    const { active } = this
    const target = active.endOffset
    const position = active.sizeInBytes
    // A copy: what a roll adds while this round runs is not covered by it.
    const old = [...this.unsynced]
    const { directoryChanged, rootChanged, sealedSinceSync, takenBack } = this
    this.directoryChanged = this.rootChanged = this.sealedSinceSync = false
    return Effect.gen(this, function* () {
      for (const file of old) yield* file.sync
      yield* active.file().sync
      this.derived.commit(old)
      if (directoryChanged) yield* disk.syncDirectory(directory)
      if (rootChanged) yield* disk.syncDirectory(root)
    }).pipe(
      Effect.mapError((error) => {
        // For the next start, which may find in the page cache what the disk does not have.
        attempt(directory, "note", () => this.noteRecoveryPoint({ ...this.durableAt, isClean: false, syncFailed: true }))
        return this.goOffline("A sync failed, so nobody knows what the disk holds. Look at the disk, then start again.", error)
      }),
      Effect.andThen(Effect.suspend(() => this.synced(target, active, position, old, sealedSinceSync, takenBack)))
    )
  }

  private synced(
    target: Offset,
    active: ActiveSegment,
    position: number,
    old: ReadonlyArray<DiskFile>,
    sealed: boolean,
    takenBack: LogFault | undefined
  ): Effect.Effect<void> {
    this.durableEnd = target
    this.durableAt = { baseOffset: active.baseOffset, position }
    this.isNamed = true
    if (this.takenBack === takenBack) this.takenBack = undefined
    this.derived.settled(old)
    for (const file of old) file.close()
    this.unsynced = this.unsynced.filter((file) => !old.includes(file))
    attempt(active.path.log, "note", () => this.noteRecoveryPoint({ ...this.durableAt, isClean: false, syncFailed: this.fault !== undefined }))
    this.flushIndexesIfDue()
    return sealed ? Effect.ignore(this.parts.recoveryPoint.sync) : Effect.void
  }

  private flushIndexesIfDue(): void {
    const now = this.parts.clock()
    if (now - this.indexesFlushedAt < indexFlushMs) return
    this.indexesFlushedAt = now
    this.active.flushEntries()
  }

  private noteRecoveryPoint(point: Omit<RecoveryPoint, "offset">): void {
    this.parts.recoveryPoint.write({ ...point, offset: this.durableEnd })
  }

  /** The segments from the one at `index` on; the active one stands after the sealed ones. */
  private *segmentsFrom(index: number): Generator<ReadableSegment> {
    for (let i = index; i < this.sealed.length; i++) yield this.sealed[i] as SealedSegment
    yield this.active
  }
}
