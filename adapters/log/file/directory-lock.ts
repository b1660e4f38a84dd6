import { statSync } from "node:fs"
import { Effect, type Scope } from "effect"
import { DirectoryLocked, LogFault } from "../../../src/ports/log-store.ts"
import { attempt, type Disk, faultOf } from "../disk/disk.ts"
import { type FlockOutcome, flockDirectory, flockHolder } from "./flock.ts"

/** What is held open for a lock. */
interface Held {
  readonly close: () => void
}

/** The lock file's locks: of the file under this name when it was taken. */
interface LockFile extends Held {
  readonly inode: string
}

interface Taken {
  /** The lock on the directory itself; undefined where the runtime or the file system has none. */
  readonly directory: Held | undefined
  readonly inode: string
  file: LockFile | undefined
}

/** A directory that this process holds. */
export interface HeldDirectory {
  /**
   * Looks after the lock every `checkIntervalMs`: a lock file that was removed or replaced is made again, with a warning. Ends with a fault where the directory
   * is no longer this process's: another process has the new lock file, or the path leads to another directory.
   */
  readonly lost: (checkIntervalMs: number) => Effect.Effect<LogFault>
}

/** How often a node looks whether its lock is still there. Two calls of stat(2) each time. */
export const lockCheckIntervalMs = 5000

/**
 * The directories that this process holds, by their real paths. They are kept here and not in a closure because a database that has no reference is collected,
 * closed, and its lock is gone. SQLite's lock does not keep a process from locking twice, so this map refuses the second store of one process.
 */
const held = new Map<string, Taken>()

const lockName = "lock"
const holderName = "lock.holder"

/** Names the process that has the lock: `pid` where the kernel tells it, else what the holder wrote down. */
const holderOf = (disk: Disk, directory: string, pid: number | undefined): string => {
  if (pid !== undefined) return `pid ${pid}`
  const path = `${directory}/${holderName}`
  const read = attempt(path, "read", () => {
    const file = disk.open(path, "read")
    const bytes = new Uint8Array(200)
    const size = file.read(bytes, 0)
    file.close()
    return new TextDecoder().decode(bytes.subarray(0, size)).split("\n", 1)[0] ?? ""
  })
  return read._tag === "Right" && /^pid \d{1,10}$/.test(read.right) ? read.right : "an unknown process"
}

const locked = (directory: string, holder: string): DirectoryLocked =>
  new DirectoryLocked({
    path: directory,
    holder,
    message: `The data directory ${directory} is in use by ${holder}. Stop that process, or give this one another directory.`
  })

/** Another program wrote into the lock file. Its content means nothing, but SQLite does not take it. */
const isSpoiled = (error: unknown): boolean => error instanceof Error && /not a database|malformed/i.test(error.message)

const spoiled = (path: string): LogFault =>
  new LogFault({
    path,
    reason: "corrupt",
    message: `${path} is no lock file any more: a program wrote into it. Make sure that no node runs on the directory, move the file away, then start this node again. It is made anew.`
  })

/** Node before 22.13 has no SQLite without a flag. */
const isWithoutSqlite = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ERR_UNKNOWN_BUILTIN_MODULE"

const withoutSqlite = (path: string): LogFault =>
  new LogFault({
    path,
    reason: "io",
    message: `${path} cannot be locked: a node under Node.js locks its data directory by node:sqlite, which this version lacks. Use Node.js 22.13 or later, Bun or Deno.`
  })

const isBusy = (error: unknown): boolean => error instanceof Error && /locked|busy/i.test(error.message)

