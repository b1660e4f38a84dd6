import { Effect } from "effect"
import { bug } from "../../domain/kernel/bug.ts"
import type { Offset } from "../../domain/kernel/id.ts"
import { LogFault } from "../../src/ports/log-store.ts"
import type { DerivedFiles } from "./derived-files.ts"
import { attempt } from "./disk/disk.ts"
import { GroupCommit, type Synced } from "./disk/group-commit.ts"
import type { SharedLog } from "./disk/shared-sync.ts"
import type { LogParts } from "./log-parts.ts"
import type { RecoveryPoint } from "./recovery/recovery-point.ts"
import type { SegmentList, SyncPoint, UnsyncedChanges } from "./segment/segment-list.ts"

/** How often, at most, a sync also writes the newest index entries out, ms. */
const indexFlushMs = 5000

const goneFault = (path: string, offset: Offset, end: Offset): LogFault =>
  new LogFault({ path, reason: "io", message: `Offset ${offset} of ${path} was cut: the log ends at ${end}. Append the record again.` })

/** Makes a log durable, and knows up to which offset it is. A sync that fails takes the log offline: nothing is known of what the disk holds. */
export class LogSync implements SharedLog<SyncPoint> {
  /** Everything before it survives a power cut. */
  end: Offset
  /** Where that is in the files. */
  private at: Pick<RecoveryPoint, "baseOffset" | "position">
  /** The names of the log's directory and of its first segment survive a power cut. */
  isNamed: boolean
  /** Why every use of the log fails; undefined while it is online and open. */
  fault: LogFault | undefined
  /**
   * Why appends fail, while reads work: a failed write was cut off, and that cut is not durable yet. A power cut before it is could bring parts of that write back,
   * under the bytes that were written in its place.
   */
  appendFault: LogFault | undefined
  private readonly commit: GroupCommit
  private indexesFlushedAt = 0
  private isRunning = false
  /** When the round that runs began, ms. */
  private begunAt = 0
  /** Set while the log is cut: the next round of syncs waits for it. */
  private isHeld = false
  private heldRound: (() => void) | undefined
  private roundOver: (() => void) | undefined
  /** Requests that wait for a sync of all logs of the directory. A log has those or a round of its own, never both: so its end moves in order. */
  sharedWaits = 0
  /** What waits for the shared syncs to end. */
  private afterShared: Array<() => void> = []
  /** Whether a sync of the directory's volume covers the log; undefined while that was not asked. */
  private isOnVolume: boolean | undefined
  /** Everything appended before the call is durable when it returns. */
  readonly sync: Effect.Effect<void, LogFault>
  /** A whole round of syncs, whatever there is to sync. */
  readonly round: Effect.Effect<void, LogFault>

  constructor(
    private readonly parts: LogParts,
    private readonly segments: SegmentList,
    private readonly derived: DerivedFiles,
    { isNew }: { readonly isNew: boolean },
    /** The log went offline by itself. */
    private readonly wentOffline: (fault: LogFault) => void
  ) {
    const { active } = segments
    this.end = active.endOffset
    this.at = { baseOffset: active.baseOffset, position: active.sizeInBytes }
    this.isNamed = !isNew
    this.commit = new GroupCommit((synced) => this.beginRound(synced))
    this.round = this.commit.wait
    this.sync = Effect.suspend(() => {
      if (this.fault !== undefined) return Effect.fail(this.fault)
      const isDurable = this.end === segments.active.endOffset && !segments.hasUnsyncedNames && this.appendFault === undefined
      return isDurable ? Effect.void : this.joined
    })
  }

  /** Calls `synced` when everything up to and including `offset` is durable, or with the fault that prevents it. Returns how to cancel the wait. */
  whenSynced(offset: Offset, synced: Synced): () => void {
    if (this.end > offset || this.fault !== undefined) synced(this.end > offset ? undefined : this.fault)
    else if (offset < this.segments.active.endOffset) return this.join(synced)
    // The record was cut: no sync will ever cover it.
    else synced(goneFault(this.parts.directory, offset, this.segments.active.endOffset))
    return () => {}
  }

