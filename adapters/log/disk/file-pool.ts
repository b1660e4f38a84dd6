import { Effect, Schedule } from "effect"
import { codeOf, type Disk, type DiskFile, type OpenMode, removeFile, type SyncDone } from "./disk.ts"

/** The fewest files that a pool works with: a roll has that many in its hands. */
const filesMaxLeast = 8
/** Files that are synced at a time to make room; the platform has few threads for it. */
const sweepConcurrency = 4

/** A disk whose files the pool opens and closes, and how its background work is run. */
interface Volume {
  readonly disk: Disk
  readonly fork: (effect: Effect.Effect<void>) => void
}

/** What the platform says of a process, or a machine, that has no descriptors left. That passes. */
export const isOutOfFiles = (error: unknown): boolean => codeOf(error) === "EMFILE" || codeOf(error) === "ENFILE"

/** A sync that finds no descriptor waits for one: it must not count as one that failed. */
const patience = { everyMs: 100, times: 600 }
const patiently = <A>(effect: Effect.Effect<A, unknown>): Effect.Effect<A, unknown> =>
  Effect.retry(effect, { while: isOutOfFiles, schedule: Schedule.spaced(patience.everyMs), times: patience.times })

/** The pool's own word for the same, of its own bound. */
class OutOfFiles extends Error {
  readonly code = "EMFILE"
}

/**
 * Files that look open to their users and are open only while they are used: at most `filesMax` at a time, however many logs there are. Who has not been used lately
 * is closed, and opened again on demand.
 *
 * A file with writes that were not synced stays open. The kernel tells of a write that failed later by the sync of a descriptor, and one that was opened after the
 * failure might not be told; so room is made by syncing first. That happens in the background as soon as half of the files are like that, and
 * only where it comes too late on the spot: the caller that opens a file then waits for the disk, as for a full pipe.
 */
export class FilePool {
  readonly filesMax: number
  /** Times that a file had to be synced on the spot: for tests and measurements. */
  syncsOnTheSpot = 0
  /** The most files that were open at a time. */
  openMost = 0
  private readonly files: Array<PooledFile> = []
  private hand = 0
  private unsynced = 0
  private sweeping = false
  /** Files that are synced at a time, a quarter of the bound by `sync` and a quarter by `syncThen`; the others can be closed. */
  readonly syncing: Effect.Semaphore
  private readonly directSyncsMax: number
  private directSyncs = 0

  constructor(filesMax: number) {
    this.filesMax = Math.max(filesMaxLeast, filesMax)
    this.directSyncsMax = Math.floor(this.filesMax / 4)
    this.syncing = Effect.unsafeMakeSemaphore(this.directSyncsMax)
  }

  get openCount(): number {
    return this.files.length
  }

  /** Whether one more file may be synced by `syncThen`; `endDirectSync` follows when it is. */
  beginDirectSync(): boolean {
    if (this.directSyncs >= this.directSyncsMax) return false
    this.directSyncs++
    return true
  }
  endDirectSync(): void {
    this.directSyncs--
  }

  /** The same disk, with files of this pool. */
  over(disk: Disk, fork: Volume["fork"]): Disk {
    const volume: Volume = { disk, fork }
    return {
      open: (path, mode) => this.open(volume, path, mode),
      list: (path) => disk.list(path),
      exists: (path) => disk.exists(path),
      size: (path) => disk.size(path),
      makeDirectory: (path) => disk.makeDirectory(path),
      rename: (from, to) => disk.rename(from, to),
      unlink: (path) => disk.unlink(path),
      unlinkApart: (path) => removeFile(disk, path),
      removeDirectory: (path) => disk.removeDirectory(path),
      syncDirectory: (path) => patiently(disk.syncDirectory(path)),
      space: (path) => disk.space(path),
      volume: disk.volume
    }
  }

  private open(volume: Volume, path: string, mode: OpenMode): DiskFile {
    const file = new PooledFile(this, volume, path, mode)
    file.take(mode)
    return file
  }

