import { expect, test } from "bun:test"
import { Effect, Fiber, Layer } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { relayedRoutes } from "../../../src/broker/handler/relayed.ts"
import { Relay } from "../../../src/broker/relay.ts"
import { addressText, envelope } from "../../../src/leader/handler/58-envelope.ts"
import { JoinGroup } from "../../../src/protocol/message/11-join-group.ts"
import { Heartbeat } from "../../../src/protocol/message/12-heartbeat.ts"
import { addressBytes } from "../../../src/serve/relay/forward.ts"
import { type Route, route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"
import { layerContact } from "./link-support.ts"
import { call } from "./support.ts"

/** The Envelope of a leader with which no broker registers: it admits every session. */
const anySessionsEnvelope = (...parameters: Parameters<typeof envelope>): Route => ({ ...envelope(...parameters), admits: () => true })

const join = { groupId: "g", sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 60_000, memberId: "", protocolType: "consumer", protocols: [] }
const beat = { groupId: "g", generationId: 1, memberId: "m" }
const served = { requestBytesMax: 100_000, connectionsMax: 100, inFlightRequestsMax: 64, writeBufferBytesMax: 100_000 }

/** Runs `use` with relayed routes to a leader that never answers JoinGroup and records the principal of each Heartbeat. */
const withLeader = <A>(
  use: (routes: ReturnType<typeof relayedRoutes>, seen: { readonly actors: Array<string>; joins: number }) => Effect.Effect<A, unknown, never>,
  network = new MemoryNetwork()
) => {
  const program = Effect.gen(function* () {
    const seen = { actors: [] as Array<string>, joins: 0 }
    const own = [
      route(JoinGroup, {}, () => {
        seen.joins++
        return Effect.never
      }),
      route(Heartbeat, {}, (_, { actor }) => {
        seen.actors.push(actor)
        return { errorCode: 0 }
      })
    ]
    const leader = yield* serve({ host: "127.0.0.1", port: 0 }, [...own, anySessionsEnvelope(own, () => "broker 1")], served)
    const links = yield* Layer.build(layerContact(leader))
    return yield* use(relayedRoutes(yield* Effect.provide(Relay.make, links)), seen)
  })
  // In virtual time 15 idle minutes take no time.
  return new VirtualClock().run(Effect.orDie(Effect.scoped(program).pipe(Effect.provide(network.layer("here")))))
}

test("a link that the leader closed because it was idle fails no request", () =>
  withLeader((routes) =>
    Effect.gen(function* () {
      for (let n = 0; n < 3; n++) {
        expect(yield* call(routes, Heartbeat, 4, beat)).toMatchObject({ errorCode: 0 })
        yield* Effect.sleep("15 minutes")
      }
    })
  ))

test("a hundred waiting JoinGroups do not delay a Heartbeat; it arrives with the broker's principal and the client's address", () =>
  withLeader((routes, seen) =>
    Effect.gen(function* () {
      const joins = yield* Effect.forkAll(Array.from({ length: 100 }, () => call(routes, JoinGroup, 9, join)))
      yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => seen.joins === 100, times: 5000 })
      expect(yield* call(routes, Heartbeat, 4, beat)).toMatchObject({ errorCode: 0 })
      expect(seen.actors).toEqual(["127.0.0.1 by broker 1"])
      yield* Fiber.interrupt(joins)
      expect(yield* call(routes, Heartbeat, 4, beat)).toMatchObject({ errorCode: 0 })
    })
  ))

test("an interrupted request does not close a link that opens for others too", () =>
  withLeader(
    (routes) =>
      Effect.gen(function* () {
        const first = yield* Effect.fork(call(routes, Heartbeat, 4, beat))
        const second = yield* Effect.fork(call(routes, Heartbeat, 4, beat))
        yield* Effect.sleep("5 millis")
        yield* Fiber.interrupt(first)
        expect(yield* Fiber.join(second)).toMatchObject({ errorCode: 0 })
      }),
    new MemoryNetwork({ delayMs: [10, 10] })
  ))

test("a request above the limit of requests in flight is refused, and succeeds later", () =>
  withLeader((routes, seen) =>
    Effect.gen(function* () {
      const joins = yield* Effect.forkAll(Array.from({ length: 64 * 32 }, () => call(routes, JoinGroup, 9, join)))
      yield* Effect.repeat(Effect.sleep("1 millis"), { until: () => seen.joins === 64 * 32, times: 10_000 })
      expect(yield* call(routes, Heartbeat, 4, beat)).toMatchObject({ errorCode: errorCode("COORDINATOR_NOT_AVAILABLE") })
      yield* Fiber.interrupt(joins)
      expect(yield* call(routes, Heartbeat, 4, beat)).toMatchObject({ errorCode: 0 })
    })
  ))

test("a client's address is sent as its bytes", () => {
  const same = ["127.0.0.1", "10.200.3.4"]
  expect(same.map((host) => addressText(addressBytes(host)))).toEqual(same)
  expect(addressText(addressBytes("::ffff:10.1.2.3"))).toBe("10.1.2.3")
  expect(addressText(addressBytes("fe80::1:2"))).toBe("fe80:0:0:0:0:0:1:2")
  expect(addressText(addressBytes("::1"))).toBe("0:0:0:0:0:0:0:1")
  expect(addressText(addressBytes("some.host"))).toBe("0.0.0.0")
})
