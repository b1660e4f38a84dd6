import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { Effect } from "effect"
import fc from "fast-check"
import { layer, layerTypescript, lazily, passesSelfTest } from "../../../adapters/checksum/checksum.ts"
import { compiled } from "../../../adapters/checksum/compiled.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { Checksum } from "../../../src/ports/checksum.ts"

const native = await Effect.runPromise(Effect.provide(Checksum, layer))
const typescript = await Effect.runPromise(Effect.provide(Checksum, layerTypescript))

describe("the checksum port", () => {
  test("names the chosen implementation", () => {
    expect(native.name).toBe("native")
    expect(typescript.name).toBe("typescript")
  })

  test("a start's checkpoints do not make it choose a native implementation; a megabyte does", () => {
    let choices = 0
    const { crc32c: checksum } = lazily(() => {
      choices++
      return typescript
    })
    const page = Uint8Array.from({ length: 10_000 }, (_, i) => i * 31)
    const expected = crc32c(page)
    for (let n = 0; n < 100; n++) expect(checksum(page)).toBe(expected)
    expect(choices).toBe(0)
    for (let n = 0; n < 3; n++) expect(checksum(page)).toBe(expected)
    expect(choices).toBe(1)
  })

  test("both implementations agree over any range", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000, size: "max" }), fc.nat(3000), fc.nat(3000), (bytes, a, b) => {
        const at = Math.min(a, b, bytes.length)
        const end = Math.min(Math.max(a, b), bytes.length)
        expect(native.crc32c(bytes, at, end)).toBe(typescript.crc32c(bytes, at, end))
        expect(native.crc32c(bytes)).toBe(typescript.crc32c(bytes))
      })
    ))

  test("the compiled implementation computes long ranges in three lanes, and agrees for every start and end", () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7919) >>> 3)
    const way = process.arch === "x64" ? compiled() : native.crc32c
    // Every length up to where both kinds of lanes are used, then lengths around their multiples.
    for (let length = 0; length < 1700; length++) expect(way(bytes, length & 7, (length & 7) + length)).toBe(crc32c(bytes, length & 7, (length & 7) + length))
    fc.assert(
      fc.property(fc.nat(20), fc.nat(4), fc.nat(3), fc.nat(30), (at, longs, shorts, rest) => {
        const end = at + longs * 12_288 + shorts * 768 + rest
        expect(way(bytes, at, end)).toBe(crc32c(bytes, at, end))
        expect(way(bytes.subarray(at, end))).toBe(crc32c(bytes, at, end))
      })
    )
  })

  test("whole numbers that the engine represents as doubles are read correctly, and no other range reaches native code", async () => {
    const child = Bun.spawn([process.execPath, join(import.meta.dirname, "../../../test/adapters/checksum/any-number.ts")], {
      stdout: "pipe",
      stderr: "inherit"
    })
    const [said, code] = await Promise.all([new Response(child.stdout).text(), child.exited])
    expect([code, said]).toEqual([0, `${JSON.stringify({ calls: 60_000, wrong: 0, taken: 0 })}\n`])
  }, 120_000)

  test("the self-test refuses an implementation with any wrong result", () => {
    expect(passesSelfTest(crc32c)).toBe(true)
    expect(passesSelfTest((bytes, at, end) => crc32c(bytes, at, end) | 0)).toBe(false)
    expect(passesSelfTest((bytes) => crc32c(bytes))).toBe(false)
    expect(passesSelfTest((bytes, at) => (bytes.length > 1000 ? 0 : crc32c(bytes, at)))).toBe(false)
  })
})
