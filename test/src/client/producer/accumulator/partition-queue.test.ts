import { expect, test } from "bun:test"
import fc from "fast-check"
import type { ProduceBatch } from "../../../../../src/client/producer/accumulator/batch.ts"
import { PartitionQueue } from "../../../../../src/client/producer/accumulator/partition-queue.ts"

const producer = { producerId: 7n, epoch: 0 }
const waiting = (nth: number) => ({
  timestamp: nth,
  key: null,
  value: null,
  sizeBytes: 10,
  index: nth,
  isBorrowed: false,
  listener: { stored: () => {}, failed: () => {} }
})
const numbersOf = (batch: ProduceBatch) => batch.records.map(({ timestamp }) => timestamp)
const add = (queue: PartitionQueue, nth: number, batchBytesMax: number) => {
  const record = waiting(nth)
  const open = queue.openFor(record, batchBytesMax)
  if (open === undefined) queue.begin(record, 0, 1000)
  else open.add(record)
}

test("L5: the second half of a half comes before a batch that is made later", () => {
  const queue = new PartitionQueue("t", 0)
  for (let nth = 0; nth < 4; nth++) add(queue, nth, 1000)
  const whole = queue.take(producer) as ProduceBatch
  queue.split(whole)
  const first = queue.take(producer) as ProduceBatch
  queue.confirm(first)
  const [third] = queue.split(queue.take(producer) as ProduceBatch)
  expect(numbersOf(third)).toEqual([2])
  // The next batch is made, is sent behind the third record, and is postponed.
  add(queue, 4, 1000)
  expect(queue.batches.map(numbersOf)).toEqual([[2], [3], [4]])
  const [two, three, four] = [queue.take(producer), queue.take(producer), queue.take(producer)] as Array<ProduceBatch>
  for (const batch of [four, three, two]) queue.postpone(batch as ProduceBatch, 0)
  expect(queue.batches.map(numbersOf)).toEqual([[2], [3], [4]])
})

test("L5: whatever is split and sent again, records are stored in the order of their calls", () => {
  const step = fc.oneof(
    fc.record({ action: fc.constant("add" as const), count: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ action: fc.constant("send" as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ action: fc.constant("answer" as const), count: fc.constantFrom(0, 1, 1, 1, 2) })
  )
  const run = (steps: ReadonlyArray<{ readonly action: "add" | "send" | "answer"; readonly count: number }>) => {
    const queue = new PartitionQueue("t", 0)
    const stored: Array<number> = []
    let made = 0
    for (const { action, count } of steps) {
      if (action === "add") for (let n = 0; n < count; n++) add(queue, made++, 300)
      if (action === "send") for (let n = 0; n < count && queue.sendableAt(0, 5) <= 0; n++) queue.take(producer)
      if (action !== "answer") continue
      // The broker answers in order: 0 takes the first, 1 finds it too large, 2 could not; behind one that it did not take it takes none.
      const [first, ...others] = [...queue.inFlight]
      if (first === undefined) continue
      if (count === 0) {
        stored.push(...numbersOf(first))
        queue.confirm(first)
        continue
      }
      if (count === 1 && first.records.length > 1) queue.split(first)
      else queue.postpone(first, 0)
      for (const other of others) queue.postpone(other, 0)
    }
    expect(stored).toEqual(stored.map((_, nth) => nth))
  }
  fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), run), { numRuns: 500 })
})

test("a batch that would overtake another, or take its sequence, is a bug", () => {
  const queue = new PartitionQueue("t", 0)
  for (let nth = 0; nth < 2; nth++) add(queue, nth, 71)
  const [first, second] = [queue.take(producer), queue.take(producer)] as [ProduceBatch, ProduceBatch]
  queue.postpone(first, 0)
  // Sent while the second is in flight, which `sendableAt` does not allow.
  expect(queue.sendableAt(0, 5)).toBe(Number.POSITIVE_INFINITY)
  expect(() => queue.take(producer)).toThrow("Broken invariant: batch 0 (sequence 0) of t-0 follows batch 1 (1)")
  expect(second.baseSequence).toBe(1)
})