  /** A descriptor, within the bound. */
  descriptor(volume: Volume, path: string, mode: OpenMode): DiskFile {
    while (this.files.length >= this.filesMax) if (!this.closeOne()) this.syncOne()
    try {
      return volume.disk.open(path, mode)
    } catch (error) {
      // Others in this process may have taken what the limit leaves, connections first of all. Idle files are closed.
      if (!isOutOfFiles(error)) throw error
      for (let left = this.files.length; left > 0 && this.closeOne(); left--);
      return volume.disk.open(path, mode)
    }
  }

  add(file: PooledFile): void {
    file.slot = this.files.push(file) - 1
    this.openMost = Math.max(this.openMost, this.files.length)
  }

  remove(file: PooledFile): void {
    const last = this.files.pop()
    if (last === undefined || last === file) return
    this.files[file.slot] = last
    last.slot = file.slot
  }

  /** A file has its first write that is not synced. */
  dirtied(volume: Volume): void {
    this.unsynced++
    if (this.unsynced * 2 <= this.filesMax || this.sweeping) return
    this.sweeping = true
    volume.fork(this.sweep)
  }
  cleaned(): void {
    this.unsynced--
  }

  /** Closes a file that was not used since the hand came by last. */
  private closeOne(): boolean {
    for (let left = this.files.length * 2; left > 0; left--) {
      const file = this.next()
      if (!file.mayClose) continue
      if (!file.isRecent) {
        file.letGo()
        return true
      }
      file.isRecent = false
    }
    return false
  }

  private next(): PooledFile {
    if (this.hand >= this.files.length) this.hand = 0
    return this.files[this.hand++] as PooledFile
  }

  /** Everything that is open has writes that were not synced: one is synced here and now. */
  private syncOne(): void {
    for (let left = this.files.length; left > 0; left--) {
      const file = this.next()
      if (!file.maySync) continue
      this.syncsOnTheSpot++
      file.syncNow()
      return
    }
    throw new OutOfFiles(`EMFILE: all ${this.filesMax} files that may be open are being synced, or failed to`)
  }

  /** Syncs files that were written, as the hand comes by them, until they are a quarter of the bound. */
  private readonly sweep: Effect.Effect<void> = Effect.suspend(() => {
    const some: Array<PooledFile> = []
    for (let left = this.files.length; left > 0 && some.length < sweepConcurrency && this.unsynced * 4 > this.filesMax; left--) {
      const file = this.next()
      if (file.maySync) some.push(file)
    }
    if (some.length === 0) {
      this.sweeping = false
      return Effect.void
    }
    // A file whose sync fails says so again when its log syncs it, and is closed by it.
    return Effect.zipRight(
      Effect.forEach(some, ({ sync }) => Effect.ignore(sync), { concurrency: "unbounded", discard: true }),
      Effect.zipRight(Effect.yieldNow(), this.sweep)
    )
  })
}

/** One file of the pool. */
class PooledFile implements DiskFile {
  /** Its place among the open ones. */
  slot = -1
  isRecent = true
  readonly sync: Effect.Effect<void, unknown>
  private open: DiskFile | undefined
  private isClosed = false
  /** Syncs that run: the descriptor is theirs as well. */
  private syncing = 0
  private changes = 0
  private synced = 0
  /** Every write went through here and was synced here. Of a file that was only opened that is unknown. */
  private isKnownDurable = false
  /** A sync that failed is not repeated: a second one would succeed, and mean nothing. */
  private failure: { readonly error: unknown } | undefined
  private readonly mayForget: boolean

  constructor(
    private readonly pool: FilePool,
    private readonly volume: Volume,
    readonly path: string,
    private readonly mode: OpenMode
  ) {
    this.mayForget = mode === "note" || mode === "read"
    this.sync = Effect.suspend(() => {
      if (this.failure !== undefined) return Effect.fail(this.failure.error)
      return this.isKnownDurable ? Effect.void : Effect.uninterruptible(patiently(this.pool.syncing.withPermits(1)(this.syncOnce)))
    })
  }

