import { expect, test } from "bun:test"
import fc from "fast-check"
import { replicasFor } from "../../../../src/cli/admin/partition/targets.ts"

const brokers = (...partitions: ReadonlyArray<number>) => partitions.map((count, at) => ({ id: at + 1, rack: null, partitions: count }))

test("a partition keeps the replicas that it has; the brokers with the fewest partitions get the new ones", () => {
  expect(replicasFor([2], 3, brokers(5, 1, 0, 3))).toEqual([2, 3, 4])
  expect(replicasFor([2, 1, 3], 1, brokers(5, 1, 0))).toEqual([2])
  expect(replicasFor([2], 4, brokers(5, 1, 0))).toBeUndefined()
})
test("a rack without a replica comes before the broker with the fewest partitions", () => {
  const racked = [
    { id: 1, rack: "a", partitions: 0 },
    { id: 2, rack: "a", partitions: 0 },
    { id: 3, rack: "b", partitions: 9 }
  ]
  expect(replicasFor([1], 2, racked)).toEqual([1, 3])
})
test("each target has as many replicas as asked, each once, and over many partitions the brokers differ by one at most", () =>
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 8 }), fc.integer({ min: 1, max: 3 }), (count, replicas) => {
      const all = brokers(...Array.from({ length: count }, () => 0))
      const targets = Array.from({ length: 40 }, () => replicasFor([], replicas, all))
      for (const target of targets) expect(new Set(target).size).toBe(replicas)
      const loads = all.map(({ partitions }) => partitions)
      expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
    }),
    { numRuns: 30 }
  ))
