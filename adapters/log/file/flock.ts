import * as fs from "node:fs"
import process from "node:process"

/** A lock on the inode of a directory. It needs no file in it, so that no removal of a name can end it. */
interface DirectoryFlock {
  readonly close: () => void
}

/** "unavailable": the runtime cannot call flock(2) (Node), or the file system knows none for directories (NFS). */
export type FlockOutcome = DirectoryFlock | "busy" | "unavailable"

/** What is called of the C library. Numbers are converted at the call: a native function takes what the engine holds as it is. */
interface Libc {
  /** A descriptor that a child process does not inherit, or -1. */
  readonly open: (path: string) => number
  readonly close: (fd: number) => void
  readonly flock: (fd: number, operation: number) => number
  readonly errno: () => number
}

/** `LOCK_EX | LOCK_NB`, the same on Linux and macOS. */
const exclusiveAtOnce = 6

const isDarwin = process.platform === "darwin"
const closeOnExec = isDarwin ? 0x1000000 : 0o2000000
const errnoSymbol = isDarwin ? "__error" : "__errno_location"
/** EBADF (NFS emulates flock by a write lock, which a directory cannot have), EINVAL, ENOLCK, ENOSYS, EOPNOTSUPP. */
const unavailableErrnos = new Set(isDarwin ? [9, 22, 77, 78, 102, 45] : [9, 22, 37, 38, 95])

/** glibc, then musl; macOS has one. */
const libraries: ReadonlyArray<string> = isDarwin
  ? ["libSystem.B.dylib"]
  : process.platform === "linux"
    ? ["libc.so.6", `libc.musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`]
    : []

const bunLibc = (library: string): Libc => {
  const { dlopen, read } = require("bun:ffi") as typeof import("bun:ffi")
  const { symbols } = dlopen(library, {
    flock: { args: ["i32", "i32"], returns: "i32" },
    [errnoSymbol]: { args: [], returns: "ptr" }
  })
  const errnoAt = symbols[errnoSymbol] as unknown as () => Parameters<typeof read.i32>[0]
  return {
    // Bun opens with O_CLOEXEC.
    open: (path) => fs.openSync(path, "r"),
    close: (fd) => fs.closeSync(fd),
    flock: (fd, operation) => (symbols.flock as (fd: number, operation: number) => number)(fd | 0, operation | 0),
    errno: () => read.i32(errnoAt(), 0)
  }
}

interface DenoFfi {
  readonly dlopen: (
    library: string,
    symbols: Readonly<Record<string, { readonly parameters: ReadonlyArray<string>; readonly result: string }>>
  ) => {
    readonly symbols: Readonly<Record<string, (...args: ReadonlyArray<unknown>) => unknown>>
  }
  readonly UnsafePointerView: new (pointer: unknown) => { readonly getInt32: () => number }
}

/** A descriptor of node:fs is none of the kernel's under Deno, so the file is opened by the C library too. */
const denoLibc = (library: string): Libc => {
  const deno = (globalThis as { readonly Deno?: DenoFfi }).Deno as DenoFfi
  const { symbols } = deno.dlopen(library, {
    open: { parameters: ["buffer", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
    flock: { parameters: ["i32", "i32"], result: "i32" },
    [errnoSymbol]: { parameters: [], result: "pointer" }
  })
  const call = (name: string, ...args: ReadonlyArray<unknown>): unknown => (symbols[name] as (...args: ReadonlyArray<unknown>) => unknown)(...args)
  return {
    open: (path) => Number(call("open", new TextEncoder().encode(`${path}\0`), closeOnExec)),
    close: (fd) => void call("close", fd | 0),
    flock: (fd, operation) => Number(call("flock", fd | 0, operation | 0)),
    errno: () => new deno.UnsafePointerView(call(errnoSymbol)).getInt32()
  }
}

const load = (): Libc | undefined => {
  const over = "Bun" in globalThis ? bunLibc : "Deno" in globalThis ? denoLibc : undefined
  if (over === undefined) return undefined
  for (const library of libraries)
    try {
      return over(library)
    } catch {
      // Another C library, then; without the permission for it (Deno's --allow-ffi) none.
    }
  return undefined
}

let loaded: { readonly libc: Libc | undefined } | undefined
const libcOf = (): Libc | undefined => {
  loaded ??= { libc: load() }
  return loaded.libc
}

/**
 * Locks a directory by its inode (flock(2) on a descriptor of the directory), without waiting. Two ways to one directory (a link, a bind mount, another working
 * directory) are one lock, within a process too. The kernel drops it with the last descriptor: a process that was killed leaves no lock. Throws what the platform throws.
 */
export const flockDirectory = (path: string): FlockOutcome => {
  const libc = libcOf()
  if (libc === undefined) return "unavailable"
  const fd = libc.open(path)
  if (fd < 0) return "unavailable"
  let isOpen = true
  const close = (): void => {
    if (isOpen) libc.close(fd)
    isOpen = false
  }
  if (libc.flock(fd, exclusiveAtOnce) === 0) return { close }
  const isUnavailable = unavailableErrnos.has(libc.errno())
  close()
  return isUnavailable ? "unavailable" : "busy"
}

/** `major:minor:inode`, as /proc/locks names a file. */
const lockedName = ({ dev, ino }: fs.Stats): string => {
  const hex = (value: number): string => value.toString(16).padStart(2, "0")
  return `${hex((dev >> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >> 12) & 0xfff00))}:${ino}`
}

/** The process that the kernel names as the holder of the directory's lock; undefined where the system does not say (anything but Linux, another container). */
export const flockHolder = (path: string): number | undefined => {
  try {
    const name = lockedName(fs.statSync(path))
    for (const line of fs.readFileSync("/proc/locks", "utf8").split("\n")) {
      const [, , , , pid, file] = line.replace(/^\d+:\s*->.*/, "").split(/\s+/)
      if (line.includes("FLOCK") && file === name && Number(pid) > 0) return Number(pid)
    }
  } catch {
    // It is a courtesy.
  }
  return undefined
}
