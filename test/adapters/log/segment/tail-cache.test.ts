import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import { LogTail, TailBudget } from "../../../../adapters/log/segment/tail-cache.ts"
import { RecordBatch } from "../../../../domain/log/batch.ts"
import { batchesFrom, batchesIn, hexOf } from "../../../src/ports/log-batches.ts"

const everything = Number.MAX_SAFE_INTEGER
const batches = (count: number, valueBytes: number) =>
  batchesFrom(
    0,
    Array.from({ length: count }, () => ({ count: 2, valueBytes }))
  )
const read = (tail: LogTail, from: number) => {
  const found = tail.read(from, 1_000_000, everything, true)
  return found === undefined ? undefined : hexOf(batchesIn(found))
}

describe("the tail of a log in memory", () => {
  test("keeps nothing until a consumer reads near the end", () => {
    const budget = new TailBudget(200_000, 200_000)
    const tail = new LogTail(budget)
    const [first, second, third, ...rest] = batches(60, 3000)
    if (first === undefined || second === undefined || third === undefined) throw new Error("too few")
    tail.add(first)
    expect(budget.usedBytes).toBe(0)
    expect(read(tail, 0)).toBeUndefined()
    tail.noteReader(200_001)
    tail.add(second)
    expect(budget.usedBytes).toBe(0)
    tail.noteReader(200_000)
    tail.add(third)
    expect(read(tail, second.baseOffset)).toBeUndefined()
    expect(read(tail, third.baseOffset)).toEqual(hexOf([third]))
    // While a consumer reads, the cache keeps every appended batch, whatever their total size.
    for (const batch of rest) {
      tail.add(batch)
      expect(read(tail, batch.baseOffset)).toEqual(hexOf([batch]))
    }
  })

  test("drops all batches when no consumer has read during as many appended bytes as it may keep", () => {
    const budget = new TailBudget(200_000, 1_000_000)
    const tail = new LogTail(budget)
    tail.noteReader(0)
    let unread = 0
    for (const batch of batches(60, 3000)) {
      tail.add(batch)
      unread += batch.bytes.length
      expect(budget.usedBytes > 0).toBe(unread <= 200_000)
    }
    expect(unread).toBeGreaterThan(200_000)
  })

  test("property: after adds and reads in any order, a read returns exactly the batches that follow, or nothing", () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 9000 }) }),
      fc.record({ read: fc.nat(40), maxBytes: fc.integer({ min: 1, max: 60_000 }) }),
      fc.record({ near: fc.nat(50_000) })
    )
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 80 }),
        fc.integer({ min: 0, max: 300_000 }),
        fc.integer({ min: 0, max: 500_000 }),
        (steps, logBytesMax, storeBytesMax) => {
          const budget = new TailBudget(logBytesMax, storeBytesMax)
          const tail = new LogTail(budget)
          const added: Array<RecordBatch> = []
          for (const one of steps) {
            if ("add" in one) {
              const [batch] = batchesFrom(added.at(-1)?.nextOffset ?? 0, [{ count: 1 + (one.add % 3), valueBytes: one.add }])
              if (batch === undefined) throw new Error("no batch")
              // A view into memory that holds other bytes, too, as a received frame does.
              const frame = new Uint8Array(batch.bytes.length + 20)
              frame.set(batch.bytes, 10)
              added.push(batch)
              tail.add(new RecordBatch(frame.subarray(10, 10 + batch.bytes.length)))
              expect(budget.usedBytes).toBeLessThanOrEqual(storeBytesMax)
            } else if ("near" in one) tail.noteReader(one.near)
            else {
              const end = added.at(-1)?.nextOffset ?? 0
              const from = Math.max(0, end - 1 - one.read)
              const found = tail.read(from, one.maxBytes, everything, true)
              if (found === undefined) continue
              const given = batchesIn(found)
              const index = added.findIndex(({ nextOffset }) => nextOffset > from)
              expect(given.length).toBeGreaterThan(0)
              expect(hexOf(given)).toEqual(hexOf(added.slice(index, index + given.length)))
            }
          }
        }
      ),
      { numRuns: 150 }
    )
  })
})
