import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { Deadlines } from "../../../../src/serve/deadlines.ts"
import { fetch } from "../../../../src/serve/fetch/fetch.ts"
import { Unread } from "../../../../src/wire/connection/unread.ts"
import { ResponseBudget } from "../../../../src/wire/memory/response-budget.ts"
import { route } from "../../../../src/wire/route.ts"
import { FakeTable } from "../../serve/fake-partition.ts"
import { inVirtualTime, type Raw } from "../harness.ts"

const mebibyte = 1024 * 1024

describe("unread responses", () => {
  test("is counted by the memory behind it, until it is taken or the connection closes", () => {
    const budget = new ResponseBudget(1000)
    const unread = new Unread(budget)
    const frame = new Uint8Array(400)
    unread.wrote([frame.subarray(0, 40)], 0)
    expect(budget.heldBytes).toBe(0)
    unread.wrote([frame.subarray(0, 40), frame.subarray(40, 80)], 80)
    expect([unread.size, budget.heldBytes]).toEqual([80, 400])
    unread.look(40, 1)
    expect([unread.size, budget.heldBytes]).toEqual([40, 200])
    unread.clear()
    expect([unread.size, budget.heldBytes]).toEqual([0, 0])
  })

  test("a connection whose client reads nothing for ten seconds is stalled", () => {
    const unread = new Unread(new ResponseBudget(1000))
    unread.wrote([new Uint8Array(100)], 100)
    unread.look(100, 5)
    expect([unread.isStalled(14), unread.isStalled(15)]).toEqual([false, true])
    unread.look(90, 15)
    expect(unread.isStalled(24)).toBe(false)
    unread.clear()
    expect(unread.isStalled(99)).toBe(false)
  })

  test("a quarter of the budget is for clients that have read everything", () => {
    const budget = new ResponseBudget(400_000)
    expect([budget.room(true), budget.room(false)]).toEqual([300_000, 300_000])
    budget.change(300_000)
    expect([budget.isShort, budget.room(true), budget.room(false)]).toEqual([true, 0, 65_536])
    budget.change(90_000)
    expect([budget.room(true), budget.room(false)]).toEqual([0, 10_000])
    budget.change(20_000)
    expect(budget.room(false)).toBe(0)
    let woken = 0
    const stop = budget.whenFree(() => woken++)
    budget.change(-200_000)
    stop()
    budget.change(-100_000)
    expect(woken).toBe(1)
  })
})

describe("200 connections that ask for a mebibyte each, four times, and never read", () => {
  const records = 24
  const ask = (from: number) => ({
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 50 * mebibyte,
    topics: [{ topic: "large", partitions: [{ partition: 0, fetchOffset: BigInt(from), partitionMaxBytes: mebibyte }] }]
  })
  const given = (raw: Raw, index: number) => raw.answer(index, Fetch, 12).value.responses[0]?.partitions[0]?.records?.length ?? 0

  test("hold no more than the budget; a consumer that reads continues; a client that does not read is closed, and then there is room again", () => {
    const table = new FakeTable()
    table.create("large", 1)
    for (let n = 0; n < records; n++) table.at("large", 0)?.append("x".repeat(mebibyte - 200))
    const options = { find: table.find, findLeader: () => undefined, clusterId: () => undefined, fetchBytesMax: 50 * mebibyte }
    const answers = new ResponseBudget(32 * mebibyte)
    let most = 0
    let deadlines: Deadlines | undefined
    const served = route(Fetch, {}, (request, context) => {
      most = Math.max(most, answers.heldBytes)
      return fetch({ ...options, deadlines: deadlines as Deadlines })(request, context)
    })
    return inVirtualTime(
      [served],
      ({ clock, lines, raw }) =>
        Effect.gen(function* () {
          deadlines = new Deadlines(clock, (effect) => clock.fork(effect))
          const readers = yield* Effect.forEach(Array.from({ length: 200 }), () => raw)
          for (const reader of readers) {
            reader.connection.pause()
            for (let n = 0; n < 4; n++) reader.ask(Fetch, 12, ask(0))
          }
          yield* Effect.sleep(3000)
          expect(answers.isShort).toBe(true)
          const honest = yield* raw
          let [from, read, empty] = [0, 0, 0]
          const readOne = Effect.gen(function* () {
            honest.ask(Fetch, 12, ask(from))
            while (honest.frames.length <= read) yield* Effect.sleep(1)
            if (given(honest, read) > 0) from++
            else empty++
            read++
          })
          while (from < records) yield* readOne
          // It may have had to wait until the first of them were closed, and for no longer.
          expect(empty).toBeLessThan(30)
          yield* Effect.sleep(15_000)
          expect(lines.map(({ text }) => text)).toContainEqual(expect.stringMatching(/left \d+ bytes of answers unread/))
          // Over the budget goes no more than one first batch.
          expect(most).toBeGreaterThan(24 * mebibyte)
          expect(most).toBeLessThan(33.5 * mebibyte)
          const before = read
          from = 0
          while (from < records) yield* readOne
          expect(read - before).toBe(records)
          for (const reader of readers) reader.connection.destroy()
          yield* Effect.sleep(2000)
          expect(answers.heldBytes).toBe(0)
        }),
      { answers, connectionsMax: 1000, writeBufferBytesMax: mebibyte }
    )
  }, 300_000)
})
