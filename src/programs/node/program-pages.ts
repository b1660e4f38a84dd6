import { closeSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs"

/** `MADV_DONTNEED` of Linux: the pages are unmapped, and read again from the file where they are needed. */
const unmapPages = 4
const pageBytes = 4096
/** A page of a file that was not written to, in an entry of /proc/self/pagemap. */
const isPresent = 1n << 63n
const isOfFile = 1n << 61n

/** Addresses of memory, bytes; the end is exclusive. */
interface AddressRange {
  readonly from: number
  readonly to: number
}

/**
 * Returns the parts of a program that are mapped read-only and that no page of which was changed, by the text of
 * /proc/PID/smaps. Relocated data is read-only too, but has changed pages, which are nowhere in the file.
 * Exported for tests.
 */
export const unchangedRanges = (smaps: string, program: string): ReadonlyArray<AddressRange> =>
  smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).flatMap((mapping) => {
    const [, from = "", to = "", path] = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+\s+(.*)$/m.exec(mapping) ?? []
    return path === program && /^Anonymous:\s+0 kB$/m.test(mapping) ? [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }] : []
  })

/**
 * Returns the whole pages of a section of an ELF program of 64 bits, little-endian; undefined where it has no such
 * section. `read(at, length)` reads the file. Bun keeps a compiled program's code in the section `.bun`.
 * Exported for tests.
 */
export const sectionRange = (read: (at: number, length: number) => DataView, name: string): AddressRange | undefined => {
  const header = read(0, 64)
  if (header.getUint32(0) !== 0x7f454c46 || header.getUint16(4) !== 0x0201) return undefined
  const [size, count, namesAt] = [58, 60, 62].map((at) => header.getUint16(at, true)) as [number, number, number]
  const table = read(Number(header.getBigUint64(40, true)), size * count)
  const field = (section: number, at: number): number => Number(table.getBigUint64(section * size + at, true))
  const names = read(field(namesAt, 24), field(namesAt, 32))
  const nameAt = (at: number): string => Buffer.from(names.buffer, names.byteOffset + at, name.length + 1).toString("latin1")
  for (let section = 0; section < count; section++) {
    const at = table.getUint32(section * size, true)
    if (at + name.length >= names.byteLength || nameAt(at) !== `${name}\0`) continue
    const [address, bytes] = [field(section, 16), field(section, 32)]
    return { from: Math.ceil(address / pageBytes) * pageBytes, to: Math.floor((address + bytes) / pageBytes) * pageBytes }
  }
  return undefined
}

/** Whether no page of the range was changed, by its entries of /proc/PID/pagemap. Exported for tests. */
export const isUnchanged = (entries: BigUint64Array): boolean => entries.every((entry) => (entry & isPresent) === 0n || (entry & isOfFile) !== 0n)

const withFile = <A>(path: string, use: (read: (at: number, length: number) => DataView) => A): A => {
  const file = openSync(path, "r")
  try {
    return use((at, length) => {
      const bytes = new Uint8Array(length)
      return new DataView(bytes.buffer, 0, readSync(file, bytes, 0, length, at))
    })
  } finally {
    closeSync(file)
  }
}

/** The code of the compiled program; nothing for a program that runs from its source. */
const bundled = (): ReadonlyArray<AddressRange> => {
  const range = withFile("/proc/self/exe", (read) => sectionRange(read, ".bun"))
  if (range === undefined || range.to <= range.from) return []
  const bytes = ((range.to - range.from) / pageBytes) * 8
  const { buffer, byteLength } = withFile("/proc/self/pagemap", (read) => read((range.from / pageBytes) * 8, bytes))
  return byteLength === bytes && isUnchanged(new BigUint64Array(buffer)) ? [range] : []
}

/**
 * Unmaps the pages of the program's own file, under Bun on Linux. The start reads most of Bun's code and of this
 * program's once, and an idle node uses a tenth of it. The pages stay in the page cache while the machine has memory
 * for them, so that a page that is used again costs about 1 µs, and 64 KiB come with it.
 */
export const releaseProgramPages = (): void => {
  if (!("Bun" in globalThis) || process.platform !== "linux") return
  try {
    const { dlopen } = require("bun:ffi") as typeof import("bun:ffi")
    const { symbols } = dlopen("libc.so.6", { madvise: { args: ["usize", "usize", "i32"], returns: "i32" } })
    const ranges = [...unchangedRanges(readFileSync("/proc/self/smaps", "utf8"), readlinkSync("/proc/self/exe")), ...bundled()]
    // Converted at the call: a native function takes what the engine holds as it is. Zero is no address of a program.
    for (const { from, to } of ranges) if (from > 0 && to > from) symbols.madvise(BigInt(from), BigInt(to - from), unmapPages)
  } catch {
    // Without /proc, or with another C library: the node takes more memory, and nothing else changes.
  }
}
