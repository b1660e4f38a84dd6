import { describe, expect, test } from "bun:test"
import { Deferred, Effect, Either, Fiber, type Scope } from "effect"
import { type Address, type ConnectFault, type Connection, Transport } from "../../../../src/ports/transport.ts"
import { decodeRequestHeader, responseFrame } from "../../../../src/protocol/codec/frame.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { ApiVersions } from "../../../../src/protocol/message/18-api-versions.ts"
import { CreateTopics } from "../../../../src/protocol/message/19-create-topics.ts"
import { BrokerHeartbeat } from "../../../../src/protocol/message/63-broker-heartbeat.ts"
import { Framer, isFrame } from "../../../../src/wire/connection/framer.ts"
import type { CallFault } from "../../../../src/wire/fault.ts"
import { connect, type Link, type LinkOptions } from "../../../../src/wire/link.ts"
import { noResponse, route } from "../../../../src/wire/route.ts"
import { beat, eventually, heartbeat, inVirtualTime, linkOptions, onStage, reply, transports } from "../harness.ts"

for (const [name, layer] of transports) {
  describe(`a link ${name}`, () => {
    test("calls are pipelined, and each gets its own response", () =>
      onStage(layer(), [heartbeat((id) => (id % 2 === 0 ? reply(id) : Effect.as(Effect.yieldNow(), reply(id))))], ({ address }) =>
        Effect.gen(function* () {
          const link = yield* connect(address, linkOptions)
          const ids = Array.from({ length: 300 }, (_, i) => i)
          const answers = yield* Effect.forEach(ids, (id) => link.call(Heartbeat, beat(id)), { concurrency: "unbounded" })
          expect(answers.map(({ throttleTimeMs }) => throttleTimeMs)).toEqual(ids)
        })
      ))

    test("a connection that ends fails every call that waits, and the link says so", () =>
      onStage(layer(), [heartbeat(() => Effect.never)], ({ address, stop }) =>
        Effect.gen(function* () {
          const link = yield* connect(address, { ...linkOptions, inFlightRequestsMax: 2 })
          const calls = yield* Effect.fork(Effect.forEach([1, 2, 3, 4], (id) => Effect.flip(link.call(Heartbeat, beat(id))), { concurrency: "unbounded" }))
          const closed = yield* Effect.fork(Effect.flip(link.closed))
          yield* Effect.promise(() => Bun.sleep(5))
          yield* Effect.fork(stop)
          expect((yield* Fiber.join(calls)).map(({ _tag }) => _tag)).toEqual(Array(4).fill("ConnectionLost"))
          // A clean close, or a reset where bytes were still on the way: the kernel chooses.
          expect((yield* Fiber.join(closed)).message).toMatch(/is lost: (it was closed by the other side|ECONNRESET)/)
          expect(link.isOpen()).toBe(false)
          expect((yield* Effect.flip(link.call(Heartbeat, beat(5))))._tag).toBe("ConnectionLost")
        })
      ))

    test("a request without a response is only sent", () => {
      const seen: Array<number> = []
      const produce = route(Produce, { pipelined: true }, ({ timeoutMs }) => (seen.push(timeoutMs), noResponse))
      return onStage(layer(), [produce, heartbeat(reply)], ({ address }) =>
        Effect.gen(function* () {
          const send = Effect.gen(function* () {
            const link = yield* connect(address, { ...linkOptions, inFlightRequestsMax: 1 })
            for (const id of [1, 2, 3]) yield* link.send(Produce, { transactionalId: null, acks: 0, timeoutMs: id, topicData: [] })
            expect((yield* link.call(Heartbeat, beat(7))).throttleTimeMs).toBe(7)
            yield* link.send(Produce, { transactionalId: null, acks: 0, timeoutMs: 4, topicData: [] })
          })
          yield* Effect.scoped(send)
          // Closing the link does not lose what it has sent.
          yield* eventually("all seen", () => seen.length === 4)
          expect(seen).toEqual([1, 2, 3, 4])
        })
      )
    })
  })
}

