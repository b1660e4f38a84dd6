import { expect, test } from "bun:test"
import { Effect, Exit, Scope } from "effect"
import { eventLevelFeature, replicationEventLevel } from "../../../../domain/cluster/event-level.ts"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import { Transport } from "../../../../src/ports/transport.ts"
import { BrokerRegistration } from "../../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../../src/protocol/message/63-broker-heartbeat.ts"
import { createReplicated, partitionOf, ReplicatedWorld, until } from "../../broker/replication/support.ts"

const id = 7
const sessionMs = 20_000

const features = [{ name: eventLevelFeature, minSupportedVersion: 1, maxSupportedVersion: replicationEventLevel }]

/** The listener of a broker's process: closing its scope makes its address refuse connections. */
const listening = (world: ReplicatedWorld, broker: number) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const host = `broker-${broker}`
    const ignored = { received: () => undefined, drained: () => undefined, closed: () => undefined }
    const listen = Effect.flatMap(Transport, (transport) => transport.listen({ host, port: 9092 }, () => ignored))
    yield* Scope.extend(Effect.provide(listen, world.network.layer(host)), scope)
    return Scope.close(scope, Exit.void)
  })

/** A connection to the leader on which the broker has registered. */
const connected = (world: ReplicatedWorld, broker: number) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const to = yield* Scope.extend(world.linkTo("leader"), scope)
    const { brokerEpoch } = yield* to.call(BrokerRegistration, {
      brokerId: broker,
      clusterId: "",
      incarnationId: `I${String(broker).padStart(20, "0")}A`,
      listeners: [{ name: "PLAINTEXT", host: `broker-${broker}`, port: 9092, securityProtocol: 0 }],
      features,
      rack: null
    })
    const beat = (wantShutDown: boolean) =>
      to.call(BrokerHeartbeat, { brokerId: broker, brokerEpoch, currentMetadataOffset: brokerEpoch, wantFence: false, wantShutDown })
    return { beat, end: Scope.close(scope, Exit.void) }
  })

/** A broker that has registered and is unfenced: its listener, where it has one, and its connection to the leader. */
const registered = (world: ReplicatedWorld, listens: boolean) =>
  Effect.gen(function* () {
    const leader = yield* world.leader({ "broker.session.timeout.ms": sessionMs })
    const endListener = listens ? yield* listening(world, id) : Effect.void
    const { beat, end } = yield* connected(world, id)
    yield* beat(false)
    const isFenced = () => brokerOf(leader.cluster(), id)?.fenced
    expect(isFenced()).toBe(false)
    yield* Effect.sleep(100)
    const now = () => world.clock.unsafeCurrentTimeMillis()
    return { leader, isFenced, now, beat, endListener, endConnection: end }
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

test("a killed process that closes its connection before its listener is fenced in less than a second", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, endListener, isFenced, now } = yield* registered(world, true)
      const before = now()
      yield* endConnection
      // The leader's first look still reaches it.
      yield* Effect.sleep(300)
      yield* endListener
      yield* until(() => isFenced() === true)
      expect(now() - before).toBeLessThan(1000)
    })
  )
})

test("a broker that lost its connection is looked at for as long as its session lasts", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, endListener, isFenced, now } = yield* registered(world, true)
      yield* endConnection
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
      const before = now()
      yield* endListener
      yield* until(() => isFenced() === true)
      expect(now() - before).toBeLessThan(1500)
    })
  )
})

test("a broker that is killed while it shuts down is fenced in less than a second", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { beat, endConnection, endListener, isFenced, leader, now } = yield* registered(world, true)
      const other = yield* connected(world, id + 1)
      yield* other.beat(false)
      yield* createReplicated(leader, [id, id + 1])
      // The partition gets another leader; the broker is fenced when it has read that, which it never reports.
      yield* beat(true)
      expect(isFenced()).toBe(false)
      expect<number | undefined>(partitionOf(leader)?.leader).toBe(id + 1)
      yield* endListener
      yield* endConnection
      const before = now()
      yield* until(() => isFenced() === true)
      expect(now() - before).toBeLessThan(1000)
    })
  )
})

test("a broker whose address refuses connections, and that connects to the leader again, keeps its session", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, endListener, isFenced } = yield* registered(world, true)
      yield* endListener
      yield* endConnection
      // After the first refusal, before the second.
      yield* Effect.sleep(100)
      yield* connected(world, id)
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
    })
  )
})

test("one refused connection proves nothing: a listener that is opened again keeps the session", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, endListener, isFenced } = yield* registered(world, true)
      yield* endListener
      yield* endConnection
      yield* Effect.sleep(100)
      yield* listening(world, id)
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
    })
  )
})

test("an address that is reached later than the broker registered counts from then on", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endConnection, isFenced, now } = yield* registered(world, false)
      const endListener = yield* listening(world, id)
      yield* Effect.sleep(2000)
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

test("an address that was never reached proves nothing: the session decides", () => {
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
