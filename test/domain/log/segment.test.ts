import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { lookupOffset, offsetEntryAt, offsetEntrySize, offsetIndexFault, writeOffsetEntry } from "../../../domain/log/offset-index.ts"
import {
  baseOffsetOfLogFile,
  emptySegment,
  type Grown,
  grow,
  logFileName,
  offsetIndexFileName,
  type Segment,
  type SegmentBatch,
  type SegmentConfig,
  sealingTimeEntry,
  shouldRoll,
  timeIndexFileName
} from "../../../domain/log/segment.ts"
import { lookupTimestamp, timeEntryAt, timeEntrySize, timeIndexFault, writeTimeEntry } from "../../../domain/log/time-index.ts"

const config: SegmentConfig = { segmentBytesMax: 1000, segmentMs: 5000, indexIntervalBytes: 100, segmentIndexBytesMax: 240 }

interface Placed extends SegmentBatch {
  readonly position: number
  readonly firstOffset: number
}

/** A segment and its indexes, as an adapter would write them. */
const build = (baseOffset: number, batches: ReadonlyArray<readonly [count: number, bytes: number, timestamp: number]>) => {
  let segment: Segment = emptySegment(baseOffset)
  let next = baseOffset
  const placed: Array<Placed> = []
  const offsets: Array<NonNullable<Grown["offsetEntry"]>> = []
  const times: Array<NonNullable<Grown["timeEntry"]>> = []
  for (const [count, sizeInBytes, maxTimestamp] of batches) {
    const batch = { sizeInBytes, lastOffset: next + count - 1, maxTimestamp }
    placed.push({ ...batch, position: segment.sizeInBytes, firstOffset: next })
    const grown = grow(segment, batch, config)
    if (grown.offsetEntry !== undefined) offsets.push(grown.offsetEntry)
    if (grown.timeEntry !== undefined) times.push(grown.timeEntry)
    segment = grown.segment
    next += count
  }
  const seal = sealingTimeEntry(segment)
  if (seal !== undefined) times.push(seal)
  const offsetIndex = new Uint8Array(offsets.length * offsetEntrySize)
  for (const [slot, entry] of offsets.entries()) writeOffsetEntry(offsetIndex, slot, baseOffset, entry)
  const timeIndex = new Uint8Array(times.length * timeEntrySize)
  for (const [slot, entry] of times.entries()) writeTimeEntry(timeIndex, slot, baseOffset, entry)
  return { segment, placed, offsets, times, offsetIndex, timeIndex, end: next }
}

const anyBatches = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 61, max: 300 }), fc.integer({ min: -1, max: 10_000 })), {
  minLength: 1,
  maxLength: 60
})
const anyBase = fc.oneof(fc.constant(0), fc.nat(2 ** 50))

describe("file names", () => {
  test("are Kafka's", () => {
    expect([logFileName(0), offsetIndexFileName(42), timeIndexFileName(2 ** 40)]).toEqual([
      "00000000000000000000.log",
      "00000000000000000042.index",
      "00000001099511627776.timeindex"
    ])
    expect(
      ["00000000000000000042.log", "42.log", "00000000000000000042.index", "99999999999999999999.log", "x00000000000000000042.log"].map(baseOffsetOfLogFile)
    ).toEqual([42, undefined, undefined, undefined, undefined])
  })
})

describe("the offset index", () => {
  test("bytes are Kafka's: relative offset, position, big-endian", () => {
    const bytes = new Uint8Array(8)
    writeOffsetEntry(bytes, 0, 1000, { offset: 1258, position: 65_537 })
    expect(bytes.toHex()).toBe("0000010200010001")
  })

  test("finds for every offset a batch start at or before it, and every entry names the batch there (L6)", () =>
    fc.assert(
      fc.property(anyBase, anyBatches, (base, batches) => {
        const { offsets, offsetIndex, placed, segment } = build(base, batches)
        for (const { offset, position } of offsets) expect(placed.find((batch) => batch.position === position)?.lastOffset).toBe(offset)
        for (const { firstOffset, lastOffset, position } of placed)
          for (const offset of [firstOffset, lastOffset]) {
            const found = lookupOffset(offsetIndex, offsets.length, base, offset)
            expect(found.position).toBeLessThanOrEqual(position)
            expect(placed.some((batch) => batch.position === found.position)).toBe(true)
            // The bytes between are at most one index interval and the two batches at its ends.
            expect(position - found.position).toBeLessThanOrEqual(config.indexIntervalBytes + 2 * 300)
          }
        expect(offsetIndexFault(offsetIndex, segment.sizeInBytes)).toBeUndefined()
      })
    ))

  test("an index that is torn, zeroed, ahead of the log or not rising is detected", () => {
    const { offsetIndex, segment } = build(
      0,
      Array.from({ length: 20 }, (_, i) => [1, 90, i] as const)
    )
    expect(offsetIndexFault(offsetIndex.subarray(0, 12), 1e6)).toContain("whole entries")
    expect(offsetIndexFault(offsetIndex, segment.sizeInBytes - 500)).toContain("after the log")
    expect(offsetIndexFault(new Uint8Array(24), 1e6)).toContain("does not rise")
    expect(offsetIndexFault(new Uint8Array(0), 0)).toBeUndefined()
    expect(offsetEntryAt(offsetIndex, 0, 0)).toEqual({ offset: 2, position: 180 })
  })
})

