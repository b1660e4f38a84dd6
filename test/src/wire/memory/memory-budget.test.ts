import { describe, expect, test } from "bun:test"
import { Deferred, Effect, FiberId } from "effect"
import fc from "fast-check"
import { requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { SyncGroup } from "../../../../src/protocol/message/14-sync-group.ts"
import { DescribeGroups } from "../../../../src/protocol/message/15-describe-groups.ts"
import { Later } from "../../../../src/wire/later.ts"
import { MemoryBudget } from "../../../../src/wire/memory/memory-budget.ts"
import { type Route, route } from "../../../../src/wire/route.ts"
import { beat, heartbeat, inVirtualTime, type Raw, reply } from "../harness.ts"

const bytes = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...chunks]))
const assignment = (size: number) => ({ groupId: "g", generationId: 1, memberId: "m", assignments: [{ memberId: "m", assignment: new Uint8Array(size) }] })
/** The beginning of a request that announces `announced` bytes, with `sent` of them. */
const beginning = (announced: number, sent: number): Uint8Array => {
  const frame = new Uint8Array(4 + sent)
  new DataView(frame.buffer).setInt32(0, announced)
  return frame
}

describe("the budget", () => {
  test("is short before it is full, and wakes callers in their order while there is room", () => {
    const memory = new MemoryBudget({ bytesMax: 8_000_000 })
    expect([memory.longestRequestBytes, memory.isShort]).toEqual([7_000_000, false])
    memory.changeRequests(5_000_000)
    memory.changeAnswers(2_000_000)
    expect([memory.isShort, memory.isFull, memory.room]).toEqual([true, false, 0])
    memory.changeRequests(1_000_000)
    expect(memory.isFull).toBe(true)
    const woken: Array<number> = []
    const stops = [1, 2, 3].map((n) => memory.whenFree(() => woken.push(n)))
    stops[1]?.()
    memory.changeRequests(-500_000)
    expect(woken).toEqual([])
    memory.changeRequests(-600_000)
    expect(woken).toEqual([1])
    memory.changeRequests(-4_000_000)
    expect(woken).toEqual([1, 3])
  })

  test("bounds requests apart from responses if queued.max.request.bytes is set", () => {
    const memory = new MemoryBudget({ bytesMax: 100_000_000, requestBytesMax: 8_000_000 })
    memory.changeAnswers(50_000_000)
    expect(memory.room).toBe(7_000_000)
    memory.changeRequests(7_500_000)
    expect([memory.isShort, memory.isFull]).toEqual([true, false])
    expect(memory.figures).toMatch(/7500000.*50000000.*100000000 bytes of franz.memory.request.budget.bytes.*8000000 bytes of queued.max.request.bytes/)
  })
})

/** DescribeGroups whose answer waits for ever, or until it is made early. */
const waits = (heard: { early: number }): Route =>
  route(DescribeGroups, { borrows: true }, () => {
    const answer = () => {
      heard.early++
      return { groups: [] }
    }
    return new Later(() => () => {}, answer)
  })

describe("a request that waits", () => {
  test("holds what was made of it, and neither its frame nor tagged fields that are not known", () => {
    const memory = new MemoryBudget({ bytesMax: 100_000_000 })
    return inVirtualTime(
      [waits({ early: 0 })],
      ({ raw }) =>
        Effect.gen(function* () {
          const waiting = yield* Effect.forEach([1, 2, 3, 4, 5], () => raw)
          for (const each of waiting) each.ask(DescribeGroups, 6, { groups: ["g"], unknownTags: [{ tag: 99, data: new Uint8Array(9_000_000) }] })
          yield* Effect.sleep(100)
          expect(memory.heldBytes).toBeLessThan(20_000)
          for (const each of waiting) each.connection.destroy()
          yield* Effect.sleep(100)
          expect(memory.heldBytes).toBe(0)
        }),
      { memory }
    )
  })

  test("is counted by its elements, and answered early when the budget is short, the oldest first", () => {
    const memory = new MemoryBudget({ bytesMax: 8_000_000 })
    const heard = { early: 0 }
    return inVirtualTime(
      [waits(heard), heartbeat(reply)],
      ({ raw }) =>
        Effect.gen(function* () {
          const wide = { groups: Array.from({ length: 12_000 }, (_, n) => `g${n}`) }
          const first = yield* raw
          first.ask(DescribeGroups, 6, wide)
          yield* Effect.sleep(3000)
          const second = yield* raw
          second.ask(DescribeGroups, 6, wide)
          yield* Effect.sleep(3000)
          expect([heard.early, memory.isShort]).toEqual([0, false])
          const third = yield* raw
          third.ask(DescribeGroups, 6, { groups: wide.groups.slice(0, 9000) })
          yield* Effect.sleep(2500)
          expect([heard.early, first.frames.length, second.frames.length, third.frames.length, memory.isShort]).toEqual([1, 1, 0, 0, false])
        }),
      { memory }
    )
  })
})

