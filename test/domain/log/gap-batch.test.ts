import { expect, test } from "bun:test"
import { Either } from "effect"
import { RecordBatch, readableBatches, verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { filledGaps } from "../../../domain/log/gap-batch.ts"
import { writeInt32, writeInt64 } from "../../../domain/log/int.ts"
import { makeBatch } from "./make-batch.ts"

const at = (baseOffset: number, count: number, epoch: number): RecordBatch => {
  const { bytes } = makeBatch(count)
  writeInt64(bytes, 0, baseOffset)
  writeInt32(bytes, 12, epoch)
  return new RecordBatch(bytes)
}
const brief = (batches: ReadonlyArray<RecordBatch>) => batches.map((one) => [one.baseOffset, one.nextOffset, one.partitionLeaderEpoch, one.recordCount])

test("what compaction removed is a batch without records, of the epoch before it: readers pass over it", () => {
  const { batches, isSparse } = filledGaps([at(5, 2, 3), at(7, 1, 3), at(12, 1, 6)], { end: 2, lastEpoch: 1 }, 20, crc32c)
  expect(isSparse).toBe(true)
  expect(brief(batches)).toEqual([
    [2, 5, 1, 0],
    [5, 7, 3, 2],
    [7, 8, 3, 1],
    [8, 12, 3, 0],
    [12, 13, 6, 1]
  ])
  for (const batch of batches) expect(verify(batch, crc32c)).toBeUndefined()
  const bytes = Buffer.concat(batches.map((batch) => batch.bytes))
  expect(brief(Either.getOrThrow(readableBatches(bytes)))).toEqual(brief(batches))
})
test("an empty log has no epoch before: the gap has that of the batch behind it", () =>
  expect(brief(filledGaps([at(3, 1, 4)], { end: 0, lastEpoch: -1 }, 3, crc32c).batches)).toEqual([
    [0, 3, 4, 0],
    [3, 4, 4, 1]
  ]))
test("a gap behind the end of the compaction is damage, and stays; without one the batches are the same array", () => {
  const damaged = [at(5, 1, 1)]
  expect(filledGaps(damaged, { end: 2, lastEpoch: 1 }, 4, crc32c)).toEqual({ batches: damaged, isSparse: false })
  const whole = [at(2, 2, 1), at(4, 1, 1)]
  expect(filledGaps(whole, { end: 2, lastEpoch: 1 }, 100, crc32c).batches).toBe(whole)
})
test("a gap of more offsets than a batch can name is several batches", () => {
  const { batches } = filledGaps([at(5_000_000_000, 1, 1)], { end: 0, lastEpoch: 0 }, 6_000_000_000, crc32c)
  let next = 0
  for (const batch of batches) {
    expect(batch.baseOffset).toBe(next)
    expect(batch.lastOffsetDelta).toBeLessThan(2 ** 31)
    next = batch.nextOffset
  }
  expect(next).toBe(5_000_000_001)
})
