import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { halfSipHash } from "../../../domain/log/key-hash.ts"
import { mapBytes, OffsetMap, slotBytes } from "../../../domain/log/offset-map.ts"

const seed = [11, 22, 33, 44] as const
const bytes = fc.uint8Array({ maxLength: 40 })

describe("HalfSipHash-2-4", () => {
  test("as its authors' vectors have it: the key 00 … 07, messages of 0 and 1 bytes", () => {
    const out = new Int32Array(2)
    const hash = (length: number): string => {
      halfSipHash(
        Uint8Array.from({ length }, (_, at) => at),
        0x03020100,
        0x07060504,
        out,
        0
      )
      return Buffer.from(new Uint8Array(out.buffer)).toString("hex")
    }
    expect([hash(0), hash(1)]).toEqual(["218d1f59b9b83cc8", "be552412f8387315"])
  })
  test("each byte of the message and of the key counts", () => {
    const hash = (message: Uint8Array, key0: number, key1: number): string => {
      const out = new Int32Array(2)
      halfSipHash(message, key0, key1, out, 0)
      return out.join()
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, flip) => {
        const other = message.slice()
        other[at % message.length] = (other[at % message.length] as number) ^ flip
        expect(hash(other, 1, 2)).not.toBe(hash(message, 1, 2))
        expect(hash(message, 1, 3)).not.toBe(hash(message, 1, 2))
        expect(hash(Uint8Array.of(...message, 0), 1, 2)).not.toBe(hash(message, 1, 2))
      })
    )
  })
})

describe("the map of latest offsets", () => {
  test("returns what a Map of the same keys returns, until it is full", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes, fc.nat(1_000_000))), fc.integer({ min: 2, max: 60 }), (puts, slots) => {
        const map = new OffsetMap(slots * slotBytes, 0.9, seed)
        const model = new Map<string, number>()
        for (const [key, offset] of puts) {
          const name = Buffer.from(key).toString("hex")
          if (!model.has(name) && map.isFull) break
          map.put(key, offset)
          model.set(name, Math.max(offset, model.get(name) ?? -1))
        }
        expect(map.size).toBe(model.size)
        for (const [key] of puts) expect(map.get(key)).toBe(model.get(Buffer.from(key).toString("hex")) ?? -1)
      })
    )
  })
  test("takes memory once: 24 bytes a key, within the bound, and one key at least", () => {
    expect(new OffsetMap(24_000, 0.9, seed).keysMax).toBe(900)
    expect(new OffsetMap(0, 0.01, seed).keysMax).toBe(1)
    expect(mapBytes(1_000_000_000, 0.9, 134_217_728)).toBe(134_217_728)
    for (const keys of [1, 10, 999]) expect(new OffsetMap(mapBytes(keys, 0.9, 1_000_000), 0.9, seed).keysMax).toBeGreaterThanOrEqual(keys)
  })
})