describe("the time index", () => {
  test("bytes are Kafka's: timestamp, relative offset, big-endian", () => {
    const bytes = new Uint8Array(12)
    writeTimeEntry(bytes, 0, 1000, { timestamp: 1_700_000_000_000, offset: 1001 })
    expect(bytes.toHex()).toBe("0000018bcfe5680000000001")
    expect(timeEntryAt(bytes, 0, 1000)).toEqual({ timestamp: 1_700_000_000_000, offset: 1001 })
  })

  test("no batch up to the found entry has the timestamp of the search, and a sealed segment has the largest timestamp", () =>
    fc.assert(
      fc.property(anyBase, anyBatches, fc.integer({ min: 0, max: 10_001 }), (base, batches, sought) => {
        const { end, placed, timeIndex, times } = build(base, batches)
        const found = lookupTimestamp(timeIndex, times.length, base, sought)
        const skipped = placed.filter(({ lastOffset }) => found !== undefined && lastOffset <= found.offset)
        expect(skipped.every(({ maxTimestamp }) => maxTimestamp < sought)).toBe(true)
        const largest = Math.max(...batches.map(([, , timestamp]) => timestamp))
        expect(times.at(-1)?.timestamp ?? -1).toBe(largest)
        expect(timeIndexFault(timeIndex, base, end)).toBeUndefined()
        for (const { timestamp, offset } of times) expect(placed.find(({ lastOffset }) => lastOffset === offset)?.maxTimestamp).toBe(timestamp)
      })
    ))

  test("an index that is torn, zeroed, ahead of the log or not rising is detected", () => {
    const { timeIndex } = build(
      0,
      Array.from({ length: 20 }, (_, i) => [1, 90, i] as const)
    )
    expect(timeIndexFault(timeIndex.subarray(0, 20), 0, 100)).toContain("whole entries")
    expect(timeIndexFault(timeIndex, 0, 5)).toContain("the log ends")
    expect(timeIndexFault(new Uint8Array(24), 0, 100)).toContain("does not rise")
  })
})

describe("rolling", () => {
  const full = { ...emptySegment(10), sizeInBytes: 900, firstTimestamp: 1000 }
  const batch = (over: Partial<SegmentBatch> = {}): SegmentBatch => ({ sizeInBytes: 100, lastOffset: 20, maxTimestamp: 1000, ...over })
  const rolls = (segment: Segment, over: Partial<SegmentBatch> = {}, now: number = 0): boolean => shouldRoll(segment, batch(over), config, now, 0)

  test.each([
    ["room for exactly this batch", full, {}, 0, false],
    ["one byte too many", full, { sizeInBytes: 101 }, 0, true],
    ["an empty segment takes any batch", emptySegment(10), { sizeInBytes: 100_000 }, 1e9, false],
    ["old by the batches' timestamps", full, { maxTimestamp: 6001 }, 0, true],
    ["just not old", full, { maxTimestamp: 6000 }, 1e9, false],
    ["old by the clock where there are no timestamps", { ...full, firstTimestamp: -1 }, { maxTimestamp: -1 }, 5001, true],
    ["the offset index is full", { ...full, offsetEntryCount: 30 }, {}, 0, true],
    ["the time index has one slot left, for the seal", { ...full, timeEntryCount: 19 }, {}, 0, true],
    ["the offset does not fit an int32", full, { lastOffset: 10 + 2 ** 31 }, 0, true],
    ["the last offset that fits", full, { lastOffset: 10 + 2 ** 31 - 1 }, 0, false]
  ] as const)("%s", (_, segment, over, now, expected) => expect(rolls(segment, over, now)).toBe(expected))
})
