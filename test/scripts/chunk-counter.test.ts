import { expect, test } from "bun:test"
import fc from "fast-check"
import { ChunkCounter } from "../../scripts/bench/client/chunk-counter.ts"
import { output } from "../../scripts/bench/process.ts"

test("a consumer that received all messages has ended, however they were cut into chunks", () =>
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 20 }), (chunks) => {
      const total = chunks.reduce((sum, one) => sum + one, 0)
      const counter = new ChunkCounter(total)
      const ended = chunks.map((count, at) => counter.add(count, 1000 + at * 10))
      expect(ended).toEqual(chunks.map((_, at) => at === chunks.length - 1))
      expect(counter.counted).toBe(total - (chunks[0] ?? 0))
      expect(counter.seconds(1_000_000)).toBe(((chunks.length - 1) * 10) / 1000)
    })
  ))

test("one that misses messages is measured to the end of its time", () => {
  const counter = new ChunkCounter(100)
  counter.add(10, 500)
  expect(counter.add(20, 600)).toBe(false)
  expect([counter.counted, counter.seconds(2500)]).toEqual([20, 2])
})

test("a client that does not end is killed, with a sentence", async () => {
  const endless = output(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {}, 500)
  expect(
    await endless.then(
      () => "ended",
      (error: Error) => error.message
    )
  ).toContain("it did not end within 0.5 s")
})