describe("a link in time", () => {
  test("a call without a response fails at its deadline and closes the connection, and the other calls fail with the reason", () =>
    inVirtualTime([heartbeat((id) => (id === 1 ? Effect.never : reply(id)), { pipelined: true })], ({ address, clock }) =>
      Effect.gen(function* () {
        const link = yield* connect(address, linkOptions)
        const start = clock.unsafeCurrentTimeMillis()
        const behind = yield* Effect.fork(Effect.flip(Effect.delay(link.call(Heartbeat, beat(2)), 10)))
        const late = yield* Effect.flip(link.call(Heartbeat, beat(1), { timeoutMs: 700 }))
        expect(clock.unsafeCurrentTimeMillis() - start).toBe(700)
        expect(late.message).toBe(`127.0.0.1:${address.port} sent no response to Heartbeat within 700 ms`)
        expect((yield* Fiber.join(behind)).message).toContain("Heartbeat was not answered within 700 ms")
        expect(link.isOpen()).toBe(false)
      })
    ))

  test("a shorter deadline is kept though a longer one was set before, and a later one after it", () =>
    inVirtualTime([heartbeat((id) => Effect.as(Effect.sleep(id), reply(id)), { unordered: true })], ({ address, clock }) =>
      Effect.gen(function* () {
        const start = clock.unsafeCurrentTimeMillis()
        const attempt = (id: number, timeoutMs: number) =>
          Effect.gen(function* () {
            const link = yield* connect(address, linkOptions)
            yield* Effect.fork(Effect.ignore(link.call(Heartbeat, beat(10_000), { timeoutMs: 9000 })))
            yield* Effect.yieldNow()
            return (yield* Effect.either(link.call(Heartbeat, beat(id), { timeoutMs })))._tag
          })
        expect(yield* attempt(50, 100)).toBe("Right")
        expect(yield* attempt(500, 100)).toBe("Left")
        expect(clock.unsafeCurrentTimeMillis() - start).toBe(150)
      })
    ))

  test("a response that is there when the deadline passes is taken: a process that was paused reads it after its timers", () =>
    inVirtualTime([heartbeat((id) => Effect.as(Effect.sleep(id), reply(id)))], ({ address }) =>
      Effect.gen(function* () {
        const link = yield* connect(address, linkOptions)
        expect((yield* link.call(Heartbeat, beat(700), { timeoutMs: 700 })).throttleTimeMs).toBe(700)
        expect((yield* link.call(Heartbeat, beat(800), { timeoutMs: 5000, silenceMs: 800 })).throttleTimeMs).toBe(800)
        expect((yield* Effect.flip(link.call(Heartbeat, beat(701), { timeoutMs: 700 })))._tag).toBe("CallTimeout")
      })
    ))

  test("calls over the bound wait their turn, and their wait counts", () =>
    inVirtualTime([heartbeat((id) => Effect.as(Effect.sleep(100), reply(id)))], ({ address }) =>
      Effect.gen(function* () {
        const link = yield* connect(address, { ...linkOptions, inFlightRequestsMax: 1 })
        const calls = Effect.forEach([1, 2, 3, 4], (id) => Effect.either(link.call(Heartbeat, beat(id), { timeoutMs: 250 })), { concurrency: "unbounded" })
        expect((yield* calls).map(Either.isRight)).toEqual([true, true, false, false])
      })
    ))

  test("an interrupted call leaves nothing behind: its response is dropped, and other calls continue", () =>
    inVirtualTime([heartbeat((id) => Effect.as(Effect.sleep(id), reply(id)))], ({ address }) =>
      Effect.gen(function* () {
        const link = yield* connect(address, { ...linkOptions, inFlightRequestsMax: 1 })
        yield* Effect.timeoutOption(link.call(Heartbeat, beat(500)), 10)
        const waiting = yield* Effect.fork(link.call(Heartbeat, beat(1)))
        yield* Effect.timeoutOption(link.call(Heartbeat, beat(2)), 10)
        expect((yield* link.call(Heartbeat, beat(3))).throttleTimeMs).toBe(3)
        expect((yield* Fiber.join(waiting)).throttleTimeMs).toBe(1)
        expect(link.isOpen()).toBe(true)
      })
    ))
})

describe("versions", () => {
  test("are the highest that both sides know; a peer that lacks an API is not asked", () =>
    inVirtualTime([heartbeat(reply, { versions: [0, 2] })], ({ address }) =>
      Effect.gen(function* () {
        const link = yield* connect(address, linkOptions)
        expect(link.versionOf(Heartbeat)).toBe(2)
        expect(link.versionOf(CreateTopics)).toBeUndefined()
        expect(link.versionOf(BrokerHeartbeat)).toBe(BrokerHeartbeat.latestStable)
        const fault = yield* Effect.flip(link.call(CreateTopics, { topics: [] }))
        expect(fault._tag).toBe("UnsupportedByPeer")
        expect(link.isOpen()).toBe(true)
      })
    ))
})

