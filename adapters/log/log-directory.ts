import { Deferred, Effect, Either, FiberId } from "effect"
import type { TopicId } from "../../domain/kernel/id.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { LogFault, type LogDirectory as Port } from "../../src/ports/log-store.ts"
import { Checkpoints } from "./disk/checkpoint.ts"
import { attempt, codeOf, type Disk, removeFile } from "./disk/disk.ts"
import type { FilePool } from "./disk/file-pool.ts"
import { SharedSync, type SharingBounds } from "./disk/shared-sync.ts"
import type { SyncTimes } from "./disk/sync-times.ts"
import { type DiskFailure, watchedDisk } from "./disk/watched-disk.ts"
import { type ScrubBounds, Scrubber } from "./scrub/scrubber.ts"
import type { SyncPoint } from "./segment/segment-list.ts"
import { type CacheBounds, SharedCaches } from "./segment/shared-caches.ts"

/** What a directory tells of the logs in it. */
interface HeldLog {
  /** Answers with the fault from now on. */
  readonly fail: (fault: LogFault) => void
}

const directoryForm = /^([A-Za-z0-9_-]{22})-(\d{1,10})$/
export const removedSuffix = "-delete"
/** A directory that a removal has renamed. Every other entry of a data directory stays, whatever its name. */
const removedForm = /^[A-Za-z0-9_-]{22}-\d{1,10}(\.moving|\.copied|\.moved)?-delete$/

/** The file that shows whether there is space. A crash may leave it. */
const probeName = "space-probe"

export const removeTree = (disk: Disk, path: string): void => {
  for (const name of disk.list(path)) disk.unlink(`${path}/${name}`)
  disk.removeDirectory(path)
}

/** The same, off the event loop: a partition may have many large files. */
export const removeTreeApart = (disk: Disk, path: string): Effect.Effect<void, unknown> =>
  Effect.try({ try: () => disk.list(path), catch: (error) => error }).pipe(
    Effect.andThen((names) => Effect.forEach(names, (name) => removeFile(disk, `${path}/${name}`), { discard: true })),
    Effect.andThen(Effect.try({ try: () => disk.removeDirectory(path), catch: (error) => error }))
  )

const shown = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What a failing disk means, for the operator. */
const sentenceOf = (root: string, { doing, error, path }: DiskFailure): string =>
  `The data directory ${root} is offline: could not ${doing} ${path}: ${shown(error)}. ` +
  (doing === "sync" ? "A sync that failed is not repeated, since it is unknown what the disk holds. " : "") +
  "Look at the disk, then start this node again."

/** What the directories of a store have in common. */
interface DirectoryParts {
  readonly pool: FilePool
  readonly crc32c: Crc32c
  readonly caches: CacheBounds
  readonly fork: (effect: Effect.Effect<void>) => void
  readonly scrub: ScrubBounds
  readonly sharing: SharingBounds
  readonly syncTimes: SyncTimes
  /** ms since 1970. */
  readonly now: () => number
}

/**
 * One data directory: its disk, its caches, and whether it works. The first sync that fails, and the first error of the device, takes it offline with all its
 * logs, until the process starts again; the other directories keep working.
 */
export class LogDirectory implements Port {
  readonly disk: Disk
  readonly caches: SharedCaches
  readonly checkpoints: Checkpoints
  readonly scrubber: Scrubber
  readonly failed: Effect.Effect<LogFault>
  readonly shared: SharedSync<SyncPoint>
  private readonly failing = Deferred.unsafeMake<LogFault>(FiberId.none)
  private readonly held = new Map<string, HeldLog>()
  private offline: LogFault | undefined
  private directoryId: string | undefined
  /** How many logs lie here. */
  logCount = 0