  /** Waits for a sync of the directory where its logs share them, else for one of the log. */
  private join(synced: Synced): () => void {
    const { shared } = this.parts
    if (shared.isOpen && !this.isHeld && !this.commit.isBusy && this.fault === undefined && this.appendFault === undefined) {
      const point = this.segments.recordsPoint
      if (point !== undefined && (this.isOnVolume ??= shared.holds(point.active.path.log))) return shared.join(this, point, synced)
    }
    return this.commit.join(synced)
  }
  private readonly joined: Effect.Effect<void, LogFault> = Effect.async((resume) => {
    const cancel = this.join((fault) => resume(fault === undefined ? Effect.void : Effect.fail(fault)))
    return Effect.sync(cancel)
  })

  bytesTo({ active, position }: SyncPoint): number {
    return Math.max(0, position - (this.at.baseOffset === active.baseOffset ? this.at.position : 0))
  }
  /** A shared sync made everything up to `point` durable. */
  reached(point: SyncPoint): void {
    if (this.fault !== undefined) return
    point.active.file().durableTo?.(point.mark)
    this.moveTo(point)
  }
  noteReached(): void {
    if (this.fault !== undefined) return
    attempt(this.parts.directory, "note", () => this.noteRecoveryPoint({ isClean: false, syncFailed: false }))
    this.flushIndexesIfDue()
  }
  syncAlone(synced: Synced): void {
    this.commit.join(synced)
  }
  drained(): void {
    const waiting = this.afterShared
    this.afterShared = []
    for (const each of waiting) each()
  }

  /** Asks for a round without waiting for it. */
  start(): void {
    this.commit.start()
  }

  /** Returns when no round runs and no caller waits for one. */
  readonly idle: Effect.Effect<void> = Effect.suspend(() => Effect.zipRight(this.withoutShared, this.commit.idle))

  /** Returns when no request waits for a shared sync. */
  private readonly withoutShared: Effect.Effect<void> = Effect.async((resume) => {
    if (this.sharedWaits === 0) resume(Effect.void)
    else this.afterShared.push(() => resume(Effect.void))
  })

  /** Takes the log offline, and returns the fault that it answers with from now on. `why` is a sentence. */
  goOffline(why: string, cause: unknown): LogFault {
    const { directory, tail } = this.parts
    if (this.fault !== undefined) return this.fault
    const fault = new LogFault({ path: directory, reason: "offline", message: `${directory} is offline. ${why}`, cause })
    this.fault = fault
    tail.clear()
    this.wentOffline(fault)
    return fault
  }

  /** The log's data directory is offline. The next start must write again what was not synced: the kernel may call it clean. */
  fail(fault: LogFault): void {
    if (this.fault !== undefined) return
    const { directory, tail } = this.parts
    const { hasUnsyncedFiles, hasUnsyncedNames } = this.segments
    if (this.end !== this.segments.end || hasUnsyncedFiles || hasUnsyncedNames)
      attempt(directory, "note", () => this.noteRecoveryPoint({ isClean: false, syncFailed: true }))
    this.fault = fault
    tail.clear()
  }

  /** Writes down how far the log is durable. Throws what the disk throws. */
  noteRecoveryPoint(point: Omit<RecoveryPoint, "offset" | "baseOffset" | "position">): void {
    this.parts.recoveryPoint.write({ ...point, ...this.at, offset: this.end })
  }

