import { expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import type { OutgoingBatch } from "../../../../../src/client/producer/accumulator/batch.ts"
import { PartitionQueue } from "../../../../../src/client/producer/accumulator/partition-queue.ts"

const identity = { producerId: 7n, epoch: 0 }
const waiting = (nth: number) => ({
  record: { timestamp: nth, key: null, value: null },
  sizeBytes: 10,
  resume: (outcome: Effect.Effect<unknown, unknown>) => void Effect.runFork(Effect.ignore(outcome))
})
const numbersOf = (batch: OutgoingBatch) => batch.waiting.map(({ record }) => record.timestamp)
const add = (queue: PartitionQueue, nth: number, batchBytesMax: number) => queue.add(waiting(nth), 0, batchBytesMax, 1000)

test("L5: the second half of a half comes before a batch that is made later", () => {
  const queue = new PartitionQueue("t", 0)
  for (let nth = 0; nth < 4; nth++) add(queue, nth, 1000)
  const whole = queue.take(identity) as OutgoingBatch
  queue.split(whole)
  const first = queue.take(identity) as OutgoingBatch
  queue.confirm(first)
  const [third] = queue.split(queue.take(identity) as OutgoingBatch)
  expect(numbersOf(third)).toEqual([2])
  // The next batch is made, is sent behind the third record, and comes back.
  add(queue, 4, 1000)
  expect(queue.batches.map(numbersOf)).toEqual([[2], [3], [4]])
  const [two, three, four] = [queue.take(identity), queue.take(identity), queue.take(identity)] as Array<OutgoingBatch>
  for (const batch of [four, three, two]) queue.postpone(batch as OutgoingBatch, 0)
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
      if (action === "send") for (let n = 0; n < count && queue.sendableAt(0, 5) <= 0; n++) queue.take(identity)
      if (action !== "answer") continue
      // The broker answers in order: 0 takes the first, 1 finds it too large, 2 could not; behind one that it did not take it takes none.
      const [first, ...others] = [...queue.inFlight]
      if (first === undefined) continue
      if (count === 0) {
        stored.push(...numbersOf(first))
        queue.confirm(first)
        continue
      }
      if (count === 1 && first.waiting.length > 1) queue.split(first)
      else queue.postpone(first, 0)
      for (const other of others) queue.postpone(other, 0)
    }
    expect(stored).toEqual(stored.map((_, nth) => nth))
  }
  fc.assert(fc.property(fc.array(step, { minLength: 20, maxLength: 60 }), run), { numRuns: 500 })
})
