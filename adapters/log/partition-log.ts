import { Effect, Either } from "effect"
import { Bug, bug } from "../../domain/kernel/bug.ts"
import type { Offset } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { SegmentExtent } from "../../domain/log/retention.ts"
import type { SegmentBatch } from "../../domain/log/segment.ts"
import type { Compacted, CompactionOrder } from "../../src/ports/compaction.ts"
import type { DerivedDocuments } from "../../src/ports/derived-documents.ts"
import { type LogConfig, LogFault, type PartitionLog } from "../../src/ports/log-store.ts"
import { compactLog } from "./compaction/compact.ts"
import type { CompactionNote } from "./compaction/note.ts"
import { exclusively, putNote } from "./compaction/swap.ts"
import { restartAt, truncateTo } from "./cut.ts"
import { dropBefore } from "./delete-before.ts"
import { attempt, faultOf } from "./disk/disk.ts"
import { isOutOfFiles } from "./disk/file-pool.ts"
import { inSlices } from "./disk/slices.ts"
import { FollowerCheck } from "./follower-check.ts"
import type { LogCore } from "./log-core.ts"
import type { LogSync } from "./log-sync.ts"
import { scanHeaders } from "./segment/header-scan.ts"
import type { SegmentList } from "./segment/segment-list.ts"
import { firstBatchAt } from "./segment/segment-read.ts"
import { runOf } from "./segment/segments.ts"
import type { LogTail } from "./segment/tail-cache.ts"

const int32Max = 0x7fff_ffff

/** A partition's log over segment files, for its one writer. What is plain here is done at once, on the event loop. */
export class SegmentedLog implements PartitionLog {
  readonly sync: Effect.Effect<void, LogFault>
  readonly derived: DerivedDocuments
  readonly scrub: Effect.Effect<void, LogFault>
  // Produce and Fetch pass here: what they need of the core is one property away.
  private readonly list: SegmentList
  private readonly syncing: LogSync
  private readonly tail: LogTail
  private readonly follower: FollowerCheck
  /** What `sparseEnd` found in a note. */
  private sparse: { readonly note: CompactionNote | undefined; readonly end: Offset } = { note: undefined, end: 0 }

  constructor(
    readonly core: LogCore,
    /** Everything is as the clean close before left it. */
    private readonly isAsClosed: boolean
  ) {
    this.list = core.segments
    this.syncing = core.syncing
    this.tail = core.parts.tail
    this.follower = new FollowerCheck(core.directory, core.segments, core.parts.crc32c, () => core.note.sparseEnd)
    this.sync = core.syncing.sync
    this.derived = core.derived
    this.scrub = Effect.suspend(() =>
      Effect.zipRight(
        core.parts.scrubber.readThrough(core),
        Effect.suspend(() => this.refusal() ?? Effect.void)
      )
    )
    core.parts.scrubber.add(core)
  }

  readonly start = (): Offset => this.list.start
  readonly end = (): Offset => this.list.active.endOffset
  readonly syncedEnd = (): Offset => this.syncing.end

  readonly whenSynced: PartitionLog["whenSynced"] = (offset, synced) => this.syncing.whenSynced(offset, synced)

  readonly refusal = (): LogFault | undefined => this.core.refusal()
  readonly cleanEnd = (): Offset => this.core.note.cleanEnd
  readonly sparseEnd = (): Offset => {
    const { note } = this.core
    if (this.sparse.note !== note)
      this.sparse = { note, end: [...note.ranges.values()].reduce((most, end) => Math.max(most, end), Math.max(note.cleanEnd, note.sparseEnd)) }
    return this.sparse.end
  }
  readonly noteSparse = (end: Offset): Effect.Effect<void, LogFault> =>
    Effect.suspend(() => {
      const { core } = this
      const put = Effect.suspend(() => this.refusal() ?? (end <= core.note.sparseEnd ? Effect.void : putNote(core, { ...core.note, sparseEnd: end })))
      return end <= core.note.sparseEnd ? Effect.void : exclusively(core, put)
    })
  readonly compact = (order: CompactionOrder): Effect.Effect<Compacted, LogFault> => Effect.suspend(() => this.refusal() ?? compactLog(this.core, order))
  readonly truncateTo = (offset: Offset): Effect.Effect<void, LogFault> => truncateTo(this.core, offset)
  readonly restartAt = (offset: Offset): Effect.Effect<void, LogFault> => restartAt(this.core, offset)
  readonly deleteBefore = (offset: Offset): Effect.Effect<void, LogFault> => this.core.exclusive(dropBefore(this.core, offset))
  readonly onDamage = (heard: (fault: LogFault) => void): void => {
    this.core.hearDamage = heard
    if (this.core.damage !== undefined) heard(this.core.damage)
  }

  readonly segments = (): ReadonlyArray<SegmentExtent> => this.list.extents
  readonly configure = (config: LogConfig): void => {
    this.core.config = config
    this.list.active.configure(config)
  }

  readonly append = (batches: ReadonlyArray<RecordBatch>): Either.Either<void, LogFault> => {
    const { core, list, syncing } = this
    const fault = syncing.fault ?? core.damage ?? syncing.appendFault
    if (fault !== undefined) return Either.left(fault)
    const first = batches[0]
    if (first === undefined) return Either.void
    const run = runOf(batches, list.active.endOffset, core.directory)
    try {
      if (list.active.isFullFor(run, core.parts.clock()) && this.mayRoll(run)) core.roll()
      this.write(batches.length === 1 ? [first.bytes] : batches.map((batch) => batch.bytes))
    } catch (error) {
      if (error instanceof Bug) throw error
      return Either.left(error instanceof LogFault ? error : faultOf(list.active.path.log, "append to", error))
    }
    for (const batch of batches) {
      list.active.grow(batch)
      this.tail.add(batch)
    }
    return Either.void
  }

