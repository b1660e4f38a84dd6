import { describe, expect, test } from "bun:test"
import { Deferred, Effect } from "effect"
import { requestFrame } from "../../../src/protocol/codec/frame.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { Heartbeat } from "../../../src/protocol/message/12-heartbeat.ts"
import { disconnect, noResponse, route } from "../../../src/wire/route.ts"
import { beat, eventually, heartbeat, inVirtualTime, onStage, reply, transports } from "./harness.ts"

for (const [name, layer] of transports) {
  describe(`a server ${name}`, () => {
    test("responds in order, whether a response is a value, a completed Effect, or one that waits", () => {
      let running = 0
      let most = 0
      const handle = (id: number) => {
        if (id % 3 === 0) return reply(id)
        if (id % 3 === 1) return Effect.succeed(reply(id))
        return Effect.suspend(() => {
          most = Math.max(most, ++running)
          return Effect.sleep(id % 2)
        }).pipe(Effect.map(() => (running--, reply(id))))
      }
      return onStage(layer(), [heartbeat(handle)], ({ raw }) =>
        Effect.gen(function* () {
          const client = yield* raw
          const ids = Array.from({ length: 60 }, (_, i) => i)
          for (const id of ids) client.ask(Heartbeat, 4, beat(id))
          yield* eventually("all answered", () => client.frames.length === 60)
          expect(client.beats).toEqual(ids)
          expect(client.frames.map((_, i) => client.answer(i, Heartbeat, 4).correlationId)).toEqual(ids.map((id) => id + 1))
          expect(most).toBe(1)
        })
      )
    })

    test("pipelined requests run together and are answered in order; a request that is not pipelined waits for them", () =>
      Effect.runPromise(Effect.all([Deferred.make<void>(), Deferred.make<void>()])).then(([first, second]) => {
        const log: Array<string> = []
        const waits = [first, second]
        const produce = route(Produce, { pipelined: true }, ({ timeoutMs }) => {
          log.push(`produce ${timeoutMs}`)
          const wait = waits[timeoutMs]
          const answer = { responses: [], throttleTimeMs: timeoutMs }
          return wait === undefined ? answer : Effect.as(Deferred.await(wait), answer)
        })
        const beats = heartbeat((id) => (log.push(`beat ${id}`), reply(id)))
        return onStage(layer(), [produce, beats], ({ raw }) =>
          Effect.gen(function* () {
            const client = yield* raw
            const ask = (timeoutMs: number) => client.ask(Produce, 9, { transactionalId: null, acks: -1, timeoutMs, topicData: [] })
            for (const id of [0, 1, 2]) ask(id)
            client.ask(Heartbeat, 4, beat(7))
            ask(3)
            yield* eventually("three started", () => log.length === 3)
            yield* Deferred.succeed(second, undefined)
            yield* Effect.promise(() => Bun.sleep(5))
            expect(client.frames.length).toBe(0)
            expect(log).toEqual(["produce 0", "produce 1", "produce 2"])
            yield* Deferred.succeed(first, undefined)
            yield* eventually("all answered", () => client.frames.length === 5)
            expect(log).toEqual(["produce 0", "produce 1", "produce 2", "beat 7", "produce 3"])
            expect([0, 1, 2].map((i) => client.answer(i, Produce, 9).value.throttleTimeMs)).toEqual([0, 1, 2])
            expect(client.answer(3, Heartbeat, 4).value.throttleTimeMs).toBe(7)
            expect(client.answer(4, Produce, 9).value.throttleTimeMs).toBe(3)
          })
        )
      }))

    test("an unordered response does not wait for those before it", () => {
      const handle = (id: number) => (id === 0 ? Effect.never : id === 1 ? Effect.as(Effect.yieldNow(), reply(id)) : reply(id))
      return onStage(layer(), [heartbeat(handle, { unordered: true })], ({ raw }) =>
        Effect.gen(function* () {
          const client = yield* raw
          for (const id of [0, 1, 2]) client.ask(Heartbeat, 4, beat(id))
          yield* eventually("two answers", () => client.frames.length === 2)
          expect([...client.beats].sort()).toEqual([1, 2])
        })
      )
    })

    test("reads ahead no more than it may, and continues when there is room", () =>
      Effect.runPromise(Deferred.make<void>()).then((gate) => {
        let started = 0
        const handle = (id: number) => (started++, Effect.as(Deferred.await(gate), reply(id)))
        return onStage(
          layer(),
          [heartbeat(handle, { pipelined: true })],
          ({ raw }) =>
            Effect.gen(function* () {
              const client = yield* raw
              const ids = Array.from({ length: 500 }, (_, i) => i)
              for (const id of ids) client.ask(Heartbeat, 4, beat(id))
              yield* eventually("eight started", () => started === 8)
              yield* Effect.promise(() => Bun.sleep(5))
              expect(started).toBe(8)
              yield* Deferred.succeed(gate, undefined)
              yield* eventually("all answered", () => client.frames.length === 500)
              expect(client.beats).toEqual(ids)
            }),
          { inFlightRequestsMax: 8 }
        )
      }))

    test("handles no requests of a client that does not read its responses", () => {
      const text = "x".repeat(30_000)
      let handled = 0
      const metadata = route(Metadata, {}, () => (handled++, { brokers: [], controllerId: handled, clusterId: text, topics: [] }))
      return onStage(layer(), [metadata], ({ raw }) =>
        Effect.gen(function* () {
          const client = yield* raw
          client.connection.pause()
          const asked = 1000
          for (let i = 0; i < asked; i++) client.ask(Metadata, 9, { topics: null })
          // What the kernel takes differs; 30 MB of answers it does not take.
          let before = -1
          while (before !== handled) {
            before = handled
            yield* Effect.promise(() => Bun.sleep(20))
          }
          expect(handled).toBeLessThan(asked)
          client.connection.resume()
          yield* eventually("all answered", () => client.frames.length === asked)
          expect(client.frames.map((_, i) => client.answer(i, Metadata, 9).value.controllerId)).toEqual(client.frames.map((_, i) => i + 1))
        })
      )
    })

    test("acks=0 gets no response, and closes the connection on an error", () => {
      const produce = route(Produce, { pipelined: true }, ({ timeoutMs }) =>
        timeoutMs === 1 ? noResponse : timeoutMs === 2 ? disconnect("MESSAGE_TOO_LARGE") : { responses: [] }
      )
      return onStage(layer(), [produce, heartbeat(reply)], ({ raw, lines }) =>
        Effect.gen(function* () {
          const client = yield* raw
          const ask = (timeoutMs: number) => client.ask(Produce, 9, { transactionalId: null, acks: 0, timeoutMs, topicData: [] })
          ask(1)
          client.ask(Heartbeat, 4, beat(5))
          yield* eventually("answered", () => client.frames.length === 1)
          expect(client.beats).toEqual([5])
          client.ask(Heartbeat, 4, beat(6))
          ask(2)
          client.ask(Heartbeat, 4, beat(7))
          yield* eventually("closed", () => client.closedBy !== undefined)
          expect(client.beats).toEqual([5, 6])
          expect(lines.map(({ text }) => text).join()).toContain("MESSAGE_TOO_LARGE")
        })
      )
    })

    test("interrupts the work of a connection that is gone", () => {
      const log: Array<string> = []
      const handle = () =>
        Effect.onInterrupt(
          Effect.zipRight(
            Effect.sync(() => log.push("started")),
            Effect.never
          ),
          () => Effect.sync(() => log.push("interrupted"))
        )
      return onStage(layer(), [heartbeat(handle)], ({ raw }) =>
        Effect.gen(function* () {
          const client = yield* raw
          client.ask(Heartbeat, 4, beat(1))
          yield* eventually("started", () => log.length === 1)
          client.connection.end()
          yield* eventually("interrupted", () => log.length === 2)
        })
      )
    })

    test("a handler that fails costs its own connection alone", () => {
      const handle = (id: number) => {
        if (id === 1) throw new Error("thrown here")
        if (id === 2) return Effect.zipRight(Effect.sleep(1), Effect.die(new Error("died there")))
        // Not a number: it has no form on the wire.
        if (id === 3) return { errorCode: "no" as unknown as number }
        return reply(id)
      }
      return onStage(layer(), [heartbeat(handle)], ({ raw, lines }) =>
        Effect.gen(function* () {
          const other = yield* raw
          for (const id of [1, 2, 3]) {
            const client = yield* raw
            client.ask(Heartbeat, 4, beat(id))
            yield* eventually("closed", () => client.closedBy !== undefined)
            expect(client.frames.length).toBe(0)
          }
          other.ask(Heartbeat, 4, beat(9))
          yield* eventually("answered", () => other.frames.length === 1)
          const errors = lines.filter(({ level }) => level === "Error").map(({ text }) => text)
          expect(errors.length).toBe(3)
          expect(errors[0]).toContain("the handler of Heartbeat version 4 failed")
          expect(errors[0]).toContain("thrown here")
          expect(errors[1]).toContain("died there")
        })
      )
    })

    test("a connection over the bound is closed at its first request", () =>
      onStage(
        layer(),
        [heartbeat(reply)],
        ({ raw, lines }) =>
          Effect.gen(function* () {
            const two = [yield* raw, yield* raw]
            for (const [id, client] of two.entries()) client.ask(Heartbeat, 4, beat(id))
            yield* eventually("both answered", () => two.every(({ frames }) => frames.length === 1))
            const third = yield* raw
            third.ask(Heartbeat, 4, beat(3))
            yield* eventually("closed", () => third.closedBy !== undefined)
            expect(lines[0]?.text).toContain("max.connections=2")
            two[0]?.connection.end()
            yield* eventually("room again", () => two[0]?.closedBy !== undefined)
            yield* Effect.promise(() => Bun.sleep(5))
            const fourth = yield* raw
            fourth.ask(Heartbeat, 4, beat(4))
            yield* eventually("answered", () => fourth.frames.length === 1)
          }),
        { connectionsMax: 2 }
      ))
  })
}

