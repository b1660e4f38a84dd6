import { Effect } from "effect"
import { codeOf, type Disk, type DiskFile, removeFile } from "./disk.ts"
import { isOutOfFiles } from "./file-pool.ts"

/** What a device answers that does not work: nothing on it is trusted any more. A disk that is full or read-only works, and so does one where a file is missing. */
const deviceCodes = new Set(["EIO", "ENXIO", "ENODEV", "EUCLEAN", "EBADMSG", "ESTALE", "EREMOTEIO", "ETIMEDOUT"])

/** What went wrong: `doing` is "write to", "read", "sync" or another verb of the disk. */
export interface DiskFailure {
  readonly path: string
  readonly doing: string
  readonly error: unknown
}

/** The same disk; whatever shows that it fails is told: any sync that fails, and any error of the device itself. Who used it hears the error as before, afterwards. */
export const watchedDisk = (disk: Disk, failed: (failure: DiskFailure) => void): Disk => {
  const watch = <A>(path: string, doing: string, run: () => A): A => {
    try {
      return run()
    } catch (error) {
      if (deviceCodes.has(codeOf(error))) failed({ path, doing, error })
      throw error
    }
  }
  const watchSync = (path: string, sync: Effect.Effect<void, unknown>): Effect.Effect<void, unknown> =>
    Effect.tapError(sync, (error) => Effect.sync(() => void (isOutOfFiles(error) || failed({ path, doing: "sync", error }))))
  const watchFile = (file: DiskFile): DiskFile => {
    const { path } = file
    return {
      path,
      write: (chunks, position) => watch(path, "write to", () => file.write(chunks, position)),
      read: (into, position) => watch(path, "read", () => file.read(into, position)),
      size: () => watch(path, "read", () => file.size()),
      truncate: (size) => watch(path, "cut", () => file.truncate(size)),
      sync: watchSync(path, file.sync),
      syncThen: (done) =>
        file.syncThen?.((error) => {
          if (error !== undefined && !isOutOfFiles(error)) failed({ path, doing: "sync", error })
          done(error)
        }) ?? false,
      syncNow: () => {
        try {
          file.syncNow()
        } catch (error) {
          failed({ path, doing: "sync", error })
          throw error
        }
      },
      close: () => file.close()
    }
  }
  return {
    open: (path, mode) => watch(path, "open", () => watchFile(disk.open(path, mode))),
    list: (path) => watch(path, "list", () => disk.list(path)),
    exists: (path) => watch(path, "look for", () => disk.exists(path)),
    size: (path) => watch(path, "look at", () => disk.size(path)),
    makeDirectory: (path) => watch(path, "make", () => disk.makeDirectory(path)),
    rename: (from, to) => watch(from, "rename", () => disk.rename(from, to)),
    unlink: (path) => watch(path, "remove", () => disk.unlink(path)),
    unlinkApart: (path) =>
      Effect.tapError(removeFile(disk, path), (error) => Effect.sync(() => void (deviceCodes.has(codeOf(error)) && failed({ path, doing: "remove", error })))),
    removeDirectory: (path) => watch(path, "remove", () => disk.removeDirectory(path)),
    syncDirectory: (path) => watchSync(path, disk.syncDirectory(path)),
    space: (path) => watch(path, "look at", () => disk.space(path)),
    // An error of the volume may be another program's.
    volume: disk.volume
  }
}
