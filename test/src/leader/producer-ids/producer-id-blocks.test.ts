import { expect, test } from "bun:test"
import { producerIdBlockMax, producerIdBlockSize } from "../../../../domain/cluster/bounds.ts"
import { ProducerIdBlocks } from "../../../../src/leader/producer-ids/producer-id-blocks.ts"

test("a node that asks for the next block at once gets twice as many ids, up to a bound; one that asks after a while gets as many as from Kafka", () => {
  let now = 0
  const blocks = new ProducerIdBlocks(() => now)
  expect([blocks.next(1), blocks.next(1), blocks.next(2), blocks.next(1)]).toEqual([1, 2, 1, 4].map((times) => times * producerIdBlockSize))
  for (let n = 0; n < 40; n++) blocks.next(1)
  expect(blocks.next(1)).toBe(producerIdBlockMax)
  now += 60_000
  expect(blocks.next(1)).toBe(producerIdBlockSize)
})
test("whatever is asked for, a billion ids take two dozen blocks", () => {
  const blocks = new ProducerIdBlocks(() => 0)
  let [count, ids] = [0, 0]
  for (; ids < 1e9; count++) ids += blocks.next(1)
  expect(count).toBeLessThan(24)
})
