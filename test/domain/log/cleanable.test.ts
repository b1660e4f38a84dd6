import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type CleanableLog, type CompactionBounds, dirtOf, groupSegments } from "../../../domain/log/cleanable.ts"
import { gapsEnd, mayFollow, rangesBefore, withRange } from "../../../domain/log/compacted-ranges.ts"

const segment = (baseOffset: number, endOffset: number, sizeInBytes = 100, maxTimestamp = 1000) => ({ baseOffset, endOffset, sizeInBytes, maxTimestamp })
const log = (more: Partial<CleanableLog> = {}): CleanableLog => ({
  segments: [segment(0, 10), segment(10, 20), segment(20, 30), segment(30, 40)],
  start: 0,
  highWatermark: 40,
  cleanEnd: 0,
  firstDirtyTimestamp: undefined,
  ...more
})
const bounds = (more: Partial<CompactionBounds> = {}): CompactionBounds => ({ dirtyRatioMin: 0.5, lagMsMin: 0, lagMsMax: Number.MAX_SAFE_INTEGER, ...more })

describe("the range to compact", () => {
  test("never the active segment, nor records above the high watermark", () => {
    expect(dirtOf(log(), bounds(), 5000)).toMatchObject({ from: 0, to: 30, ratio: 1, isDue: true })
    expect(dirtOf(log({ highWatermark: 29 }), bounds(), 5000)).toMatchObject({ to: 20 })
    expect(dirtOf(log({ segments: [segment(0, 40)] }), bounds(), 5000)).toMatchObject({ to: 0, isDue: false })
  })
  test("nor the last one before an empty segment, since a reader in a gap there would find no later record", () => {
    const segments = [segment(0, 10), segment(10, 20), segment(20, 20, 0)]
    expect(dirtOf(log({ segments, highWatermark: 20 }), bounds(), 5000)).toMatchObject({ to: 10 })
  })
  test("by the dirty ratio, which must be above its bound", () => {
    expect(dirtOf(log({ cleanEnd: 20 }), bounds({ dirtyRatioMin: 0.3 }), 5000)).toMatchObject({ from: 20, to: 30, isDue: true })
    expect(dirtOf(log({ cleanEnd: 20 }), bounds({ dirtyRatioMin: 0.34 }), 5000)).toMatchObject({ isDue: false })
    expect(dirtOf(log({ cleanEnd: 30 }), bounds({ dirtyRatioMin: 0 }), 5000)).toMatchObject({ isDue: false, ratio: 0 })
  })
  test("no record younger than min.compaction.lag.ms, and nothing after it", () => {
    const segments = [segment(0, 10, 100, 1000), segment(10, 20, 100, 4500), segment(20, 30, 100, 1000), segment(30, 40)]
    expect(dirtOf(log({ segments }), bounds({ lagMsMin: 1000 }), 5000)).toMatchObject({ to: 10 })
  })
  test("whatever the ratio, where a record has waited for max.compaction.lag.ms", () => {
    const few = log({ cleanEnd: 20, firstDirtyTimestamp: 1000 })
    expect(dirtOf(few, bounds({ lagMsMax: 3999 }), 5000)).toMatchObject({ isDue: true, isOverdue: true })
    expect(dirtOf(few, bounds({ lagMsMax: 4000 }), 5000)).toMatchObject({ isDue: false, isOverdue: false })
    expect(dirtOf(log({ cleanEnd: 30, firstDirtyTimestamp: 1000 }), bounds({ lagMsMax: 1 }), 5000)).toMatchObject({ isDue: false, isOverdue: false })
  })
  test("from the log start where the noted clean end is outside of the log", () => {
    expect(dirtOf(log({ cleanEnd: 99 }), bounds(), 5000)).toMatchObject({ from: 0 })
    expect(dirtOf(log({ cleanEnd: 3, start: 12 }), bounds(), 5000)).toMatchObject({ from: 12, to: 30 })
  })
})

test("segments are grouped in their order, each once, within the bounds of a segment wherever there are several", () => {
  const sizes = fc.array(fc.record({ sizeInBytes: fc.nat(100), indexBytes: fc.nat(20), offsets: fc.integer({ min: 1, max: 1_500_000_000 }) }), {
    maxLength: 30
  })
  fc.assert(
    fc.property(sizes, (all) => {
      let at = 0
      const segments = all.map(({ indexBytes, offsets, sizeInBytes }) => ({ sizeInBytes, indexBytes, baseOffset: at, endOffset: (at += offsets) }))
      const groups = groupSegments(segments, { segmentBytesMax: 120, segmentIndexBytesMax: 30 })
      expect(groups.flat()).toEqual(segments)
      for (const group of groups.filter(({ length }) => length > 1)) {
        expect(group.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0)).toBeLessThanOrEqual(120)
        expect(group.reduce((sum, { indexBytes }) => sum + indexBytes, 0)).toBeLessThanOrEqual(30)
        expect((group.at(-1)?.endOffset ?? 0) - (group[0]?.baseOffset ?? 0)).toBeLessThanOrEqual(2 ** 31)
      }
    })
  )
})

describe("where records may be missing (L6)", () => {
  test("in a segment that was rewritten, up to where it ended, and nowhere else", () => {
    const ranges = withRange(new Map(), 10, 20, 0)
    expect([gapsEnd(ranges, 0), gapsEnd(ranges, 10), gapsEnd(ranges, 20)]).toEqual([0, 20, 20])
    expect([mayFollow(12, 12, 10), mayFollow(13, 12, 10), mayFollow(13, 12, 20), mayFollow(20, 12, 20), mayFollow(21, 12, 20), mayFollow(11, 12, 20)]).toEqual([
      true,
      false,
      true,
      true,
      false,
      false
    ])
  })
  test("a segment made of several replaces them; deleted segments are forgotten; a truncation ends the last", () => {
    const ranges = withRange(withRange(withRange(new Map(), 0, 10, 0), 10, 20, 0), 30, 40, 0)
    expect([...withRange(ranges, 10, 40, 5)]).toEqual([[10, 40]])
    expect([...withRange(ranges, 20, 30, 0)].map(([base]) => base)).toEqual([0, 10, 20, 30])
    expect([...rangesBefore(ranges, 15)]).toEqual([
      [0, 10],
      [10, 15]
    ])
  })
})
