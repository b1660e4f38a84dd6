import { Data, Effect } from "effect"
import type { Disk, DiskFile } from "./disk.ts"

/** What a disk can be made to do: for tests, and for a developer who wants to see what a node does (scripts/faulty-disk.ts). No node uses it by itself. */
interface PlantedFault {
  /** "short": the first half of a write reaches the file, then it fails. "directory" is the sync of a directory. */
  readonly doing: "sync" | "write" | "short" | "read" | "open" | "rename" | "directory"
  /** Files and directories whose path has this in it, `*` standing for anything; of a rename, the old one. */
  readonly path: string
  /** The platform's code: "EIO", "ENOSPC", "EROFS" … */
  readonly code: string
  /** So many go well before. */
  readonly after: number
  /** So many fail; then the disk is well again. */
  readonly times: number
}

/** As the platform throws it. */
class PlantedError extends Data.Error<{ readonly code: string; readonly message: string }> {}

/** A fault in words: `DOING PATH CODE [after N] [times N]`, e.g. "sync .log EIO after 10". Undefined where it cannot be read. */
export const parseFault = (words: string): PlantedFault | undefined => {
  const found = /^(sync|write|short|read|open|rename|directory) (\S+) (E[A-Z]+)(?: after (\d{1,9}))?(?: times (\d{1,9}))?$/.exec(words.trim())
  if (found === null) return undefined
  const [, doing, path = "", code = "", after, times] = found
  return {
    doing: doing as PlantedFault["doing"],
    path,
    code,
    after: after === undefined ? 0 : Number(after),
    times: times === undefined ? Number.POSITIVE_INFINITY : Number(times)
  }
}

/** Whether the parts of `pattern` between its stars are in `path`, one after the other. */
const hasIn = (path: string, pattern: string): boolean => {
  let from = 0
  for (const part of pattern.split("*")) {
    const at = path.indexOf(part, from)
    if (at === -1) return false
    from = at + part.length
  }
  return true
}

/** A disk that works but for the faults that were planted. */
export class FaultyDisk {
  readonly disk: Disk
  /** What failed so far, in order, e.g. "sync /data/x/0.log". */
  readonly failed: Array<string> = []
  private faults: Array<{ readonly fault: PlantedFault; after: number; left: number }> = []

  constructor(inner: Disk) {
    this.disk = {
      open: (path, mode) => {
        this.fail("open", path)
        return this.file(inner.open(path, mode))
      },
      list: (path) => inner.list(path),
      exists: (path) => inner.exists(path),
      size: (path) => inner.size(path),
      makeDirectory: (path) => inner.makeDirectory(path),
      rename: (from, to) => {
        this.fail("rename", from)
        inner.rename(from, to)
      },
      unlink: (path) => inner.unlink(path),
      removeDirectory: (path) => inner.removeDirectory(path),
      syncDirectory: (path) => Effect.zipRight(this.failLater("directory", path), inner.syncDirectory(path)),
      space: (path) => inner.space(path)
    }
  }

  plant(fault: Pick<PlantedFault, "doing" | "path" | "code"> & Partial<PlantedFault>): void {
    const whole = { after: 0, times: Number.POSITIVE_INFINITY, ...fault }
    this.faults.push({ fault: whole, after: whole.after, left: whole.times })
  }
  /** The disk is well again. */
  mend(): void {
    this.faults = []
  }

  private due(doing: PlantedFault["doing"], path: string): PlantedError | undefined {
    for (const planted of this.faults) {
      if (planted.fault.doing !== doing || !hasIn(path, planted.fault.path)) continue
      if (planted.after-- > 0 || planted.left <= 0) continue
      planted.left--
      this.failed.push(`${doing} ${path}`)
      return new PlantedError({ code: planted.fault.code, message: `${planted.fault.code}: planted fault, ${doing} '${path}'` })
    }
    return undefined
  }
  private fail(doing: PlantedFault["doing"], path: string): void {
    const error = this.due(doing, path)
    if (error !== undefined) throw error
  }
  private failLater(doing: PlantedFault["doing"], path: string): Effect.Effect<void, unknown> {
    return Effect.suspend(() => this.due(doing, path) ?? Effect.void)
  }

  private file(file: DiskFile): DiskFile {
    const { path } = file
    // A sync that the disk hands on to `sync` has met its planted fault already.
    let isHandedOn = false
    return {
      path,
      write: (chunks, position) => {
        this.fail("write", path)
        const short = this.due("short", path)
        if (short === undefined) return file.write(chunks, position)
        const [first = new Uint8Array(0)] = chunks
        file.write([first.subarray(0, Math.ceil(first.length / 2))], position)
        throw short
      },
      read: (into, position) => {
        this.fail("read", path)
        return file.read(into, position)
      },
      size: () => file.size(),
      truncate: (size) => {
        this.fail("write", path)
        file.truncate(size)
      },
      sync: Effect.suspend(() => {
        const error = isHandedOn ? undefined : this.due("sync", path)
        isHandedOn = false
        return error ?? file.sync
      }),
      syncThen: (done) => {
        const error = this.due("sync", path)
        if (error !== undefined) queueMicrotask(() => done(error))
        else isHandedOn = file.syncThen?.(done) !== true
        return !isHandedOn
      },
      syncNow: () => {
        this.fail("sync", path)
        file.syncNow()
      },
      close: () => file.close()
    }
  }
}