  /** Runs `change` while no round of syncs runs. A round that is asked for meanwhile follows it. */
  betweenRounds<A, E>(change: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.isHeld = true
      const over = Effect.async<void>((resume) => {
        if (this.isRunning) this.roundOver = () => resume(Effect.void)
        else resume(Effect.void)
      })
      const release = Effect.sync(() => {
        this.isHeld = false
        const begin = this.heldRound
        this.heldRound = undefined
        begin?.()
      })
      return Effect.ensuring(Effect.zipRight(Effect.zipRight(this.withoutShared, over), change), release)
    })
  }

  /** The log ends here from now on, and is durable up to here. */
  cutTo({ baseOffset, offset, position }: Pick<RecoveryPoint, "offset" | "baseOffset" | "position">): void {
    this.end = offset
    this.at = { baseOffset, position }
  }

  /** A round of records alone, which is nearly every round of acks=all, is one sync of one file and has no fiber. */
  private beginRound(synced: Synced): void {
    if (this.isHeld) {
      this.heldRound = () => this.beginRound(synced)
      return
    }
    if (this.sharedWaits > 0) {
      this.afterShared.push(() => this.beginRound(synced))
      return
    }
    if (this.fault !== undefined) return synced(this.fault)
    this.isRunning = true
    this.begunAt = this.parts.clock()
    this.parts.shared.begun()
    const changes = this.segments.takeChanges()
    const { files, hasNewNames, hasSealed, isNewInRoot } = changes
    const isOneFile = files.length === 0 && !hasNewNames && !isNewInRoot && !hasSealed
    if (isOneFile && this.syncRecords(changes, synced)) return
    this.parts.fork(Effect.match(this.runRound(changes), { onFailure: (fault) => this.ended(synced, fault), onSuccess: () => this.ended(synced, undefined) }))
  }

  private ended(synced: Synced, fault: LogFault | undefined): void {
    this.isRunning = false
    const ms = Math.max(0, this.parts.clock() - this.begunAt)
    this.parts.syncTimes.add(ms, fault !== undefined)
    this.parts.shared.ended(ms)
    const over = this.roundOver
    this.roundOver = undefined
    // The callers that waited are answered before a cut continues.
    synced(fault)
    over?.()
  }

  /** Syncs the active segment without a fiber. Returns false, and has done nothing, where the file has to wait for its turn. */
  private syncRecords(changes: UnsyncedChanges, synced: Synced): boolean {
    const { appendFault } = this
    const begun = changes.active.file().syncThen?.((error) => {
      if (error !== undefined) return this.ended(synced, this.failed(error))
      this.advance(changes, appendFault)
      this.ended(synced, undefined)
    })
    return begun === true
  }

  private runRound(changes: UnsyncedChanges): Effect.Effect<void, LogFault> {
    const { directory, disk, root } = this.parts
    const { appendFault } = this
    return Effect.gen(this, function* () {
      for (const file of changes.files) yield* file.sync
      yield* changes.active.file().sync
      this.derived.commit(changes.files)
      if (changes.hasNewNames) yield* disk.syncDirectory(directory)
      if (changes.isNewInRoot) yield* disk.syncDirectory(root)
    }).pipe(
      Effect.mapError((error) => this.failed(error)),
      Effect.andThen(
        Effect.suspend(() => {
          this.advance(changes, appendFault)
          return changes.hasSealed ? Effect.ignore(this.parts.recoveryPoint.sync) : Effect.void
        })
      )
    )
  }

  /** The next start may find in the page cache what the disk does not have, so the recovery point says that a sync failed. */
  private failed(error: unknown): LogFault {
    attempt(this.parts.directory, "note", () => this.noteRecoveryPoint({ isClean: false, syncFailed: true }))
    return this.goOffline("A sync failed, so it is unknown what the disk holds. Look at the disk, then start again.", error)
  }

  private advance(changes: UnsyncedChanges, appendFault: LogFault | undefined): void {
    const { active, files } = changes
    this.moveTo(changes)
    if (this.appendFault === appendFault) this.appendFault = undefined
    this.derived.settled(files)
    this.segments.synced(changes)
    attempt(active.path.log, "note", () => this.noteRecoveryPoint({ isClean: false, syncFailed: this.fault !== undefined }))
    this.flushIndexesIfDue()
  }

  private moveTo({ active, end, position }: Omit<SyncPoint, "mark">): void {
    if (end < this.end || end > this.segments.end)
      bug(`A sync of ${this.parts.directory} reached offset ${end}; the log was durable up to ${this.end} and ends at ${this.segments.end}.`)
    this.end = end
    this.at = { baseOffset: active.baseOffset, position }
    this.isNamed = true
  }

  private flushIndexesIfDue(): void {
    const now = this.parts.clock()
    if (now - this.indexesFlushedAt < indexFlushMs) return
    this.indexesFlushedAt = now
    this.segments.active.flushEntries()
  }
}
