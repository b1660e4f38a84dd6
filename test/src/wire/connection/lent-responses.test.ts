import { describe, expect, test } from "bun:test"
import { Effect, Random } from "effect"
import fc from "fast-check"
import { isLent, lend, pieceBytes, returnLent } from "../../../../src/ports/lent-memory.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { route } from "../../../../src/wire/route.ts"
import { seed } from "../../../seed.ts"
import { eventually, onStage, transports } from "../harness.ts"

describe("memory for reads", () => {
  test("is never lent twice at a time, whatever the callers release and how often", () => {
    const step = fc.record({ size: fc.integer({ min: 1, max: 2 * pieceBytes }), returns: fc.nat(20), twice: fc.boolean(), view: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const held: Array<Uint8Array> = []
        for (const { returns, size, twice, view } of steps) {
          const bytes = lend(size)
          expect(bytes !== undefined).toBe(size >= pieceBytes / 2 && size <= pieceBytes)
          if (bytes !== undefined) {
            expect(bytes.length).toBe(size)
            expect(isLent(bytes)).toBe(true)
            for (const other of held) expect(other.buffer === bytes.buffer).toBe(false)
            held.push(bytes)
          }
          const [gone] = held.splice(returns, 1)
          if (gone === undefined) continue
          returnLent(view ? gone.subarray(7, 9) : gone)
          if (twice) returnLent(gone)
          expect(isLent(gone)).toBe(false)
        }
        for (const bytes of held) returnLent(bytes)
      })
    )
  })

  test("is left alone when it was not lent", () => {
    const own = new Uint8Array(pieceBytes)
    returnLent(own)
    const next = lend(pieceBytes)
    expect(next?.buffer === own.buffer).toBe(false)
  })
})

/** Differs for each seed and each page, so that a piece that was written over too early shows. */
const fillWith = (bytes: Uint8Array, seed: number): void => {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >>> 2)
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + 1, 2_654_435_761) ^ Math.imul(seed + 1, 40_503)
}

for (const [name, layer] of transports)
  test(`readers that are slow get what was read for them, however often its memory is used again, ${name}`, async () => {
    const sizes: Array<number> = []
    const reads = route(Fetch, { pipelined: true }, ({ maxBytes, maxWaitMs }) => {
      const bytes = lend(maxBytes) ?? new Uint8Array(maxBytes)
      fillWith(bytes, maxWaitMs)
      // Cut like a run of batches that does not fill the bytes that were read, or continues elsewhere.
      const records = maxWaitMs % 3 === 0 ? [bytes.subarray(0, maxBytes - 100), bytes.subarray(maxBytes - 100)] : [bytes]
      return {
        throttleTimeMs: 0,
        errorCode: 0,
        responses: [{ topic: "t", partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 0n, abortedTransactions: null, records }] }]
      }
    })
    await onStage(
      layer(),
      [reads],
      ({ raw }) =>
        Effect.gen(function* () {
          const ends = yield* Effect.forEach([1, 2, 3, 4], () => raw)
          const asked = ends.map((): Array<number> => [])
          for (let i = 0; i < 96; i++) {
            const at = i % ends.length
            const end = ends[at]
            if (end === undefined) return
            const size = 4 * (yield* Random.nextIntBetween(i % 5 === 0 ? 1000 : pieceBytes / 8, pieceBytes / 4 + 1))
            sizes[i] = size
            asked[at]?.push(i)
            end.ask(Fetch, 12, { maxWaitMs: i, minBytes: 0, maxBytes: size, topics: [] })
            if ((yield* Random.nextIntBetween(0, 3)) === 0) end.connection.pause()
            if ((yield* Random.nextIntBetween(0, 4)) === 0) yield* Effect.sleep(1)
            if ((yield* Random.nextIntBetween(0, 3)) === 0) ends[yield* Random.nextIntBetween(0, ends.length)]?.connection.resume()
          }
          for (const end of ends) end.connection.resume()
          yield* eventually("everything is answered", () => ends.every((end, at) => end.frames.length === asked[at]?.length))
          for (const [at, end] of ends.entries())
            for (const [nth, i] of (asked[at] ?? []).entries()) {
              const size = sizes[i] ?? 0
              const wanted = new Uint8Array(size)
              fillWith(wanted, i)
              const got = end.answer(nth, Fetch, 12).value.responses[0]?.partitions[0]?.records ?? new Uint8Array(0)
              expect([i, got.length, Buffer.compare(got, wanted)]).toEqual([i, size, 0])
            }
        }).pipe(Effect.withRandom(Random.make(seed))),
      { writeBufferBytesMax: 3_000_000, inFlightRequestsMax: 100 }
    )
  })
