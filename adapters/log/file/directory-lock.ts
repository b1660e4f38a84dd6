import { Effect, type Scope } from "effect"
import { DirectoryLocked, type LogFault } from "../../../src/ports/log-store.ts"
import { attempt, type Disk, faultOf } from "../disk.ts"

/** What is held open for a lock. */
interface Held {
  readonly close: () => void
}

/**
 * The locks of this process. They stand here and not in a closure because a database that nobody refers to is collected, closed, and its lock is gone.
 * The kernel's lock does not keep a process from locking twice, so this map refuses the second store of one process.
 */
const held = new Map<string, Held>()

const lockName = "lock"
const holderName = "lock.holder"

const holderOf = (disk: Disk, directory: string): string => {
  const path = `${directory}/${holderName}`
  const read = attempt(path, "read", () => {
    const file = disk.open(path, "read")
    const bytes = new Uint8Array(200)
    const size = file.read(bytes, 0)
    file.close()
    return new TextDecoder().decode(bytes.subarray(0, size)).split("\n", 1)[0] ?? ""
  })
  return read._tag === "Right" && read.right !== "" ? read.right : "an unknown process"
}

const locked = (directory: string, holder: string): DirectoryLocked =>
  new DirectoryLocked({
    path: directory,
    holder,
    message: `The data directory ${directory} is in use by ${holder}. Stop that process, or give this one another directory.`
  })

const isBusy = (error: unknown): boolean => error instanceof Error && /locked|busy/i.test(error.message)

/**
 * Takes the lock of an SQLite database: an empty file, on which SQLite holds the kernel's lock of record. Bun, Deno and Node all bring SQLite, a compiled
 * binary too, and none of them brings flock. The kernel drops the lock when the process dies in whatever way, so there is no stale lock to judge;
 * a lock file with a process id in it would need that, and could not be judged from inside a container.
 */
const takeDatabase = async (path: string): Promise<Held> => {
  const { DatabaseSync } = await import("node:sqlite")
  const database = new DatabaseSync(path)
  try {
    database.exec("PRAGMA busy_timeout=0; PRAGMA journal_mode=OFF; PRAGMA locking_mode=EXCLUSIVE")
    database.exec("BEGIN EXCLUSIVE")
  } catch (error) {
    database.close()
    throw error
  }
  return { close: () => database.close() }
}

const take = (disk: Disk, directory: string, realPath: string, processId: number): Effect.Effect<Held, DirectoryLocked | LogFault> =>
  Effect.gen(function* () {
    const self = `pid ${processId}`
    if (held.has(realPath)) return yield* locked(directory, `this process (${self})`)
    // SQLite says little when a directory cannot be written; the platform says why. The lock's own file is left alone: closing it here would drop a lock of this process.
    yield* attempt(directory, "write to", () => disk.open(`${directory}/${holderName}`, "create").close())
    const taken = yield* Effect.tryPromise({
      try: () => takeDatabase(`${directory}/${lockName}`),
      catch: (error) => (isBusy(error) ? locked(directory, holderOf(disk, directory)) : faultOf(`${directory}/${lockName}`, "lock", error))
    })
    // Two stores of this process may have come here together: SQLite refused the second, unless the first was already gone.
    held.set(realPath, taken)
    yield* attempt(directory, "write the lock's holder in", () => {
      const file = disk.open(`${directory}/${holderName}`, "create")
      const text = new TextEncoder().encode(`${self}\n`)
      file.write([text], 0)
      file.truncate(text.length)
      file.close()
    })
    return taken
  })

/** Holds the directory for this process alone while the scope lives. `realPath` names it without links, so that two ways to it are one lock. */
export const holdDirectory = (
  disk: Disk,
  directory: string,
  realPath: string,
  processId: number
): Effect.Effect<void, DirectoryLocked | LogFault, Scope.Scope> =>
  Effect.acquireRelease(take(disk, directory, realPath, processId), (taken) =>
    Effect.sync(() => {
      held.delete(realPath)
      taken.close()
    })
  ).pipe(Effect.asVoid)