/** The file or directory that a path leads to; undefined where there is none. */
const inodeOf = (path: string): string | undefined => {
  const found = statSync(path, { throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.dev}:${found.ino}`
}

/**
 * Takes the lock of an SQLite database: an empty file, on which SQLite holds the kernel's lock of record. Bun, Deno and Node all bring SQLite, so processes of
 * different runtimes exclude each other, where Node has no flock(2). The kernel drops the lock when the process dies in whatever way, so there is no stale lock.
 */
const takeDatabase = async (path: string): Promise<LockFile> => {
  const { DatabaseSync } = await import("node:sqlite")
  const database = new DatabaseSync(path)
  try {
    database.exec("PRAGMA busy_timeout=0; PRAGMA journal_mode=OFF; PRAGMA locking_mode=EXCLUSIVE")
    database.exec("BEGIN EXCLUSIVE")
    return { close: () => database.close(), inode: inodeOf(path) ?? "" }
  } catch (error) {
    database.close()
    throw error
  }
}

const writeHolder = (disk: Disk, directory: string, self: string) =>
  attempt(directory, "write the lock's holder in", () => {
    const file = disk.open(`${directory}/${holderName}`, "create")
    const text = new TextEncoder().encode(`${self}\n`)
    file.write([text], 0)
    file.truncate(text.length)
    file.close()
  })

const takeFile = (disk: Disk, directory: string, self: string, isLocked: boolean): Effect.Effect<LockFile, DirectoryLocked | LogFault> =>
  Effect.gen(function* () {
    // SQLite says little when a directory cannot be written; the platform says why. The lock's own file is left alone: closing it here would drop a lock of this process.
    yield* attempt(directory, "write to", () => disk.open(`${directory}/${holderName}`, "create").close())
    const path = `${directory}/${lockName}`
    const takePath = Effect.tryPromise({
      try: () => takeDatabase(path),
      catch: (error) => {
        if (isWithoutSqlite(error)) return withoutSqlite(path)
        if (isBusy(error)) return locked(directory, holderOf(disk, directory, undefined))
        return isSpoiled(error) ? spoiled(path) : faultOf(path, "lock", error)
      }
    })
    // Under the directory's own lock no other process has the file.
    const file = yield* Effect.catchIf(
      takePath,
      (fault) => isLocked && fault._tag === "LogFault" && fault.reason === "corrupt",
      () =>
        Effect.logWarning(`${path}: a program wrote into the lock file; it is made again.`).pipe(
          Effect.zipRight(attempt(path, "remove", () => disk.unlink(path))),
          Effect.zipRight(takePath)
        )
    )
    yield* writeHolder(disk, directory, self)
    return file
  })

interface LockRequest {
  readonly disk: Disk
  readonly directory: string
  /** Names the directory without links, so that two ways to it are one lock. */
  readonly realPath: string
  readonly processId: number
  /** Without the lock file a tool leaves no file in a directory that it only reads. */
  readonly withFile?: boolean
  /** Default: flock(2), where the runtime can call it. */
  readonly flock?: (path: string) => FlockOutcome
}

const take = ({
  directory,
  disk,
  flock = flockDirectory,
  processId,
  realPath,
  withFile = true
}: LockRequest): Effect.Effect<Taken, DirectoryLocked | LogFault> =>
  Effect.gen(function* () {
    const self = `pid ${processId}`
    if (held.has(realPath)) return yield* locked(directory, `this process (${self})`)
    const own = yield* attempt(directory, "lock", () => flock(directory))
    if (own === "busy") return yield* locked(directory, holderOf(disk, directory, flockHolder(directory)))
    const onInode = own === "unavailable" ? undefined : own
    const inode = (yield* attempt(directory, "look for", () => inodeOf(directory))) ?? ""
    const file = withFile
      ? yield* Effect.tapError(takeFile(disk, directory, self, onInode !== undefined), () => Effect.sync(() => onInode?.close()))
      : undefined
    const taken: Taken = { directory: onInode, inode, file }
    // Two stores of this process may have come here together: a lock refused the second, unless the first was already gone.
    held.set(realPath, taken)
    return taken
  })

const gone = (path: string, message: string): LogFault => new LogFault({ path, reason: "offline", message })

const movedAway = (directory: string): LogFault =>
  gone(
    directory,
    `The data directory ${directory} is offline: the path leads to another directory than the one that this node opened (moved, replaced or unmounted while the node ran). Nothing more is written to it. Put the directory back in its place, then start this node again.`
  )

const takenOver = (directory: string, holder: string): LogFault =>
  gone(
    directory,
    `The data directory ${directory} is offline: its lock file was removed while this node ran, and ${holder} holds the new one. Two processes may have written to it: stop both, look with franz log verify ${directory}, then start one of them.`
  )

const removedWarning = (directory: string, isLocked: boolean): string =>
  `The lock file ${directory}/${lockName} was removed or replaced while this node runs; it is made again. ${
    isLocked
      ? "The directory itself is locked as well, so that no second node could start on it."
      : "Without it a second node could have started on this directory: look for one."
  } Never remove lock files: a node that ended leaves no lock.`

/** Looks once. Returns the fault that ends the hold; undefined while the directory is held, again if need be. */
const look = ({ directory, disk, processId }: LockRequest, taken: Taken): Effect.Effect<LogFault | undefined> =>
  Effect.gen(function* () {
    if ((yield* attempt(directory, "look for", () => inodeOf(directory))) !== taken.inode) return movedAway(directory)
    const path = `${directory}/${lockName}`
    if (taken.file === undefined || (yield* attempt(path, "look for", () => inodeOf(path))) === taken.file.inode) return undefined
    yield* Effect.logWarning(removedWarning(directory, taken.directory !== undefined))
    taken.file.close()
    taken.file = undefined
    taken.file = yield* takeFile(disk, directory, `pid ${processId}`, taken.directory !== undefined)
    return undefined
  }).pipe(
    Effect.catchTag("DirectoryLocked", ({ holder }) => Effect.succeed(takenOver(directory, holder))),
    // What cannot be looked at now is looked at later: a disk that fails says so by its own calls.
    Effect.catchTag("LogFault", ({ message }) => Effect.as(Effect.logWarning(message), undefined))
  )

const watch = (wanted: LockRequest, taken: Taken, intervalMs: number): Effect.Effect<LogFault> =>
  Effect.flatMap(Effect.delay(Effect.uninterruptible(look(wanted, taken)), intervalMs), (fault) =>
    fault === undefined ? watch(wanted, taken, intervalMs) : Effect.succeed(fault)
  )

/**
 * Holds the directory for this process alone while the scope lives: by a lock on the directory's inode, and by the lock file for runtimes that have no flock(2).
 */
export const holdDirectory = (wanted: LockRequest): Effect.Effect<HeldDirectory, DirectoryLocked | LogFault, Scope.Scope> =>
  Effect.acquireRelease(take(wanted), (taken) =>
    Effect.sync(() => {
      held.delete(wanted.realPath)
      taken.file?.close()
      taken.directory?.close()
    })
  ).pipe(Effect.map((taken) => ({ lost: (checkIntervalMs) => watch(wanted, taken, checkIntervalMs) })))
