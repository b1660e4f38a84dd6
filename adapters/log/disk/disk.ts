import { Effect, Either } from "effect"
import { Bug } from "../../../domain/kernel/bug.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import type { SyncableVolume } from "./volume-sync.ts"

/** What inspection needs from a disk: a disk of this type cannot be changed. Its methods throw what the platform throws. */
export interface ReadableDisk {
  readonly open: (path: string, mode: "read") => ReadableFile
  /** Names in a directory, in no order. */
  readonly list: (path: string) => ReadonlyArray<string>
  readonly exists: (path: string) => boolean
  /** Bytes of the file, or undefined when there is none. */
  readonly size: (path: string) => number | undefined
}

/** An open file that is only read. Positions and sizes are in bytes. */
export interface ReadableFile {
  readonly path: string
  /** Fills `into` from `position` on and returns how many bytes there were. */
  readonly read: (into: Uint8Array, position: number) => number
  readonly size: () => number
  readonly close: () => void
}

/**
 * What a log store needs from a disk, under both adapters: the file adapter gives it by node:fs, the memory adapter by a disk that can lose power.
 * Plain methods throw what the platform throws (an Error with a `code`); `attempt` turns that into a LogFault at the store's edge.
 */
export interface Disk extends ReadableDisk {
  /** Opens a file to read or to read and write. The entry of one that is made is durable after `syncDirectory`. */
  readonly open: (path: string, mode: OpenMode) => DiskFile
  /** Makes the directory and those above it; one that is there is fine. */
  readonly makeDirectory: (path: string) => void
  /** Replaces what is at `to`. */
  readonly rename: (from: string, to: string) => void
  readonly unlink: (path: string) => void
  /** The same off the event loop, where the disk can: to free the pages of a file of 128 MB takes 50 ms. `removeFile` takes what there is. */
  readonly unlinkApart?: ((path: string) => Effect.Effect<void, unknown>) | undefined
  /** Removes an empty directory. */
  readonly removeDirectory: (path: string) => void
  /** Names made, changed and removed in the directory survive a power cut. */
  readonly syncDirectory: (path: string) => Effect.Effect<void, unknown>
  /** Bytes of the volume of a directory, and how many of them a program may still use; undefined where the system does not say. */
  readonly space: (path: string) => { readonly totalBytes: number; readonly usableBytes: number } | undefined
  /** The volume of a directory, where it can be synced as a whole. Absent where the platform has no such sync. */
  readonly volume?: ((path: string) => SyncableVolume | undefined) | undefined
}

/**
 * "create" makes the file where it is missing. So does "note", for what may be lost: such a file may be closed before its writes are synced, and a sync speaks
 * only for what was written in the same breath.
 */
export type OpenMode = "read" | "write" | "create" | "note"

/** Called once with the error of a sync, or undefined when the bytes are durable. */
export type SyncDone = (error: unknown) => void

/** An open file. Positions and sizes are in bytes. */
export interface DiskFile extends ReadableFile {
  /** Writes all chunks one after the other from `position` on. When it throws, any part of them may have been written. */
  readonly write: (chunks: ReadonlyArray<Uint8Array>, position: number) => void
  readonly truncate: (size: number) => void
  /** What was written before the call is durable when it returns (fdatasync, off the event loop). */
  readonly sync: Effect.Effect<void, unknown>
  /**
   * The same without a fiber, for acks=all, where a fiber for each sync costs more than the sync: calls `done` once, later, with what the platform threw or undefined.
   * Returns false, and has done nothing, where only `sync` can wait for what the file needs. Absent where the disk has `sync` alone.
   */
  readonly syncThen?: ((done: SyncDone) => boolean) | undefined
  /**
   * How many changes were made to the file: a sync of the volume that starts now covers them, and `durableTo` says so when it has ended. Absent where the caller
   * syncs each file by itself.
   */
  readonly changeMark?: (() => number) | undefined
  readonly durableTo?: ((mark: number) => void) | undefined
  /** The same on the event loop, for a caller that cannot wait: all others wait meanwhile. Throws what the platform throws. */
  readonly syncNow: () => void
}

