import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { crc32c } from "../../../domain/log/crc32c.ts"

/** One bit at a time, straight from the polynomial. */
const slow = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  return ~crc >>> 0
}

describe("crc32c", () => {
  test.each([
    ["the check value", new TextEncoder().encode("123456789"), 0xe3069283],
    ["RFC 3720: 32 zeros", new Uint8Array(32), 0x8a9136aa],
    ["RFC 3720: 32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["RFC 3720: rising", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["RFC 3720: falling", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    ["nothing", new Uint8Array(0), 0]
  ])("%s", (_, bytes, crc) => expect(crc32c(bytes)).toBe(crc))

  test("any range of any bytes is the polynomial's remainder", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, a, b) => {
        const at = Math.min(a, b, bytes.length)
        const end = Math.min(Math.max(a, b), bytes.length)
        expect(crc32c(bytes, at, end)).toBe(slow(bytes.subarray(at, end)))
      })
    ))
})
