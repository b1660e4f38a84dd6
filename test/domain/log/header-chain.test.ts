import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { fieldAt, RecordBatch } from "../../../domain/log/batch.ts"
import { crc32c, extendCrc32c, flippedBit } from "../../../domain/log/crc32c.ts"
import { chainChunkBytes, decodeChecksum, encodeChecksum, HeaderChain } from "../../../domain/log/header-chain.ts"
import { HeaderCheck } from "../../../domain/log/header-check.ts"
import { makeBatch } from "./make-batch.ts"

/** Batches that follow each other, of some hundred KiB each, so that there are chunks. */
const sizes = fc.array(fc.record({ count: fc.integer({ min: 1, max: 3 }), valueBytes: fc.constantFrom(0, 10, 300_000, 700_000, 1_200_000) }), {
  minLength: 1,
  maxLength: 12
})
const batches = (of: ReadonlyArray<{ readonly count: number; readonly valueBytes: number }>): ReadonlyArray<RecordBatch> => {
  let baseOffset = 40
  return of.map(({ count, valueBytes }, n) => {
    const records = Array.from({ length: count }, () => ({ timestamp: n, key: null, value: new Uint8Array(valueBytes) }))
    const made = makeBatch(count, { baseOffset, leaderEpoch: n, records })
    baseOffset += count
    return made
  })
}
const chainOf = (all: ReadonlyArray<RecordBatch>): HeaderChain => {
  const chain = new HeaderChain()
  for (const each of all) chain.add(each)
  return chain
}
const checkOf = (entries: ReturnType<HeaderChain["entries"]>, all: ReadonlyArray<RecordBatch>): HeaderCheck => {
  const check = new HeaderCheck(entries)
  let position = 0
  for (const each of all) {
    check.visit(each, position)
    position += each.bytes.length
  }
  return check
}

test("a CRC-32C continues from the value of another", () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, at) => {
      const middle = Math.min(at, bytes.length)
      expect(extendCrc32c(crc32c(bytes, 0, middle), bytes, middle)).toBe(crc32c(bytes))
    })
  ))

test("the flipped bit is found from the CRCs alone", () =>
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), fc.nat(), fc.nat(7), (bytes, where, bit) => {
      const at = where % bytes.length
      const changed = bytes.slice()
      changed[at] = (bytes[at] as number) ^ (1 << bit)
      expect(flippedBit(crc32c(bytes), crc32c(changed), bytes.length)).toEqual({ fromEnd: bytes.length - 1 - at, mask: 1 << bit })
      expect(flippedBit(crc32c(bytes), crc32c(bytes), bytes.length)).toBeUndefined()
    })
  ))

describe("a chain over headers", () => {
  test("is the same in one pass, and when it is resumed after any batch from its entries", () =>
    fc.assert(
      fc.property(sizes, fc.nat(12), (of, at) => {
        const all = batches(of)
        const whole = chainOf(all)
        const second = new HeaderChain(chainOf(all.slice(0, at)).entries())
        for (const each of all.slice(at)) second.add(each)
        expect(second.entries()).toEqual(whole.entries())
        expect(second.sizeInBytes).toBe(whole.sizeInBytes)
        expect(whole.sizeInBytes).toBe(all.reduce((sum, { bytes }) => sum + bytes.length, 0))
        const starts = [0, ...whole.entries().map(({ end }) => end)]
        for (const [i, { end }] of whole.entries().slice(0, -1).entries()) expect(end - (starts[i] as number)).toBeGreaterThanOrEqual(chainChunkBytes)
      }),
      { numRuns: 30 }
    ))

  test("reports no undamaged header, and finds any flipped bit of any header with its position", () =>
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(20), fc.nat(7), (of, which, byte, bit) => {
        const all = batches(of)
        const entries = chainOf(all).entries()
        expect(checkOf(entries, all).changed).toEqual([])
        const target = all[which % all.length] as RecordBatch
        const batchPosition = all.slice(0, which % all.length).reduce((sum, { bytes }) => sum + bytes.length, 0)
        // A changed length misleads the walk over the batches, which finds it.
        fc.pre(byte < fieldAt.batchLength || byte >= fieldAt.leaderEpoch)
        const changed = new RecordBatch(target.bytes.slice())
        changed.bytes[byte] = (target.bytes[byte] as number) ^ (1 << bit)
        const check = checkOf(
          entries,
          all.map((each) => (each === target ? changed : each))
        )
        expect(check.changed).toHaveLength(1)
        expect(check.changed[0]?.flipped).toMatchObject({ position: batchPosition + byte, mask: 1 << bit, batchPosition })
      }),
      { numRuns: 60 }
    ))

  test("an incomplete chunk is not checked, the others are", () => {
    const all = batches(Array.from({ length: 8 }, () => ({ count: 1, valueBytes: 600_000 })))
    const entries = chainOf(all).entries()
    expect(entries).toHaveLength(4)
    const check = new HeaderCheck(entries)
    for (const [i, each] of all.entries()) {
      const changed = new RecordBatch(each.bytes.slice())
      changed.bytes[fieldAt.leaderEpoch] = 1
      if (i !== 2) check.visit(changed, i * each.bytes.length)
    }
    expect(check.changed.map(({ from }) => from / (all[0] as RecordBatch).bytes.length)).toEqual([0, 4, 6])
    expect(check.changed[0]?.flipped).toBeUndefined()
  })
})

describe("a checksum file", () => {
  const entries = [
    { end: 1_100_000, crc: 0xfedc_ba98 },
    { end: 1_200_000, crc: 7 }
  ]
  const whole = { baseOffset: 2 ** 40, sizeInBytes: 1_200_000, entries }

  test("decodes to what was encoded, and to nothing when any bit of it changed or it is torn anywhere", () => {
    const bytes = encodeChecksum(whole, crc32c)
    expect(decodeChecksum(bytes, crc32c)).toEqual(whole)
    for (let size = 0; size < bytes.length; size++) {
      expect(decodeChecksum(bytes.subarray(0, size), crc32c)).toBeUndefined()
      const blank = bytes.slice()
      blank.fill(0, size)
      expect(decodeChecksum(blank, crc32c)).toBeUndefined()
      for (let bit = 0; bit < 8; bit++) {
        const changed = bytes.slice()
        changed[size] = (bytes[size] as number) ^ (1 << bit)
        expect(decodeChecksum(changed, crc32c)).toBeUndefined()
      }
    }
  })
})
