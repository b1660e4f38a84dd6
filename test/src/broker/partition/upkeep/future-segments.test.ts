import { expect, test } from "bun:test"
import type { SegmentExtent } from "../../../../../domain/log/retention.ts"
import { FutureSegments } from "../../../../../src/broker/partition/upkeep/future-segments.ts"

const segment = (baseOffset: number, maxTimestamp = 1e15): SegmentExtent => ({ baseOffset, endOffset: baseOffset + 5, sizeInBytes: 100, maxTimestamp })
const partition = (index: number, held: () => SegmentExtent | undefined) => ({ topic: "orders", partition: index, heldByFuture: held })
const day = 86_400_000

test("each segment is logged once a day, and again when another one replaces it", () => {
  const said: Array<string> = []
  const future = new FutureSegments((line) => said.push(line))
  let held: SegmentExtent | undefined = segment(0)
  const led = [partition(3, () => held)]
  const linesAt = (now: number) => {
    said.length = 0
    future.look(led, ({ heldByFuture }) => heldByFuture(), now)
    return said.length
  }
  expect([linesAt(0), linesAt(300_000), linesAt(day - 1), linesAt(day), linesAt(day + 1)]).toEqual([1, 0, 0, 1, 0])
  held = segment(5)
  expect([linesAt(day + 2), linesAt(day + 3)]).toEqual([1, 0])
  held = undefined
  expect(linesAt(day + 4)).toBe(0)
  held = segment(5)
  expect(linesAt(day + 5)).toBe(1)
})

test("thousands of partitions give eleven lines; a timestamp that has no date is logged as a number", () => {
  const said: Array<string> = []
  const led = Array.from({ length: 5000 }, (_, i) => partition(i, () => segment(i, Number.MAX_SAFE_INTEGER)))
  new FutureSegments((line) => said.push(line)).look(led, ({ heldByFuture }) => heldByFuture(), 0)
  expect(said).toHaveLength(11)
  expect(said[0]).toContain(
    `orders-0: retention.ms does not delete segment 00000000000000000000.log nor those after it, since its largest timestamp, ${Number.MAX_SAFE_INTEGER},`
  )
  expect(said[10]).toContain("4990 more partitions")
})
