import * as fs from "node:fs"
import { release } from "node:os"
import process from "node:process"
import { getSystemErrorName } from "node:util"
import type { SyncableVolume, VolumeRound, VolumeSync } from "../disk/volume-sync.ts"

/** The shared words: what the event loop asked for, what it says, and what the thread answers. */
const word = { asked: 0, hurried: 1, pauseMicros: 2, isEnded: 3, errno: 4, micros: 5, rests: 6 } as const
const words = 7
/** Whether the thread waits, and for what: a call that wakes it costs more than a look. */
const rest = { none: 0, idle: 1, pause: 2 } as const

/**
 * ext4 and XFS: `syncfs` there waits for the data and for the file system's log, and its cost is near that of one `fdatasync`. On Btrfs it commits a whole
 * transaction, on FUSE it does not reach the server, and an overlay passes on what its upper file system reports since Linux 5.12 only.
 */
const fileSystems = new Set([0xef53, 0x58465342])
/** The first Linux whose `syncfs` reports failed writes. */
const reportsErrorsSince = [5, 8] as const

/** glibc, then musl. */
const libraries: ReadonlyArray<string> = ["libc.so.6", `libc.musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`]

/** `major.minor` or newer. */
const isLinuxSince = ([major, minor]: readonly [number, number], found = release()): boolean => {
  const [foundMajor = 0, foundMinor = 0] = found.split(".").map(Number)
  return foundMajor > major || (foundMajor === major && foundMinor >= minor)
}

/**
 * The thread. It reads what was asked right before the sync, so all writes before that are covered. It ends after an error: a sync that failed is not
 * repeated. At first it shows that a sync succeeds and that an error is reported. It reads the time by itself: the port of the clock cannot be handed to a
 * thread, and the duration only decides how long to gather.
 */
const program = `
import { dlopen, read } from "bun:ffi"
const load = (libraries) => {
  for (const library of libraries)
    try {
      return dlopen(library, { syncfs: { args: ["i32"], returns: "i32" }, __errno_location: { args: [], returns: "ptr" } }).symbols
    } catch {}
}
self.onmessage = ({ data: { libraries, memory, fd } }) => {
  const words = new Int32Array(memory)
  const symbols = load(libraries)
  const sync = (fd) => (symbols.syncfs(fd) === 0 ? 0 : read.i32(symbols.__errno_location(), 0))
  const isFit = symbols !== undefined && sync(-1) === 9
  let covered = Atomics.load(words, ${word.asked})
  words[${word.errno}] = isFit ? sync(fd) : 38
  postMessage(covered)
  while (words[${word.errno}] === 0) {
    Atomics.store(words, ${word.rests}, ${rest.idle})
    Atomics.wait(words, ${word.asked}, covered)
    Atomics.store(words, ${word.rests}, ${rest.none})
    if (Atomics.load(words, ${word.isEnded}) !== 0) break
    const micros = Atomics.load(words, ${word.pauseMicros})
    if (micros > 0) {
      const hurried = Atomics.load(words, ${word.hurried})
      Atomics.store(words, ${word.rests}, ${rest.pause})
      Atomics.wait(words, ${word.hurried}, hurried, micros / 1000)
      Atomics.store(words, ${word.rests}, ${rest.none})
    }
    const asked = Atomics.load(words, ${word.asked})
    if (asked === covered) continue
    const begun = performance.now()
    const errno = sync(fd)
    covered = asked
    Atomics.store(words, ${word.micros}, Math.min(2147483647, Math.round((performance.now() - begun) * 1000)))
    Atomics.store(words, ${word.errno}, errno)
    postMessage(covered)
  }
  self.close()
}
`

class SyncThread implements VolumeSync {
  private readonly words = new Int32Array(new SharedArrayBuffer(words * 4))
  private readonly worker: Worker
  private ticket = 0
  private isOver = false

  constructor(
    fd: number,
    private readonly heard: (round: VolumeRound) => void,
    ended: () => void
  ) {
    const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }))
    this.worker = new Worker(url, { smol: true } as WorkerOptions)
    ;(this.worker as { unref?: () => void }).unref?.()
    this.worker.addEventListener("message", ({ data }: MessageEvent) => {
      URL.revokeObjectURL(url)
      this.answered(data as number)
    })
    this.worker.addEventListener("error", ({ message }) => this.broke(new Error(`The thread that syncs ended: ${message}`)))
    this.worker.addEventListener("close", () => {
      this.broke(new Error("The thread that syncs ended."))
      ended()
    })
    this.worker.postMessage({ libraries, memory: this.words.buffer, fd }, [])
  }

  ask(): number {
    this.ticket = (this.ticket + 1) | 0
    Atomics.store(this.words, word.asked, this.ticket)
    // A thread that does not rest yet compares the ticket before it does.
    if (Atomics.load(this.words, word.rests) === rest.idle) Atomics.notify(this.words, word.asked)
    return this.ticket
  }
  pause(ms: number): void {
    Atomics.store(this.words, word.pauseMicros, Math.round(ms * 1000))
  }
  hurry(): void {
    if (Atomics.load(this.words, word.rests) !== rest.pause) return
    Atomics.add(this.words, word.hurried, 1)
    Atomics.notify(this.words, word.hurried)
  }
  close(): void {
    this.isOver = true
    Atomics.store(this.words, word.isEnded, 1)
    this.ask()
    this.hurry()
  }

  private answered(covered: number): void {
    if (this.isOver) return
    const errno = Atomics.load(this.words, word.errno)
    if (errno !== 0) {
      const code = getSystemErrorName(-errno)
      return this.broke(Object.assign(new Error(`${code}: syncfs`), { code }), covered)
    }
    this.heard({ covered, error: undefined, ms: Atomics.load(this.words, word.micros) / 1000 })
  }

  private broke(error: Error, covered = this.ticket): void {
    if (this.isOver) return
    this.isOver = true
    this.heard({ covered, error, ms: 0 })
  }
}

/**
 * The volume of a directory, where `syncfs` syncs it and reports errors: Linux 5.8 or later with ext4 or XFS, under Bun. Elsewhere undefined. It is opened before
 * any log is: the kernel tells a descriptor of the failures after its opening.
 */
export const syncableVolume = (root: string): SyncableVolume | undefined => {
  if (process.platform !== "linux" || process.versions.bun === undefined || !isLinuxSince(reportsErrorsSince)) return undefined
  try {
    if (!fileSystems.has(fs.statfsSync(root).type)) return undefined
    const fd = fs.openSync(root, "r")
    const { dev } = fs.fstatSync(fd)
    // The descriptor is the thread's as long as there is one.
    let users = 1
    const release = (): void => {
      if (--users === 0) fs.closeSync(fd)
    }
    return {
      holds: (path) => fs.statSync(path).dev === dev,
      start: (heard) => {
        users++
        return new SyncThread(fd, heard, release)
      },
      close: release
    }
  } catch {
    // The logs sync one by one, and report what is wrong with the directory.
    return undefined
  }
}