describe("when the budget is short", () => {
  const disk = () => Deferred.unsafeMake<void>(FiberId.none)
  /** SyncGroup that keeps its frame until the disk is there. */
  const slow = (ready: Deferred.Deferred<void>): Route =>
    route(SyncGroup, {}, () => Effect.as(Deferred.await(ready), { errorCode: 0, assignment: new Uint8Array(0) }))

  test("large requests are not read, small ones are answered; reading continues when memory is free", () => {
    const memory = new MemoryBudget({ bytesMax: 8_000_000 })
    const ready = disk()
    return inVirtualTime(
      [slow(ready), heartbeat(reply)],
      ({ raw }) =>
        Effect.gen(function* () {
          const large = yield* Effect.forEach([1, 2, 3, 4, 5, 6], () => raw)
          for (const each of large) each.ask(SyncGroup, 5, assignment(3_000_000))
          yield* Effect.sleep(500)
          expect(memory.isShort).toBe(true)
          expect(memory.heldBytes).toBeLessThan(8_000_000 + 524_288)
          const small = yield* raw
          small.ask(Heartbeat, 4, beat(7))
          yield* Effect.sleep(100)
          expect(small.beats).toEqual([7])
          yield* Deferred.succeed(ready, undefined)
          yield* Effect.sleep(5000)
          const ends = large.map(({ closedBy, frames }) => (closedBy === undefined ? frames.length : "closed"))
          expect(ends.filter((end) => end === 1).length).toBeGreaterThanOrEqual(4)
          expect(memory.heldBytes).toBe(0)
        }),
      { memory, inFlightBytesMax: 16_000_000 }
    )
  })

  test("the largest unfinished requests are given up after a while, with the figures and the setting in the log", () => {
    const memory = new MemoryBudget({ bytesMax: 8_000_000 })
    return inVirtualTime(
      [heartbeat(reply)],
      ({ lines, raw }) =>
        Effect.gen(function* () {
          const halves = yield* Effect.forEach([3_900_000, 2_000_000, 1_300_000], (sent) =>
            Effect.tap(raw, ({ connection }) => Effect.sync(() => connection.write([beginning(5_000_000, sent)])))
          )
          yield* Effect.sleep(5000)
          expect(halves.map(({ closedBy }) => closedBy !== undefined)).toEqual([true, false, false])
          expect(lines.map(({ text }) => text)).toEqual([
            expect.stringMatching(/held 39\d{5} bytes of a request that had not come whole .* 8000000 bytes of franz.memory.request.budget.bytes/)
          ])
        }),
      { memory }
    )
  })

  test("a request that can never fit is refused by its length", () => {
    const memory = new MemoryBudget({ bytesMax: 4_000_000 })
    return inVirtualTime(
      [heartbeat(reply)],
      ({ lines, raw }) =>
        Effect.gen(function* () {
          const stranger = yield* raw
          stranger.connection.write([beginning(3_600_000, 10)])
          yield* Effect.sleep(100)
          expect(stranger.closedBy).toBeDefined()
          expect(lines[0]?.text).toMatch(/announces a request of 3600000 bytes, over the 3500000 .*franz.memory.request.budget.bytes/)
        }),
      { memory }
    )
  })
})

