import { expect, test } from "bun:test"
import { Clock, Context, Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, Scope } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { BrokerFault, leaderRefused } from "../../../src/broker/fault.ts"
import { LeaderContact } from "../../../src/broker/leader-contact.ts"
import type { Address } from "../../../src/ports/transport.ts"
import { ApiVersions } from "../../../src/protocol/message/18-api-versions.ts"
import { route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"
import { layerContact } from "./link-support.ts"

const leader = { host: "leader", port: 9092 }
const served = { requestBytesMax: 100_000, connectionsMax: 100, inFlightRequestsMax: 64, writeBufferBytesMax: 100_000 }
const routes = [route(ApiVersions, {}, () => ({ errorCode: 0, apiKeys: [] }))]

/** Runs `use` in virtual time with the contact of a broker on a network, and collects the lines of its log. */
const withContact = <A>(
  use: (contact: LeaderContact["Type"], network: MemoryNetwork, lines: ReadonlyArray<string>) => Effect.Effect<A, unknown, Scope.Scope>,
  to: Address = leader
) => {
  const network = new MemoryNetwork()
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void (LogLevel.greaterThanEqual(logLevel, LogLevel.Info) && lines.push(String(message))))
  const program = Effect.gen(function* () {
    const services = yield* Layer.build(Layer.provide(layerContact(to), network.layer("broker")))
    return yield* use(Context.get(services, LeaderContact), network, lines)
  })
  return new VirtualClock().run(Effect.orDie(Effect.scoped(program).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))))
}

/** A leader that listens until the effect which is returned closes it. */
const listening = (network: MemoryNetwork) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Scope.extend(Effect.provide(serve(leader, routes, served), network.layer("leader")), scope)
    return Scope.close(scope, Exit.void)
  })

test("while the leader refuses, the pauses double from 50 ms to 2 s, and equal refusals are logged once", () =>
  withContact((contact, network, lines) =>
    Effect.gen(function* () {
      yield* listening(network)
      const at: Array<number> = []
      const use = () => Effect.flatMap(Clock.currentTimeMillis, (now) => (at.push(now), leaderRefused("not yet")))
      const kept = yield* Effect.fork(contact.keep("test", use))
      yield* Effect.sleep("60 seconds")
      yield* Fiber.interrupt(kept)
      const pauses = at.slice(1).map((now, nth) => now - (at[nth] as number))
      for (const [nth, pause] of pauses.entries()) {
        const most = Math.min(2000, 50 * 2 ** nth)
        expect(pause).toBeGreaterThanOrEqual(Math.floor(most / 2))
        expect(pause).toBeLessThanOrEqual(most + 5)
      }
      expect(pauses.length).toBeGreaterThan(30)
      expect(lines.filter((line) => line === "not yet")).toHaveLength(1)
    })
  ))

test("one line says that the leader is unreachable, one that the connection is there, and a loss begins anew with short pauses", () =>
  withContact((contact, network, lines) =>
    Effect.gen(function* () {
      const opened: Array<number> = []
      const lost = yield* Deferred.make<void>()
      const kept = yield* Effect.fork(
        contact.keep("test", (link) =>
          Effect.gen(function* () {
            opened.push(yield* Clock.currentTimeMillis)
            if (opened.length === 2) yield* Deferred.succeed(lost, undefined)
            return yield* Effect.forever(Effect.delay(link.call(ApiVersions, {}), 10))
          })
        )
      )
      yield* Effect.sleep("30 seconds")
      const close = yield* listening(network)
      yield* Effect.sleep("5 seconds")
      expect(opened).toHaveLength(1)
      yield* close
      yield* listening(network)
      const before = yield* Clock.currentTimeMillis
      yield* Deferred.await(lost)
      expect((opened[1] as number) - before).toBeLessThan(200)
      yield* Fiber.interrupt(kept)
      expect(lines.map((line) => line.replace(/(?<=9092)\W.*/, ""))).toEqual([
        "Waiting for the leader at leader:9092",
        "Connected to the leader at leader:9092",
        "The connection to the leader at leader:9092",
        "Connected to the leader at leader:9092"
      ])
    })
  ))

// The broker of a node that leads is made before the port of its own listener is known.
test("the lines name the port that the leader has by then", () => {
  const own = { host: leader.host, port: 0 }
  return withContact(
    (contact, _, lines) =>
      Effect.gen(function* () {
        own.port = leader.port
        const kept = yield* Effect.fork(contact.keep("test", () => Effect.never))
        yield* Effect.sleep("1 second")
        yield* Fiber.interrupt(kept)
        expect(lines).toEqual([expect.stringContaining("Waiting for the leader at leader:9092")])
      }),
    own
  )
})

test("a BrokerFault ends the attempts", () =>
  withContact((contact, network) =>
    Effect.gen(function* () {
      yield* listening(network)
      const fault = new BrokerFault({ kind: "foreign cluster", message: "another cluster" })
      expect(yield* Effect.flip(contact.keep("test", () => Effect.fail(fault)))).toBe(fault)
    })
  ))
