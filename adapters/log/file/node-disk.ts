import * as fs from "node:fs"
import { Effect } from "effect"
import type { Disk, DiskFile, SyncDone } from "../disk/disk.ts"
import { syncableVolume } from "./syncfs.ts"

// Linux takes at most 1024 buffers in one writev.
const buffersMax = 1024

const writeOne = (fd: number, bytes: Uint8Array, position: number): void => {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at, bytes.length - at, position + at)
}

/** A short write is no error to the kernel (it happens before a disk is full): the rest goes out one by one, until all is written or an error says why not. */
const writeAll = (fd: number, chunks: ReadonlyArray<Uint8Array>, position: number): void => {
  let at = position
  for (let first = 0; first < chunks.length; first += buffersMax) {
    const some = chunks.length <= buffersMax ? chunks : chunks.slice(first, first + buffersMax)
    let written = some.length === 1 ? 0 : fs.writevSync(fd, some as Array<Uint8Array>, at)
    for (const chunk of some) {
      if (written < chunk.length) writeOne(fd, written === 0 ? chunk : chunk.subarray(written), at + written)
      at += chunk.length
      written = Math.max(0, written - chunk.length)
    }
  }
}

const readAll = (fd: number, into: Uint8Array, position: number): number => {
  let at = 0
  while (at < into.length) {
    const count = fs.readSync(fd, into, at, into.length - at, position + at)
    if (count === 0) break
    at += count
  }
  return at
}

class NodeFile implements DiskFile {
  readonly sync: Effect.Effect<void, unknown>
  private open = true

  constructor(
    readonly path: string,
    private readonly fd: number
  ) {
    this.sync = Effect.async((resume) => fs.fdatasync(fd, (error) => resume(error === null ? Effect.void : Effect.fail(error))))
  }
  syncThen(done: SyncDone): boolean {
    fs.fdatasync(this.fd, (error) => done(error ?? undefined))
    return true
  }
  write(chunks: ReadonlyArray<Uint8Array>, position: number): void {
    writeAll(this.fd, chunks, position)
  }
  read(into: Uint8Array, position: number): number {
    return readAll(this.fd, into, position)
  }
  size(): number {
    return fs.fstatSync(this.fd).size
  }
  truncate(size: number): void {
    fs.ftruncateSync(this.fd, size)
  }
  syncNow(): void {
    fs.fdatasyncSync(this.fd)
  }
  /** A descriptor that is closed twice might by then be another file's. */
  close(): void {
    if (this.open) fs.closeSync(this.fd)
    this.open = false
  }
}

// O_CREAT without O_TRUNC: "w+" would empty a file that is there, and "r+" fails where it is missing.
const creating = fs.constants.O_RDWR | fs.constants.O_CREAT
const flagsOf = { read: fs.constants.O_RDONLY, write: fs.constants.O_RDWR, create: creating, note: creating } as const

/** Only the sync waits for the disk. To open and to close are as quick as for a file, and each trip to another thread and back costs more than they do. */
const syncDirectory = (path: string): Effect.Effect<void, unknown> =>
  Effect.async<void, unknown>((resume) => {
    let fd: number
    try {
      fd = fs.openSync(path, "r")
    } catch (error) {
      return resume(Effect.fail(error))
    }
    fs.fsync(fd, (error) => {
      fs.closeSync(fd)
      resume(error === null ? Effect.void : Effect.fail(error))
    })
  })

const unlinkApart = (path: string): Effect.Effect<void, unknown> =>
  Effect.async((resume) => fs.unlink(path, (error) => resume(error === null ? Effect.void : Effect.fail(error))))

/** Files of the machine by node:fs, which Bun, Deno and Node have alike. */
export const nodeDisk: Disk = {
  open: (path, mode) => new NodeFile(path, fs.openSync(path, flagsOf[mode], 0o640)),
  list: (path) => fs.readdirSync(path),
  exists: (path) => fs.existsSync(path),
  size: (path) => fs.statSync(path, { throwIfNoEntry: false })?.size,
  makeDirectory: (path) => void fs.mkdirSync(path, { recursive: true, mode: 0o750 }),
  rename: (from, to) => fs.renameSync(from, to),
  unlink: (path) => fs.unlinkSync(path),
  unlinkApart,
  removeDirectory: (path) => fs.rmdirSync(path),
  syncDirectory,
  space: (path) => {
    const { bavail, blocks, bsize } = fs.statfsSync(path)
    return { totalBytes: blocks * bsize, usableBytes: bavail * bsize }
  },
  volume: syncableVolume
}