  take(mode: OpenMode): DiskFile {
    if (this.isClosed) throw new Error(`${this.path} was closed, and is used.`)
    const open = this.pool.descriptor(this.volume, this.path, mode)
    this.open = open
    this.isRecent = true
    this.pool.add(this)
    return open
  }
  private use(): DiskFile {
    this.isRecent = true
    // What is created once is not created again: a file that is gone by then is missed.
    return this.open ?? this.take(this.mode === "create" ? "write" : this.mode)
  }

  /** What a failed sync left is given up: its log says so, and the file need not stay open for it. */
  get mayClose(): boolean {
    return this.syncing === 0 && (this.changes === this.synced || this.failure !== undefined)
  }
  get maySync(): boolean {
    return this.syncing === 0 && this.changes !== this.synced && this.failure === undefined
  }
  letGo(): void {
    const { open } = this
    if (open === undefined) return
    this.open = undefined
    this.pool.remove(this)
    open.close()
  }

  private changed(): void {
    this.isKnownDurable = false
    if (this.mayForget) return
    if (this.changes++ === this.synced) this.pool.dirtied(this.volume)
  }
  private settled(upTo: number): void {
    if (upTo <= this.synced || this.isClosed) return
    this.synced = upTo
    if (this.changes === upTo) this.pool.cleaned()
  }

  write(chunks: ReadonlyArray<Uint8Array>, position: number): void {
    const open = this.use()
    this.changed()
    open.write(chunks, position)
  }
  read(into: Uint8Array, position: number): number {
    return this.use().read(into, position)
  }
  size(): number {
    return this.use().size()
  }
  truncate(size: number): void {
    const open = this.use()
    this.changed()
    open.truncate(size)
  }

  /** A failure to open the file is not one of its sync. */
  private readonly syncOnce: Effect.Effect<void, unknown> = Effect.suspend(() =>
    Effect.flatMap(Effect.try({ try: () => this.use(), catch: (error) => error }), (open) => {
      const upTo = this.changes
      this.syncing++
      return Effect.matchEffect(open.sync, {
        onFailure: (error) => {
          this.failure ??= { error }
          this.released()
          return Effect.fail(error)
        },
        onSuccess: () => {
          this.isKnownDurable = this.changes === upTo && !this.mayForget
          this.settled(upTo)
          this.released()
          return this.failure === undefined ? Effect.void : Effect.fail(this.failure.error)
        }
      })
    })
  )

  /** Whatever may have to wait, for a descriptor or for its turn, is left to `sync`. */
  syncThen(done: SyncDone): boolean {
    if (this.failure !== undefined || this.isKnownDurable || this.isClosed || !this.pool.beginDirectSync()) return false
    const upTo = this.changes
    this.syncing++
    const synced = (error: unknown): void => {
      this.pool.endDirectSync()
      if (error !== undefined) this.failure ??= { error }
      else {
        this.isKnownDurable = this.changes === upTo && !this.mayForget
        this.settled(upTo)
      }
      this.released()
      done(this.failure?.error)
    }
    try {
      if (this.use().syncThen?.(synced) === true) return true
    } catch {
      // No descriptor: `sync` waits for one, or reports why there is none.
    }
    this.pool.endDirectSync()
    this.syncing--
    return false
  }

  changeMark(): number {
    return this.changes
  }
  durableTo(mark: number): void {
    this.isKnownDurable = this.changes === mark && !this.mayForget && this.failure === undefined
    this.settled(mark)
  }

  /** Who closes the file while it is synced leaves its descriptor to the sync. */
  private released(): void {
    this.syncing--
    if (this.isClosed && this.syncing === 0) this.letGo()
  }

  syncNow(): void {
    try {
      this.use().syncNow()
      this.settled(this.changes)
    } catch (error) {
      this.failure = { error }
    }
  }

  close(): void {
    if (this.isClosed) return
    if (this.changes !== this.synced) this.pool.cleaned()
    this.isClosed = true
    if (this.syncing === 0) this.letGo()
  }
}
