import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { layer, layerTypescript, passesSelfTest } from "../../../adapters/checksum/checksum.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { Checksum } from "../../../src/ports/checksum.ts"

const native = await Effect.runPromise(Effect.provide(Checksum, layer))
const typescript = await Effect.runPromise(Effect.provide(Checksum, layerTypescript))

describe("the checksum port", () => {
  test("names what it chose", () => {
    expect(native.name).toBe("native")
    expect(typescript.name).toBe("typescript")
  })

  test("both ways agree over any range", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000, size: "max" }), fc.nat(3000), fc.nat(3000), (bytes, a, b) => {
        const at = Math.min(a, b, bytes.length)
        const end = Math.min(Math.max(a, b), bytes.length)
        expect(native.crc32c(bytes, at, end)).toBe(typescript.crc32c(bytes, at, end))
        expect(native.crc32c(bytes)).toBe(typescript.crc32c(bytes))
      })
    ))

  test("the self-test refuses one that is wrong anywhere", () => {
    expect(passesSelfTest(crc32c)).toBe(true)
    expect(passesSelfTest((bytes, at, end) => crc32c(bytes, at, end) | 0)).toBe(false)
    expect(passesSelfTest((bytes) => crc32c(bytes))).toBe(false)
    expect(passesSelfTest((bytes, at) => (bytes.length > 1000 ? 0 : crc32c(bytes, at)))).toBe(false)
  })
})
