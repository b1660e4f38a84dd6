import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { Effect } from "effect"
import { layer } from "../../../adapters/checksum/checksum.ts"
import { compiledWalk } from "../../../adapters/checksum/record-walk.ts"
import { walkPassesSelfTest } from "../../../adapters/checksum/walk-choice.ts"
import { headerSize, RecordBatch } from "../../../domain/log/batch.ts"
import { encodeBatch, type RecordToWrite } from "../../../domain/log/record.ts"
import type { RecordWalk } from "../../../domain/log/record-walk.ts"
import { Checksum } from "../../../src/ports/checksum.ts"
import { seed } from "../../seed.ts"

const { walkRecords } = await Effect.runPromise(Effect.provide(Checksum, layer))
const isHere = process.arch === "x64" && process.platform !== "win32"
const walk: RecordWalk = isHere ? compiledWalk() : () => undefined

const made = (count: number, each: (index: number) => Partial<RecordToWrite>): RecordBatch => {
  const records = Array.from({ length: count }, (_, i): RecordToWrite => ({ timestamp: 1000, key: null, value: null, ...each(i) }))
  return new RecordBatch(encodeBatch({ codec: "none", records }, { crc32c: () => 0, compress: (_, bytes) => bytes }))
}
const over = ({ bytes, recordCount }: RecordBatch, needsKeys = false, by: RecordWalk = walk) => by(bytes, headerSize, bytes.length, recordCount, needsKeys)

describe.if(isHere)("the walk over records in native code", () => {
  test("accepts sound batches of every shape, with varints of one to four bytes", () => {
    const bytes = (size: number) => new Uint8Array(size)
    const shapes: ReadonlyArray<(index: number) => Partial<RecordToWrite>> = [
      () => ({}),
      () => ({ value: bytes(100) }),
      (i) => ({ key: bytes(i % 70), value: bytes((i * 31) % 290), timestamp: 1000 + i }),
      (i) => ({ value: bytes(10_000 * (i % 97 === 0 ? 1 : 0)), timestamp: 1000 - i * 50 }),
      (i) => ({ key: bytes(8), value: bytes(5), headers: i % 5 === 0 ? [{ key: "k", value: null }] : [] })
    ]
    for (const shape of shapes)
      for (const count of [1, 2, 63, 64, 65, 66, 400, 8191, 8192, 8193, 9000]) {
        const times = Array.from({ length: count }, (_, i) => (shape(i).timestamp ?? 1000) - 1000)
        const expected = { min: times.reduce((a, b) => Math.min(a, b)), max: times.reduce((a, b) => Math.max(a, b)) }
        expect(over(made(count, shape))).toEqual(expected)
      }
    expect(over(made(1_048_700, () => ({})))).toEqual({ min: 0, max: 0 })
    // The port exposes the same walk.
    expect(
      over(
        made(100, () => ({})),
        false,
        walkRecords
      )
    ).toEqual({ min: 0, max: 0 })
  })

  test("refuses a missing key at any position where keys are required", () => {
    const key = new Uint8Array(3)
    for (let missing = 0; missing < 200; missing++) {
      const batch = made(200, (i) => ({ key: i === missing ? null : key }))
      expect([over(batch), over(batch, true)]).toEqual([{ min: 0, max: 0 }, undefined])
    }
    expect(
      over(
        made(200, () => ({ key })),
        true
      )
    ).toEqual({ min: 0, max: 0 })
  })

  test("accepts only bytes that RecordCheck accepts, and reads nothing outside of its range", async () => {
    const child = Bun.spawn([process.execPath, join(import.meta.dirname, "../../../test/adapters/checksum/any-records.ts"), "250000", String(seed)], {
      stdout: "pipe",
      stderr: "inherit"
    })
    const [said, code] = await Promise.all([new Response(child.stdout).text(), child.exited])
    expect(code).toBe(0)
    const found = JSON.parse(said)
    expect(found).toMatchObject({ seed, inputs: 250_000, soundUnknown: 0, wrong: 0, outside: 0 })
    expect(found.changedTaken).toBeGreaterThan(10_000)
    expect(found.changed - found.changedTaken).toBeGreaterThan(10_000)
  }, 240_000)

  test("throws for a range that is not within the bytes", () => {
    const bytes = new Uint8Array(100)
    for (const [at, end] of [[-1, 50], [0, 101], [60, 50], [0.5, 50], [Number.NaN, 50]] as const) // biome-ignore format: a table
      expect(() => walk(bytes, at, end, 1, false)).toThrow(RangeError)
    for (const count of [0, -1, 0.5, 2 ** 31, 2 ** 53, Number.NaN]) expect(walk(bytes, 0, 100, count, false)).toBeUndefined()
  })

  test("the self-test refuses a wrong implementation", () => {
    expect(walkPassesSelfTest(walk)).toBe(true)
    expect(walkPassesSelfTest(() => undefined)).toBe(false)
    expect(walkPassesSelfTest(() => ({ min: 0, max: 0 }))).toBe(false)
    expect(walkPassesSelfTest((bytes, at, end, count) => walk(bytes, at, end, count, false) && { min: 0, max: 1 })).toBe(false)
    // It trusts the fields of the records.
    const { length } = made(90, () => ({ value: new Uint8Array(90) })).bytes
    const trusting: RecordWalk = (bytes, at, end, count, needsKeys) =>
      end === length && count === 90 ? { min: 0, max: 0 } : walk(bytes, at, end, count, needsKeys)
    expect(walkPassesSelfTest(trusting)).toBe(false)
  })
})
