import { expect, test } from "bun:test"
import { Effect, Exit, Scope } from "effect"
import { MemoryStreams } from "../../../../adapters/journal/memory.ts"
import { eventLevelFeature, replicationEventLevel } from "../../../../domain/cluster/event-level.ts"
import { brokerOf } from "../../../../domain/cluster/state.ts"
import { Transport } from "../../../../src/ports/transport.ts"
import { BrokerRegistration } from "../../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../../src/protocol/message/63-broker-heartbeat.ts"
import { createReplicated, partitionOf, ReplicatedWorld, until } from "../../broker/replication/support.ts"

const id = 7
const sessionMs = 20_000

const features = [{ name: eventLevelFeature, minSupportedVersion: 1, maxSupportedVersion: replicationEventLevel }]

const addressOf = (broker: number) => ({ host: `broker-${broker}`, port: 9092 })

/** The listener of a broker's process: closing its scope makes its address refuse connections. */
const listening = (world: ReplicatedWorld, broker: number, { host, port } = addressOf(broker)) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const ignored = { received: () => undefined, drained: () => undefined, closed: () => undefined }
    const listen = Effect.flatMap(Transport, (transport) => transport.listen({ host, port }, () => ignored))
    yield* Scope.extend(Effect.provide(listen, world.network.layer(host)), scope)
    return Scope.close(scope, Exit.void)
  })

/** A connection to the leader on which the broker has registered. */
const connected = (world: ReplicatedWorld, broker: number, address = addressOf(broker)) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const to = yield* Scope.extend(world.linkTo("leader"), scope)
    const { brokerEpoch } = yield* to.call(BrokerRegistration, {
      brokerId: broker,
      clusterId: "",
      incarnationId: `I${String(broker).padStart(20, "0")}A`,
      listeners: [{ name: "PLAINTEXT", ...address, securityProtocol: 0 }],
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

const besideLeader = { host: "leader", port: 9093 }

/** A broker that was unfenced under the leader before, at this address, and a leader that has just taken over, with this id. */
const takenOver = (world: ReplicatedWorld, { address = besideLeader, listens = false, nextId = 101 } = {}) =>
  Effect.gen(function* () {
    const streams = new MemoryStreams()
    const first = yield* Scope.make()
    yield* Scope.extend(world.leader({ "broker.session.timeout.ms": sessionMs }, streams), first)
    const endListener = listens ? yield* listening(world, id, address) : Effect.void
    const { beat, end } = yield* connected(world, id, address)
    yield* beat(false)
    yield* end
    yield* Scope.close(first, Exit.void)
    const leader = yield* world.leader({ "broker.session.timeout.ms": sessionMs, "node.id": nextId }, streams)
    const isFenced = () => brokerOf(leader.cluster(), id)?.fenced
    expect(isFenced()).toBe(false)
    return { endListener, isFenced, now: () => world.clock.unsafeCurrentTimeMillis() }
  })

test("a broker that ended together with the leader before is fenced by the next one in two seconds", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { isFenced, now } = yield* takenOver(world)
      const before = now()
      yield* until(() => isFenced() === true)
      expect(now() - before).toBeGreaterThan(1000)
      expect(now() - before).toBeLessThan(2000)
    })
  )
})

test.each([
  ["at another host", { address: addressOf(id) }],
  ["of a leader that starts again", { nextId: 100 }]
])("the session decides on a broker %s that is not heard", (_, differing) => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { isFenced } = yield* takenOver(world, differing)
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
    })
  )
})

test("a broker that connects to the next leader in a second keeps its session, though its address refuses", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { isFenced } = yield* takenOver(world)
      yield* Effect.sleep(900)
      yield* connected(world, id, besideLeader)
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
    })
  )
})

test("a broker that the next leader does not hear, and that listens, keeps its session; it is fenced when it listens no more", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { endListener, isFenced, now } = yield* takenOver(world, { listens: true })
      yield* Effect.sleep(sessionMs / 2)
      expect(isFenced()).toBe(false)
      const before = now()
      yield* endListener
      yield* until(() => isFenced() === true)
      expect(now() - before).toBeLessThan(1500)
    })
  )
})
