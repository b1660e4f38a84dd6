import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import type { NodeConfig } from "../../../../domain/kernel/config.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, until, valuesOn } from "./support.ts"

const inRack = (rack: string): Partial<NodeConfig> => ({
  "broker.rack": rack,
  "replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"
})

/** Three brokers in the racks a, b and c, with `count` records. */
const inThreeRacks = (world: ReplicatedWorld, count: number) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    const brokers = [yield* world.broker(1, inRack("a")), yield* world.broker(2, inRack("b")), yield* world.broker(3, inRack("c"))]
    yield* createReplicated(leader, [1, 2, 3])
    yield* until(() => partitionOf(leader)?.isr.length === 3)
    const to = yield* world.link(1)
    for (let n = 0; n < count; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
    return { leader, brokers, to }
  })

test("the leader sends a consumer to the in-sync replica of its rack at once, and that replica serves it (KIP-392, KAFKA-13767)", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { to } = yield* inThreeRacks(world, 3)
      const before = world.clock.unsafeCurrentTimeMillis()
      // At the end of the log, too: the consumer waits at the replica.
      for (const from of [0, 3]) expect(yield* consume(to, from, 12, { maxWaitMs: 60_000, rackId: "b" })).toMatchObject({ error: "NONE", bytes: 0, nearer: 2 })
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeLessThan(1000)
      // The leader's own rack, and one without a broker.
      for (const rackId of ["", "a", "d"]) expect((yield* consume(to, 0, 12, { rackId })).nearer).toBe(-1)
      yield* Effect.sleep(1000)
      expect(yield* valuesOn(yield* world.link(2))).toEqual(["record 0", "record 1", "record 2"])
    })
  )
})

test("a consumer that waits at a follower gets a record when it is committed, and not before", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { to } = yield* inThreeRacks(world, 1)
      yield* Effect.sleep(1000)
      const follower = yield* world.link(2)
      const waiting = yield* Effect.fork(consume(follower, 1, 12, { maxWaitMs: 20_000 }))
      yield* Effect.sleep(100)
      // The third broker does not get the record: it is not committed.
      world.network.cut("broker-3", "broker-1")
      const produced = yield* Effect.fork(produce(to, "record 1", -1, 20_000))
      yield* Effect.sleep(5000)
      expect(yield* consume(yield* world.link(2), 1)).toMatchObject({ error: "NONE", highWatermark: 1, bytes: 0 })
      const before = world.clock.unsafeCurrentTimeMillis()
      world.network.heal()
      expect(yield* Fiber.join(produced)).toEqual(["NONE", 1])
      expect((yield* Fiber.join(waiting)).bytes).toBeGreaterThan(0)
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeLessThan(2000)
    })
  )
})

test("a replica that left the in-sync set gets no consumers, and a follower's consumer learns that its role ended", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { brokers, leader, to } = yield* inThreeRacks(world, 2)
      const waiting = yield* Effect.fork(consume(yield* world.link(3), 2, 12, { maxWaitMs: 60_000 }))
      yield* Effect.sleep(100)
      yield* brokers[1]?.stop ?? Effect.void
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      expect((yield* consume(to, 0, 12, { rackId: "b" })).nearer).toBe(-1)
      // The first broker stops, the third one leads: what waits there is answered.
      yield* brokers[0]?.stop ?? Effect.void
      yield* until(() => partitionOf(leader)?.leader === 3)
      expect(yield* Effect.timeout(Fiber.join(waiting), 5000)).toMatchObject({ bytes: 0 })
    })
  )
})