/** The same disk without the methods that change it, also at run time: a caller that gets round the type finds none. */
export const readOnly = (disk: ReadableDisk): ReadableDisk => ({
  open: (path) => {
    const file = disk.open(path, "read")
    return { path: file.path, read: (into, position) => file.read(into, position), size: () => file.size(), close: () => file.close() }
  },
  list: (path) => disk.list(path),
  exists: (path) => disk.exists(path),
  size: (path) => disk.size(path)
})

/** The platform's code of what it threw, e.g. "ENOSPC"; empty where it has none. */
export const codeOf = (error: unknown): string => (error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "")

const reasonOf: Readonly<Record<string, LogFault["reason"]>> = { ENOSPC: "full", EDQUOT: "full", EROFS: "read-only" }

const adviceOf = (reason: LogFault["reason"], code: string): string => {
  if (code === "EMFILE" || code === "ENFILE")
    return "No more files can be opened just now; it is tried again. Raise the limit (ulimit -n, LimitNOFILE=), or lower max.connections or log.open.files.max."
  switch (reason) {
    case "full":
      return "There is no space left on the disk: appends fail until there is room, reads work."
    case "read-only":
      return "The file system is read-only: appends fail until it is mounted for writing."
    default:
      return "Look at the disk and at the permissions of the data directory."
  }
}

/** The fault for an error that the platform gave while it was `doing` ("write", "open") its work with `path`. */
export const faultOf = (path: string, doing: string, error: unknown): LogFault => {
  const code = codeOf(error)
  const reason = reasonOf[code] ?? "io"
  const detail = error instanceof Error ? error.message : String(error)
  return new LogFault({ path, reason, message: `Could not ${doing} ${path}: ${detail}. ${adviceOf(reason, code)}`, cause: error })
}

/** Damage that no code repairs by guessing. */
export const corrupt = (path: string, message: string): LogFault => new LogFault({ path, reason: "corrupt", message })

/** Runs plain disk methods; what they throw becomes a LogFault. A LogFault that is thrown inside stays what it is, and a Bug is none of the disk's: it passes. */
export const attempt = <A>(path: string, doing: string, run: () => A): Either.Either<A, LogFault> => {
  try {
    return Either.right(run())
  } catch (error) {
    if (error instanceof Bug) throw error
    return Either.left(error instanceof LogFault ? error : faultOf(path, doing, error))
  }
}

/** Removes a file that may be large, without holding up the event loop where the disk can do that. Fails with what the platform says. */
export const removeFile = (disk: Disk, path: string): Effect.Effect<void, unknown> =>
  disk.unlinkApart?.(path) ?? Effect.try({ try: () => disk.unlink(path), catch: (error) => error })

/** The whole of a small file. The size is checked against `bytesMax` before memory is taken. */
export const readSmallFile = (disk: ReadableDisk, path: string, bytesMax: number): Uint8Array => {
  const file = disk.open(path, "read")
  try {
    const size = file.size()
    if (size > bytesMax) throw corrupt(path, `${path} has ${size} bytes, at most ${bytesMax} belong there. Move it away and look at what wrote it.`)
    const bytes = new Uint8Array(size)
    return bytes.subarray(0, file.read(bytes, 0))
  } finally {
    file.close()
  }
}

const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")))

/** Makes a directory (an absolute path), with those above it that are missing, so that all their names survive a power cut. */
export const makeDurableDirectory = (disk: Disk, path: string): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const changed = yield* attempt(path, "make", () => {
      const parents: Array<string> = []
      for (let at = path; at !== "/" && !disk.exists(at); at = parentOf(at)) parents.push(parentOf(at))
      if (parents.length > 0) disk.makeDirectory(path)
      return parents
    })
    for (const directory of changed) yield* Effect.mapError(disk.syncDirectory(directory), (error) => faultOf(directory, "sync", error))
  })