describe("the end of a server", () => {
  test("work under way is finished in its time, and cut after it", async () => {
    const log: Array<string> = []
    const handle = (id: number) =>
      Effect.sleep(id).pipe(
        Effect.as(reply(id)),
        Effect.onInterrupt(() => Effect.sync(() => log.push(`cut ${id}`)))
      )
    await inVirtualTime(
      [heartbeat(handle)],
      ({ raw, stop, clock }) =>
        Effect.gen(function* () {
          const ids = [0, 500, 5000]
          const clients = yield* Effect.forEach(ids, () => raw)
          clients.forEach((client, i) => client.ask(Heartbeat, 4, beat(ids[i] as number)))
          yield* Effect.sleep(10)
          yield* stop
          expect(clock.unsafeCurrentTimeMillis()).toBeGreaterThanOrEqual(2010)
          expect(clock.unsafeCurrentTimeMillis()).toBeLessThan(2100)
          yield* Effect.sleep(1)
          expect(clients.map(({ beats }) => beats)).toEqual([[0], [500], []])
          expect(clients.every(({ closedBy }) => closedBy !== undefined)).toBe(true)
          expect(log).toEqual(["cut 5000"])
        }),
      { stopTimeoutMs: 2000 }
    )
  })
})

describe("connections that hang", () => {
  test("a quiet one is closed when it was quiet for long, a working one is not", () =>
    inVirtualTime(
      [heartbeat((id) => (id === 0 ? Effect.never : reply(id)))],
      ({ raw }) =>
        Effect.gen(function* () {
          const [quiet, busy, waiting] = [yield* raw, yield* raw, yield* raw]
          waiting.ask(Heartbeat, 4, beat(0))
          for (let i = 0; i < 5; i++) {
            busy.ask(Heartbeat, 4, beat(1))
            yield* Effect.sleep(40_000)
          }
          expect([quiet, busy, waiting].map(({ closedBy }) => closedBy !== undefined)).toEqual([true, false, false])
        }),
      { idleTimeoutMs: 60_000 }
    ))

  test("a request that does not come to an end is given up, with a line that says so", () =>
    inVirtualTime([heartbeat(reply)], ({ raw, lines }) =>
      Effect.gen(function* () {
        const slow = yield* raw
        const frame = Buffer.concat(requestFrame(Heartbeat, 4, { correlationId: 1, clientId: "slow" }, beat(1)))
        for (let at = 0; at < frame.length && slow.closedBy === undefined; at++) {
          slow.connection.write([frame.subarray(at, at + 1)])
          yield* Effect.sleep(2000)
        }
        expect(slow.closedBy).toBeDefined()
        expect(lines[0]?.text).toContain(`s to send a request of ${frame.length - 4} bytes`)
      })
    ))
})