/** A peer that answers each request by a script: the request's key, version and correlation id to bytes. */
const scripted = (
  script: (key: number, version: number, id: number, connection: Connection) => ReadonlyArray<Uint8Array>,
  use: (
    link: Effect.Effect<Link, ConnectFault | CallFault, Transport | Scope.Scope>,
    asked: ReadonlyArray<string>
  ) => Effect.Effect<void, unknown, Transport | Scope.Scope>,
  options: Partial<LinkOptions> = {}
) =>
  inVirtualTime([], () =>
    Effect.gen(function* () {
      const transport = yield* Transport
      const asked: Array<string> = []
      const address: Address = yield* transport.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
        const framer = new Framer(1_000_000)
        return {
          received: (bytes) => {
            framer.push(bytes)
            for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
              if (!isFrame(frame)) return
              const { apiKey, apiVersion, correlationId } = Either.getOrThrow(decodeRequestHeader(frame)).header
              asked.push(`${apiKey}v${apiVersion}`)
              connection.write(script(apiKey, apiVersion, correlationId, connection))
            }
          },
          drained: () => {},
          closed: () => {}
        }
      })
      yield* use(connect(address, { ...linkOptions, ...options }), asked)
    })
  )
const ranges = [
  { apiKey: 12, minVersion: 0, maxVersion: 4 },
  { apiKey: 18, minVersion: 0, maxVersion: 2 }
]
const welcome = (key: number, version: number, id: number) =>
  key === 18 ? responseFrame(ApiVersions, version, id, { errorCode: 0, apiKeys: ranges }) : undefined

describe("peers of every kind", () => {
  test("one that knows older versions alone is asked again in its own", () =>
    scripted(
      (key, version, id) => (version > 2 ? responseFrame(ApiVersions, 0, id, { errorCode: 35, apiKeys: ranges.slice(1) }) : (welcome(key, version, id) ?? [])),
      (link, asked) =>
        Effect.gen(function* () {
          expect((yield* link).versionOf(Heartbeat)).toBe(4)
          expect(asked).toEqual(["18v4", "18v2"])
        })
    ))

  test("one that names no range is asked in version 0; one that refuses is a fault", async () => {
    await scripted(
      (_key, version, id) => responseFrame(ApiVersions, version > 0 ? 0 : version, id, { errorCode: version > 0 ? 35 : 0, apiKeys: [] }),
      (link, asked) => Effect.map(link, () => void expect(asked).toEqual(["18v4", "18v0"]))
    )
    await scripted(
      (_key, version, id) => responseFrame(ApiVersions, version, id, { errorCode: 42, apiKeys: [] }),
      (link) => Effect.map(Effect.flip(link), (fault) => void expect(fault.message).toContain("INVALID_REQUEST"))
    )
  })

  test("a response to no request closes the link", () =>
    scripted(
      (key, version, id) => welcome(key, version, id) ?? responseFrame(Heartbeat, version, id + 1, reply(1)),
      (link) =>
        Effect.gen(function* () {
          const fault = yield* Effect.flip((yield* link).call(Heartbeat, beat(1)))
          expect(fault.message).toContain("a response to no request")
        })
    ))

  test("a malformed response is a fault with field and byte, and closes the link", () =>
    scripted(
      (key, version, id) => welcome(key, version, id) ?? [new Uint8Array([0, 0, 0, 7, 0, 0, 0, id, 0, 0, 0])],
      (link) =>
        Effect.gen(function* () {
          const open = yield* link
          const fault = yield* Effect.flip(open.call(Heartbeat, beat(1)))
          expect(fault).toMatchObject({ _tag: "MalformedResponse", api: "Heartbeat", field: "throttleTimeMs" })
          expect(open.isOpen()).toBe(false)
        })
    ))

  test("a response over the bound closes the link before its memory is allocated", () =>
    scripted(
      (key, version, id) => welcome(key, version, id) ?? [new Uint8Array([0x7f, 0, 0, 0])],
      (link) => Effect.flatMap(link, (open) => Effect.map(Effect.flip(open.call(Heartbeat, beat(1))), ({ _tag }) => void expect(_tag).toBe("ConnectionLost")))
    ))

  test("a peer that never responds to ApiVersions is a timeout", () =>
    scripted(
      () => [],
      (link) => Effect.map(Effect.flip(link), ({ _tag }) => void expect(_tag).toBe("CallTimeout")),
      { requestTimeoutMs: 300 }
    ))

  test("responses may arrive in any order", () =>
    Effect.runPromise(Deferred.make<void>()).then(() => {
      const held: Array<Uint8Array> = []
      return scripted(
        (key, version, id, connection) => {
          const hello = welcome(key, version, id)
          if (hello !== undefined) return hello
          held.push(...responseFrame(Heartbeat, version, id, reply(id)))
          if (held.length === 3) connection.write(held.reverse())
          return []
        },
        (link) =>
          Effect.gen(function* () {
            const open = yield* link
            const answers = yield* Effect.forEach([1, 2, 3], (id) => open.call(Heartbeat, beat(id)), { concurrency: "unbounded" })
            const ids = answers.map(({ throttleTimeMs }) => throttleTimeMs)
            expect(ids).toEqual([...ids].sort((a, b) => a - b))
          })
      )
    }))
})