  readonly appendAsFollower: PartitionLog["appendAsFollower"] = (batches) => {
    const refusal = this.refusal()
    if (refusal !== undefined) return Either.left(refusal)
    const checked = attempt(this.core.directory, "read", () => this.follower.check(batches))
    return Either.flatMap(checked, (fits) => Either.flatMap(fits, () => Either.map(this.append(batches), () => this.follower.appended(batches))))
  }

  readonly read = (from: Offset, maxBytes: number, upTo: Offset): Either.Either<ReadonlyArray<Uint8Array>, LogFault> => {
    const refusal = this.core.refusal()
    if (refusal !== undefined) return Either.left(refusal)
    const { tail } = this
    const { active } = this.list
    // A reader's bound is a high watermark or a synced end: neither is ever behind the log's end.
    if (upTo > active.endOffset) bug(`${this.core.directory} is to be read up to offset ${upTo}, and it ends at ${active.endOffset}.`)
    if (from >= active.endOffset || from >= upTo) {
      tail.noteReader(0)
      return Either.right([])
    }
    const cached = tail.read(from, maxBytes, upTo, true)
    if (cached !== undefined) return Either.right(cached)
    if (from >= active.baseOffset) tail.noteReader(active.sizeInBytes - active.positionFor(from))
    return attempt(this.core.directory, "read", () => this.core.readFiles(from, maxBytes, upTo))
  }

  readonly batchAtTime = (timestamp: number, from: Offset = 0): Either.Either<RecordBatch | undefined, LogFault> => {
    const refusal = this.refusal()
    if (refusal !== undefined) return Either.left(refusal)
    return attempt(this.core.directory, "read", () => {
      for (const segment of this.list.from(from)) {
        const found = segment.maxTimestamp >= timestamp ? firstBatchAt(segment, timestamp, from) : undefined
        if (found !== undefined) return found
      }
      return undefined
    })
  }

  readonly scan = (from: Offset, visit: (batch: RecordBatch) => void): Effect.Effect<void, LogFault> =>
    Effect.suspend(
      () => this.refusal() ?? inSlices(this.core.parts.pace, this.core.directory, "read", this.unlessCut(scanHeaders(this.list.from(from), from, visit)))
    )

  /** Work in slices over the segments, which ends where the log is cut meanwhile: the batches that it would continue from may be gone. */
  private *unlessCut(work: Generator<void>): Generator<void> {
    const { cuts } = this.list
    const { directory } = this.core
    while (work.next().done !== true) {
      yield
      if (this.list.cuts !== cuts) throw new LogFault({ path: directory, reason: "io", message: `${directory} was cut while it was read. Read it again.` })
    }
  }

  /** Waits for what is under way, makes the rest durable and notes that all is in order. Does not fail: what could not be written is found by recovery. */
  readonly close: Effect.Effect<void> = Effect.gen(this, function* () {
    const { core, list, syncing } = this
    const { parts } = core
    yield* syncing.idle
    yield* Effect.ignore(this.sync)
    yield* syncing.idle
    yield* core.endRemovals
    const { path } = list.active
    if (syncing.fault === undefined) yield* core.derived.close
    // What was not written to is as the close before left it.
    const isUntouched = this.isAsClosed && !parts.recoveryPoint.isWritten
    if (syncing.fault === undefined && !isUntouched)
      attempt(path.log, "close", () => {
        list.active.finish()
        syncing.noteRecoveryPoint({ isClean: true, syncFailed: false, indexesChecksum: list.active.indexesChecksum() })
      })
    core.hearDamage = undefined
    core.isClosedWell = this.refusal() === undefined
    syncing.goOffline("The log was closed.", undefined)
    list.close()
    attempt(path.log, "close", () => parts.recoveryPoint.close())
    parts.tail.clear()
  }).pipe((closing) => Effect.suspend(() => (this.core.parts.scrubber.remove(this.core), this.core.exclusive(closing))))

  /** Its directory is offline, and the log with it. */
  fail(fault: LogFault): void {
    this.syncing.fail(fault)
  }

  /** All or nothing: when the write fails, what it left of itself is cut off. */
  private write(chunks: ReadonlyArray<Uint8Array>): void {
    const { active } = this.list
    const size = active.sizeInBytes
    try {
      active.file().write(chunks, size)
    } catch (error) {
      // The file could not be opened again: nothing was written.
      if (isOutOfFiles(error)) throw error
      const cut = attempt(active.path.log, "cut", () => active.file().truncate(size))
      if (Either.isLeft(cut)) throw this.syncing.goOffline("A failed write could not be cut off. Look at the disk, then start again.", error)
      this.syncing.appendFault = error instanceof LogFault ? error : faultOf(active.path.log, "append to", error)
      this.syncing.start()
      throw error
    }
  }

  /**
   * Whether the next segment may be begun. Of two names that are not durable a power cut may leave the later: the log would have its middle alone. The first
   * segment grows over its size, within what an index can say, until it cannot be lost; that is a sync away.
   */
  private mayRoll({ lastOffset, sizeInBytes }: SegmentBatch): boolean {
    if (this.syncing.isNamed) return true
    const { active } = this.list
    this.syncing.start()
    return active.sizeInBytes + sizeInBytes > int32Max || lastOffset - active.baseOffset > int32Max
  }
}
