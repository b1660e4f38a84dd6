import { expect, test } from "bun:test"
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { isUnchanged, sectionRange, unchangedRanges } from "../../../../src/programs/node/program-pages.ts"

const program = "/opt/franz/franz"
const mapping = (addresses: string, permissions: string, path: string, anonymousKb: number): string =>
  `${addresses} ${permissions} 00000000 fe:00 5441338                            ${path}\nSize:  100 kB\nRss:  90 kB\nAnonymous:  ${anonymousKb} kB\nTHPeligible:  0\nVmFlags: rd ex mr mw me dw`

test("of a process's memory only unchanged read-only parts of its program are released", () => {
  const smaps = [
    mapping("00200000-01a39000", "r--p", program, 0),
    mapping("01a40000-0684a000", "r-xp", program, 0),
    // Relocated data: its pages are nowhere in the file.
    mapping("0685f000-06867000", "r--p", program, 32),
    mapping("06867000-0753e000", "rw-p", program, 0),
    mapping("7f0000000000-7f0000001000", "r-xp", "/usr/lib/libc.so.6", 0),
    mapping("7f0000002000-7f0000003000", "r--p", `${program}-broker`, 0),
    mapping("7f0000004000-7f0000005000", "r-xp", "", 0)
  ].join("\n")
  expect(unchangedRanges(smaps, program)).toEqual([
    { from: 0x200000, to: 0x1a39000 },
    { from: 0x1a40000, to: 0x684a000 }
  ])
  expect(unchangedRanges("", program)).toEqual([])
})

/** An ELF program of 64 bits with sections of these names, addresses and lengths. */
const elf = (sections: ReadonlyArray<readonly [name: string, address: number, bytes: number]>) => {
  const names = `\0${sections.map(([name]) => `${name}\0`).join("")}.shstrtab\0`
  const all = [...sections, [".shstrtab", 0, names.length] as const]
  const file = new DataView(new ArrayBuffer(64 + names.length + 64 * all.length))
  for (const [at, value] of [0x7f, 0x45, 0x4c, 0x46, 2, 1].entries()) file.setUint8(at, value)
  file.setBigUint64(40, BigInt(64 + names.length), true)
  for (const [at, value] of [64, all.length, all.length - 1].entries()) file.setUint16(58 + 2 * at, value, true)
  for (const [at, letter] of [...names].entries()) file.setUint8(64 + at, letter.charCodeAt(0))
  for (const [index, [name, address, bytes]] of all.entries()) {
    const at = 64 + names.length + 64 * index
    file.setUint32(at, names.indexOf(`\0${name}\0`) + 1, true)
    file.setBigUint64(at + 16, BigInt(address), true)
    file.setBigUint64(at + 24, 64n, true)
    file.setBigUint64(at + 32, BigInt(bytes), true)
  }
  return (at: number, length: number) => new DataView(file.buffer, at, Math.min(length, file.byteLength - at))
}

test("a section is found by its whole name, and cut to whole pages", () => {
  const sections = [
    [".bun_builtins", 0x1000, 0x9000],
    [".bun", 0x6a22010, 0xb1bf7b],
    [".bss", 0x7000000, 0x1000]
  ] as const
  expect(sectionRange(elf(sections), ".bun")).toEqual({ from: 0x6a23000, to: 0x753d000 })
  expect(sectionRange(elf(sections), ".bss")).toEqual({ from: 0x7000000, to: 0x7001000 })
  expect(sectionRange(elf(sections), ".bu")).toBeUndefined()
  expect(sectionRange(elf([]), ".bun")).toBeUndefined()
  expect(sectionRange(() => new DataView(new ArrayBuffer(64)), ".bun")).toBeUndefined()
})

test("one changed page keeps a section from being released", () => {
  const ofFile = (1n << 63n) | (1n << 61n)
  expect(isUnchanged(BigUint64Array.of(ofFile, 0n, ofFile))).toBe(true)
  expect(isUnchanged(BigUint64Array.of(ofFile, 1n << 63n))).toBe(false)
})

test.skipIf(process.platform !== "linux")("a process runs on after its program's pages were released, with less memory", () => {
  const script = `
    import { readFileSync } from "node:fs"
    import { releaseProgramPages } from ${JSON.stringify(join(import.meta.dir, "../../../../src/programs/node/program-pages.ts"))}
    const mappedKb = () => Number(/RssFile:\\s+(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1])
    const before = mappedKb()
    releaseProgramPages()
    const after = mappedKb()
    console.log(JSON.stringify({ before, after, sum: [1, 2, 3].map((n) => n * n).reduce((a, b) => a + b) }))
  `
  const { status, stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" })
  expect(status).toBe(0)
  const { after, before, sum } = JSON.parse(stdout) as Record<"before" | "after" | "sum", number>
  expect(sum).toBe(14)
  expect(after).toBeLessThan(before / 2)
})
