import { describe, expect, test } from "bun:test"
import { RecordBatch } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../domain/log/int.ts"
import { batchFault, OffsetIndexCheck, TimeIndexCheck, walkOn } from "../../../domain/log/verify.ts"
import { makeBatch } from "./make-batch.ts"

const at = (baseOffset: number, count: number, leaderEpoch = 0) => makeBatch(count, { baseOffset, leaderEpoch })
const taking = <A>(...entries: ReadonlyArray<A>): (() => A | undefined) => {
  let next = 0
  return () => entries[next++]
}

describe("batches (L6)", () => {
  test("the next batch in sequence is valid, and the walk continues after it", () => {
    const batch = at(7, 3, 2)
    expect(batchFault(batch, { next: 7, epoch: 2 }, crc32c)).toBeUndefined()
    expect(walkOn(batch)).toEqual({ next: 10, epoch: 2 })
  })
  test("a gap, an epoch that falls, a wrong count, a wrong CRC", () => {
    expect(batchFault(at(7, 3), { next: 6, epoch: 0 }, crc32c)).toBe("the batch has offset 7 where 6 comes next")
    expect(batchFault(at(7, 3, 1), { next: 7, epoch: 2 }, crc32c)).toBe("the batch has leader epoch 1 after epoch 2")
    const counted = at(7, 3).bytes.slice()
    writeInt32(counted, 57, 2)
    writeInt32(counted, 17, crc32c(counted, 21))
    expect(batchFault(new RecordBatch(counted), { next: 7, epoch: 0 }, crc32c)).toBe("the batch says 2 records over 3 offsets")
    const flipped = at(7, 3).bytes.slice()
    flipped[70] = 99
    expect(batchFault(new RecordBatch(flipped), { next: 7, epoch: 0 }, crc32c)).toContain("CRC")
  })
})

describe("offset indexes", () => {
  const batches = [
    { lastOffset: 2, position: 0 },
    { lastOffset: 5, position: 100 },
    { lastOffset: 9, position: 250 }
  ]
  const judge = (...entries: ReadonlyArray<readonly [offset: number, position: number]>) => {
    const check = new OffsetIndexCheck(taking(...entries.map(([offset, position]) => ({ offset, position }))))
    for (const { lastOffset, position } of batches) check.visit({ lastOffset, maxTimestamp: -1 }, position)
    return check.finish(300)
  }
  test("entries that point to batches with their last offset", () => expect(judge([5, 100], [9, 250])).toBeUndefined())
  test("no entries", () => expect(judge()).toBeUndefined())
  test("into the middle of a batch", () => expect(judge([5, 101])).toBe("entry 0 points to byte 101, where no batch starts"))
  test("another offset", () => expect(judge([5, 100], [8, 250])).toBe("entry 1 says offset 8 for byte 250, the batch there ends with offset 9"))
  test("after the end", () => expect(judge([5, 100], [12, 300])).toBe("entry 1 points to byte 300, the last batch ends at 300"))
  test("falling", () => expect(judge([9, 250], [5, 100])).toContain("does not rise"))
  test("entries for bytes that could not be read are not checked", () => {
    const check = new OffsetIndexCheck(taking({ offset: 4, position: 120 }, { offset: 9, position: 250 }))
    check.visit({ lastOffset: 2, maxTimestamp: -1 }, 0)
    check.skip(250)
    check.visit({ lastOffset: 9, maxTimestamp: -1 }, 250)
    expect(check.finish(300)).toBeUndefined()
  })
})

describe("time indexes", () => {
  const batches = [
    { lastOffset: 2, maxTimestamp: 50 },
    { lastOffset: 5, maxTimestamp: 40 },
    { lastOffset: 9, maxTimestamp: 60 }
  ]
  const judge = (isSealed: boolean, ...entries: ReadonlyArray<readonly [timestamp: number, offset: number]>) => {
    const check = new TimeIndexCheck(taking(...entries.map(([timestamp, offset]) => ({ timestamp, offset }))))
    for (const batch of batches) check.visit(batch)
    return check.finish(10, isSealed)
  }
  test("the largest timestamp up to each offset", () => expect(judge(true, [50, 2], [60, 9])).toBeUndefined())
  test("a timestamp that is not there", () => expect(judge(true, [51, 2])).toBe("entry 0 says timestamp 51 up to offset 2, the log has 50"))
  test("a batch that is not the newest", () => expect(judge(true, [40, 5])).toContain("the log has 50"))
  test("after the end", () => expect(judge(true, [50, 2], [60, 10])).toBe("entry 1 names offset 10, the segment ends before 10"))
  test("falling", () => expect(judge(true, [50, 2], [50, 9])).toContain("does not rise"))
  test("a sealed segment's index ends with its largest timestamp", () => {
    expect(judge(false, [50, 2])).toBeUndefined()
    expect(judge(true, [50, 2])).toBe("it ends with timestamp 50, the segment's largest is 60")
  })
})