  constructor(
    readonly path: string,
    disk: Disk,
    { caches, crc32c, fork, now, pool, scrub, sharing, syncTimes }: DirectoryParts
  ) {
    this.disk = pool.over(
      watchedDisk(disk, (failure) => this.broke(failure)),
      fork
    )
    this.caches = new SharedCaches(this.disk, caches)
    this.checkpoints = new Checkpoints(this.disk, path, crc32c)
    this.scrubber = new Scrubber(this.disk, this.checkpoints, crc32c, scrub, now)
    this.failed = Deferred.await(this.failing)
    const after = (ms: number, run: () => void): void => fork(Effect.delay(Effect.sync(run), ms))
    const report = (line: string): void => fork(Effect.logWarning(`${path}: ${line}`))
    // Before any log opens a file, so that it is told of every write that fails.
    this.shared = new SharedSync(sharing.crowdMin === Number.POSITIVE_INFINITY ? undefined : disk.volume?.(path), {
      bounds: sharing,
      now,
      report,
      after,
      syncTimes
    })
  }

  readonly fault = (): LogFault | undefined => this.offline
  readonly id = (): string | undefined => this.directoryId
  readonly space: Port["space"] = () => (this.offline === undefined ? this.disk.space(this.path) : undefined)
  readonly takes: Port["takes"] = (bytes) => {
    if (this.offline !== undefined) return false
    const path = `${this.path}/${probeName}`
    const written = attempt(path, "write", () => {
      const file = this.disk.open(path, "note")
      try {
        file.write([new Uint8Array(bytes)], 0)
      } finally {
        file.close()
      }
    })
    const removed = attempt(path, "remove", () => (this.disk.exists(path) ? this.disk.unlink(path) : undefined))
    return Either.isRight(written) && Either.isRight(removed)
  }
  readonly logs: Port["logs"] = () => {
    if (this.offline !== undefined) return []
    return this.disk.list(this.path).flatMap((name) => {
      const found = directoryForm.exec(name)
      return found === null ? [] : [{ topicId: found[1] as TopicId, partition: Number(found[2]) }]
    })
  }

  /** Finishes removals that a crash interrupted (the rename before was the decision), and counts what lies here. */
  begin(): void {
    if (this.offline !== undefined) return
    for (const name of this.disk.list(this.path)) if (removedForm.test(name)) removeTree(this.disk, `${this.path}/${name}`)
    if (this.disk.exists(`${this.path}/${probeName}`)) this.disk.unlink(`${this.path}/${probeName}`)
    this.checkpoints.begin()
    this.logCount = this.logs().length
  }

  /** The directory is this node's, and has this id. */
  claimed(directoryId: string): void {
    this.directoryId = directoryId
  }

  has(name: string): boolean {
    return this.offline === undefined && this.disk.exists(`${this.path}/${name}`)
  }

  /** Bytes that there are for each log, one more counted in: where it is largest, the next log goes. */
  get roomPerLog(): number {
    return (this.space()?.usableBytes ?? Number.MAX_SAFE_INTEGER) / (this.logCount + 1)
  }

  /** A log was opened here; it hears when the directory fails. */
  hold(name: string, log: HeldLog): void {
    this.held.set(name, log)
    if (this.offline !== undefined) log.fail(this.offline)
  }
  release(name: string): void {
    this.held.delete(name)
  }

  private broke(failure: DiskFailure): void {
    // A directory within it that is gone had nothing to be synced: its topic was removed meanwhile, or an operator removed it. Its log says so; the disk is well.
    if (codeOf(failure.error) === "ENOENT" && failure.path !== this.path) return
    this.takeOffline(new LogFault({ path: this.path, reason: "offline", message: sentenceOf(this.path, failure), cause: failure.error }))
  }

  /** For good, as far as this process is concerned. */
  takeOffline(fault: LogFault): void {
    if (this.offline !== undefined) return
    this.offline = fault
    for (const log of this.held.values()) log.fail(fault)
    Deferred.unsafeDone(this.failing, Effect.succeed(fault))
  }

  close(): void {
    this.shared.close()
    attempt(this.path, "close", () => this.caches.close())
  }
}
