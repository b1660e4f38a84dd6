import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { heldByFuture, type RetainedLog, retainedStart, type SegmentExtent } from "../../../domain/log/retention.ts"

const forever = { retentionMs: -1, retentionBytes: -1 }
/** Segments of 10 records and 100 bytes each, with these newest timestamps; the last one is active. */
const log = (timestamps: ReadonlyArray<number>, more: Partial<RetainedLog> = {}): RetainedLog => ({
  segments: timestamps.map((maxTimestamp, i) => ({ baseOffset: i * 10, endOffset: i * 10 + 10, sizeInBytes: 100, maxTimestamp })),
  start: 0,
  highWatermark: timestamps.length * 10,
  ...more
})

describe("by time", () => {
  const week = { retentionMs: 100, retentionBytes: -1 }
  test("given segments of different age, then those are deleted whose newest record is older than retention.ms", () =>
    expect(retainedStart(log([10, 50, 120]), week, 151)).toBe(20))
  test("a segment exactly as old as retention.ms is retained", () => expect(retainedStart(log([50, 120]), week, 150)).toBe(0))
  test("the first retained segment ends it: all later ones are retained, whatever their timestamps", () =>
    expect(retainedStart(log([10, 900, 10, 900]), week, 500)).toBe(10))
  test("given that all records are too old, then all segments are deleted, including the active one", () =>
    expect(retainedStart(log([10, 20]), week, 1000)).toBe(20))
  test("given no timestamps, then no segment has an age", () => expect(retainedStart(log([-1, 10]), week, 1000)).toBe(0))
  test("given timestamps in the future, then the segments are retained", () => expect(retainedStart(log([9000, 10]), week, 1000)).toBe(0))
  test("without a bound no segment is deleted", () => expect(retainedStart(log([0, 0]), forever, Number.MAX_SAFE_INTEGER)).toBe(0))
})

describe("by size", () => {
  const bytes = (retentionBytes: number) => ({ retentionMs: -1, retentionBytes })
  test.each([
    [1000, 0],
    [300, 0],
    [299, 0],
    [200, 10],
    [199, 10],
    [100, 20],
    [1, 20],
    [0, 30]
  ])("given three segments of 100 bytes and a bound of %d, then the log starts at %d", (bound, start) =>
    expect(retainedStart(log([1, 2, 3]), bytes(bound), 0)).toBe(start)
  )
  test("segments before the log start do not count", () => expect(retainedStart(log([1, 2, 3], { start: 10 }), bytes(200), 0)).toBe(10))
})

test("no segment at or above the high watermark is deleted", () =>
  expect(retainedStart(log([1, 2, 3], { highWatermark: 15 }), { retentionMs: 0, retentionBytes: 0 }, 1000)).toBe(10))
test("a segment with a timestamp after the clock ends retention by time, and is reported; one minute is tolerated", () => {
  const held = (timestamps: ReadonlyArray<number>, now: number, retentionMs = 100, start = 0) =>
    heldByFuture({ ...log(timestamps), start }, retentionMs, now)?.baseOffset
  expect(held([500_000, 10], 1000)).toBe(0)
  expect(held([10, 500_000], 1000)).toBeUndefined()
  expect(held([10, 500_000], 1000, 100, 10)).toBe(10)
  expect(held([61_000, 10], 1000)).toBeUndefined()
  expect(held([61_001, 10], 1000)).toBe(0)
  expect(held([500_000], 1000, -1)).toBeUndefined()
  expect(held([], 1000)).toBeUndefined()
})
test("a log without a record", () => expect(retainedStart(log([]), { retentionMs: 0, retentionBytes: 0 }, 1000)).toBe(0))

describe("properties", () => {
  const segments = fc
    .array(
      fc.record({ records: fc.integer({ min: 1, max: 9 }), sizeInBytes: fc.integer({ min: 1, max: 500 }), maxTimestamp: fc.integer({ min: -1, max: 300 }) }),
      {
        maxLength: 12
      }
    )
    .map((rows) => {
      let baseOffset = 0
      return rows.map(({ maxTimestamp, records, sizeInBytes }): SegmentExtent => {
        const segment = { baseOffset, endOffset: baseOffset + records, sizeInBytes, maxTimestamp }
        baseOffset = segment.endOffset
        return segment
      })
    })
  const bounds = fc.record({ retentionMs: fc.integer({ min: -1, max: 300 }), retentionBytes: fc.integer({ min: -1, max: 3000 }) })
  const cases = fc.tuple(segments, bounds, fc.nat(120), fc.nat(120), fc.nat(600)).map(([all, bound, start, highWatermark, now]) => {
    const end = all.at(-1)?.endOffset ?? 0
    return { retained: { segments: all, start: Math.min(start, end), highWatermark: Math.min(highWatermark, end) }, bound, now }
  })
  test("the log start never falls, never passes the high watermark, and is the end of a segment", () =>
    fc.assert(
      fc.property(cases, ({ bound, now, retained }) => {
        const start = retainedStart(retained, bound, now)
        expect(start).toBeGreaterThanOrEqual(retained.start)
        if (start > retained.start) {
          expect(start).toBeLessThanOrEqual(retained.highWatermark)
          expect(retained.segments.some(({ endOffset }) => endOffset === start)).toBe(true)
        }
      })
    ))
  test("each deleted segment was too old, or the log had retention.bytes without it", () =>
    fc.assert(
      fc.property(cases, ({ bound, now, retained }) => {
        const start = retainedStart(retained, bound, now)
        const gone = retained.segments.filter(({ endOffset }) => endOffset > retained.start && endOffset <= start)
        for (const segment of gone) {
          const rest = retained.segments.filter(({ baseOffset }) => baseOffset > segment.baseOffset).reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)
          const tooOld = bound.retentionMs >= 0 && segment.maxTimestamp >= 0 && segment.maxTimestamp < now - bound.retentionMs
          const tooMuch = bound.retentionBytes >= 0 && rest >= bound.retentionBytes
          expect(tooOld || tooMuch).toBe(true)
        }
      })
    ))
  test("a second check at the same time deletes no more; a later one never less", () =>
    fc.assert(
      fc.property(cases, fc.nat(500), ({ bound, now, retained }, later) => {
        const start = retainedStart(retained, bound, now)
        expect(retainedStart({ ...retained, start }, bound, now)).toBe(start)
        expect(retainedStart({ ...retained, start }, bound, now + later)).toBeGreaterThanOrEqual(start)
      })
    ))
})
