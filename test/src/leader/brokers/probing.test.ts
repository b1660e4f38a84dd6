import { expect, test } from "bun:test"
import { Effect, Exit, Scope } from "effect"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import { Transport } from "../../../../src/ports/transport.ts"
import { BrokerRegistration } from "../../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../../src/protocol/message/63-broker-heartbeat.ts"
import { ReplicatedWorld, until } from "../../broker/replication/support.ts"

const id = 7
const sessionMs = 20_000

/** A broker that has registered and is unfenced: its listener, where it has one, and its connection to the leader. */
const registered = (world: ReplicatedWorld, listens: boolean) =>
  Effect.gen(function* () {
    const leader = yield* world.leader({ "broker.session.timeout.ms": sessionMs })
    const listener = yield* Scope.make()
    const ignored = { received: () => undefined, drained: () => undefined, closed: () => undefined }
    const listen = Effect.flatMap(Transport, (transport) => transport.listen({ host: "broker-7", port: 9092 }, () => ignored))
    if (listens) yield* Scope.extend(Effect.provide(listen, world.network.layer("broker-7")), listener)
    const connection = yield* Scope.make()
    const to = yield* Scope.extend(world.linkTo("leader"), connection)
    const { brokerEpoch } = yield* to.call(BrokerRegistration, {
      brokerId: id,
      clusterId: "",
      incarnationId: "I00000000000000000007A",
      listeners: [{ name: "PLAINTEXT", host: "broker-7", port: 9092, securityProtocol: 0 }],
      features: [],
      rack: null
    })
    yield* to.call(BrokerHeartbeat, { brokerId: id, brokerEpoch, currentMetadataOffset: brokerEpoch, wantFence: false, wantShutDown: false })
    const isFenced = () => brokerOf(leader.cluster(), id)?.fenced
    expect(isFenced()).toBe(false)
    yield* Effect.sleep(100)
    const now = () => world.clock.unsafeCurrentTimeMillis()
    return { isFenced, now, endListener: Scope.close(listener, Exit.void), endConnection: Scope.close(connection, Exit.void) }
  })

test("a broker whose process ended is fenced in less than a second: its address refuses connections", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, endListener, isFenced, now } = yield* registered(world, true)
      yield* endListener
      yield* endConnection
      const before = now()
      yield* until(() => isFenced() === true)
      expect(now() - before).toBeLessThan(1000)
    })
  )
})

test("a broker that lost its connection and still listens keeps its session", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, isFenced, now } = yield* registered(world, true)
      const before = now()
      yield* endConnection
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
      yield* until(() => isFenced() === true)
      expect(now() - before).toBeGreaterThanOrEqual(sessionMs - 200)
    })
  )
})

test("an address that was not reached when the broker registered proves nothing: the session decides", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, isFenced } = yield* registered(world, false)
      yield* endConnection
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
    })
  )
})