test("whatever connections send, and however they end, the budget is empty afterwards, and never holds much more than its bound", () => {
  const step = fc.record({
    by: fc.nat(5),
    what: fc.constantFrom("beat", "sync", "wait", "half", "tags", "leave", "sleep"),
    size: fc.nat(900_000)
  })
  return fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const memory = new MemoryBudget({ bytesMax: 2_000_000 })
      let most = 0
      const served = [
        heartbeat((id) => {
          most = Math.max(most, memory.heldBytes)
          return Effect.as(Effect.sleep(id), reply(id))
        }),
        route(SyncGroup, {}, () => Effect.as(Effect.sleep(300), { errorCode: 0, assignment: new Uint8Array(10_000) })),
        waits({ early: 0 })
      ]
      await inVirtualTime(
        served,
        ({ raw }) =>
          Effect.gen(function* () {
            const ends: Array<Raw | undefined> = []
            for (const { by, size, what } of steps) {
              const end = (ends[by] ??= yield* raw)
              if (what === "beat") end.ask(Heartbeat, 4, beat(size % 50))
              if (what === "sync") end.ask(SyncGroup, 5, assignment(size))
              if (what === "wait") end.ask(DescribeGroups, 6, { groups: Array.from({ length: size % 3000 }, () => "g") })
              if (what === "tags") end.ask(DescribeGroups, 6, { groups: [], unknownTags: [{ tag: 5, data: new Uint8Array(size) }] })
              if (what === "half")
                end.connection.write([bytes(requestFrame(SyncGroup, 5, { correlationId: 1, clientId: "raw" }, assignment(size))).subarray(0, size)])
              if (what === "sleep") yield* Effect.sleep(size % 4000)
              if (what === "leave") {
                end.connection.destroy()
                ends[by] = undefined
              }
              most = Math.max(most, memory.heldBytes)
            }
            yield* Effect.sleep(10)
            for (const end of ends) end?.connection.destroy()
            yield* Effect.sleep(10_000)
            expect(memory.heldBytes).toBe(0)
            // One request more may come whole before its connection is looked at: in memory a chunk is as large as what was written.
            expect(most).toBeLessThan(2_000_000 + 6 * 1_000_000)
          }),
        { memory, inFlightBytesMax: 16_000_000 }
      )
    }),
    { numRuns: 40 }
  )
}, 300_000)

test("after a burst, and after large requests have left much garbage, free memory returns to the system, once", () => {
  let collections = 0
  const memory = new MemoryBudget({ bytesMax: 8_000_000, collect: () => collections++ })
  const turns = (n: number): number => {
    for (let second = 0; second < n; second++) memory.turn()
    return collections
  }
  expect(turns(20)).toBe(0)
  memory.changeRequests(3_000_000)
  expect(turns(20)).toBe(0)
  memory.changeRequests(-2_900_000)
  expect(turns(20)).toBe(1)
  memory.keepsFrame(50_000)
  memory.keepsFrame(1_500_000)
  expect(turns(20)).toBe(1)
  memory.keepsFrame(600_000)
  expect([turns(1), turns(20)]).toEqual([2, 2])
})

test("paused connections whose clients have closed release their memory: a socket that is not read does not notice the close", () => {
  const memory = new MemoryBudget({ bytesMax: 2_000_000 })
  return inVirtualTime(
    [heartbeat(reply)],
    ({ raw }) =>
      Effect.gen(function* () {
        for (let n = 0; n < 45; n++) {
          const { connection } = yield* raw
          connection.write([beginning(60_000, 45_000)])
          connection.destroy()
        }
        yield* Effect.sleep(20_000)
        expect(memory.isShort).toBe(false)
        const honest = yield* raw
        honest.ask(Heartbeat, 4, beat(3))
        yield* Effect.sleep(100)
        expect(honest.beats).toEqual([3])
      }),
    { memory }
  )
})

test("what heavy work leaves is collected once it is a quarter of the budget, for a fiftieth of the time at most", () => {
  let now = 0n
  let collected = 0
  const memory = new MemoryBudget({
    bytesMax: 1_000_000,
    collect: () => {
      collected++
      now += 100n
    }
  })
  const tidy = (left: number) => {
    memory.leaves(left)
    memory.tidy(() => now)
    return collected
  }
  expect(tidy(200_000)).toBe(0)
  expect(tidy(100_000)).toBe(1)
  // Until 50 times what it took have passed, what is left is for the engine to collect.
  expect(tidy(900_000)).toBe(1)
  now += 4999n
  expect(tidy(900_000)).toBe(1)
  now += 1n
  expect(tidy(0)).toBe(2)
})
