import { expect, test } from "bun:test"
import { Effect } from "effect"
import { requestFrame } from "../../../../src/protocol/codec/frame.ts"
import { joined } from "../../../../src/protocol/codec/joined.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { Later } from "../../../../src/wire/later.ts"
import { dispatch } from "../../../../src/wire/routing/dispatch.ts"
import { beat, eventually, heartbeat, onStage, reply, transports } from "../harness.ts"

type Ready = (make: () => ReturnType<typeof reply> | Later<ReturnType<typeof reply>>) => void

for (const [name, layer] of transports) {
  test(`a later response delays those after it, may wait twice, and keeps the order, ${name}`, () => {
    const waiting: Array<Ready> = []
    const later = () =>
      new Later<ReturnType<typeof reply>>((ready) => {
        waiting.push(ready)
        return () => undefined
      })
    return onStage(layer(), [heartbeat((id) => (id < 10 ? reply(id) : later()))], ({ raw }) =>
      Effect.gen(function* () {
        const client = yield* raw
        for (const id of [1, 10, 2]) client.ask(Heartbeat, 4, beat(id))
        yield* eventually("the first is answered, and the second waits", () => client.frames.length === 1 && waiting.length === 1)
        waiting[0]?.(() => later())
        yield* eventually("it waits again", () => waiting.length === 2)
        expect(client.beats).toEqual([1])
        waiting[1]?.(() => reply(10))
        yield* eventually("all are answered", () => client.frames.length === 3)
        expect(client.beats).toEqual([1, 10, 2])
      })
    )
  })

  test(`the next request of the connection ends a wait that yields, whenever it comes, and the order stays, ${name}`, () => {
    const begun: Array<Ready> = []
    let calledOff = 0
    const yielding = (id: number) =>
      new Later<ReturnType<typeof reply>>(
        (ready) => {
          begun.push(ready)
          return () => void calledOff++
        },
        () => reply(id),
        true
      )
    return onStage(layer(), [heartbeat((id) => (id < 10 ? reply(id) : yielding(id)))], ({ raw }) =>
      Effect.gen(function* () {
        const client = yield* raw
        client.ask(Heartbeat, 4, beat(10))
        yield* eventually("the first waits", () => begun.length === 1)
        expect(client.beats).toEqual([])
        client.ask(Heartbeat, 4, beat(11))
        yield* eventually("the first is answered, and the second waits", () => begun.length === 2)
        expect(client.beats).toEqual([10])
        for (const id of [12, 13, 1]) client.ask(Heartbeat, 4, beat(id))
        yield* eventually("all are answered", () => client.frames.length === 5)
        expect(client.beats).toEqual([10, 11, 12, 13, 1])
        expect(calledOff).toBe(4)
        // One whose wait is over when the next request comes is answered once.
        client.ask(Heartbeat, 4, beat(14))
        yield* eventually("it waits", () => begun.length === 5)
        client.ask(Heartbeat, 4, beat(2))
        begun[4]?.(() => reply(14))
        yield* eventually("both are answered", () => client.frames.length === 7)
        client.ask(Heartbeat, 4, beat(3))
        yield* eventually("the next one, too", () => client.frames.length === 8)
        expect(client.beats).toEqual([10, 11, 12, 13, 1, 14, 2, 3])
      })
    )
  })

  test(`one that is ready at once is sent, one that fails closes only its own connection, one whose client disconnects is cancelled, ${name}`, () => {
    let calledOff = 0
    const handle = (id: number) =>
      new Later<ReturnType<typeof reply>>((ready) => {
        if (id === 1) ready(() => reply(1))
        if (id === 2)
          ready(() => {
            throw new Error("it breaks")
          })
        return () => void calledOff++
      })
    return onStage(layer(), [heartbeat(handle)], ({ lines, raw }) =>
      Effect.gen(function* () {
        const [one, two, three] = [yield* raw, yield* raw, yield* raw]
        three.ask(Heartbeat, 4, beat(3))
        one.ask(Heartbeat, 4, beat(1))
        yield* eventually("it is answered", () => one.beats.length === 1)
        two.ask(Heartbeat, 4, beat(2))
        yield* eventually("its connection is closed", () => two.closedBy !== undefined)
        expect(lines.map(({ text }) => text)).toEqual([expect.stringContaining("it breaks")])
        const before = calledOff
        three.connection.destroy()
        yield* eventually("it is called off", () => calledOff > before)
        one.ask(Heartbeat, 4, beat(1))
        yield* eventually("the other connection is served", () => one.beats.length === 2)
      })
    )
  })
}

test("what an Envelope carries waits in the same way", async () => {
  const routes = [heartbeat(() => new Later((ready) => (queueMicrotask(() => ready(() => reply(5))), () => undefined)))]
  const frame = joined(requestFrame(Heartbeat, 4, { correlationId: 7, clientId: "test" }, beat(5))).subarray(4)
  const chunks = await Effect.runPromise(dispatch(routes, frame, { clientHost: "here", connectionId: 1, actor: "test@here" }))
  expect(joined(chunks).length).toBeGreaterThan(8)
})
