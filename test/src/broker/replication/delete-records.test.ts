import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { DeleteRecords } from "../../../../src/protocol/message/21-delete-records.ts"
import type { Link } from "../../../../src/wire/link.ts"
import { consume, createReplicated, isolate, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

/** Deletes the records before an offset; returns the error's name and the low watermark. */
const deleteBefore = (to: Link, offset: number, timeoutMs = 20_000) =>
  Effect.map(to.call(DeleteRecords, { topics: [{ name: "orders", partitions: [{ partitionIndex: 0, offset: BigInt(offset) }] }], timeoutMs }), ({ topics }) => {
    const partition = topics[0]?.partitions[0]
    return [kafkaError(partition?.errorCode ?? -1), Number(partition?.lowWatermark)] as const
  })

/** Three brokers that have five records each. */
const withRecords = (world: ReplicatedWorld) =>
  Effect.gen(function* () {
    const leader = yield* world.leader()
    for (const id of [1, 2, 3]) yield* world.broker(id)
    yield* createReplicated(leader, [1, 2, 3])
    yield* until(() => partitionOf(leader)?.isr.length === 3)
    const to = yield* world.link(1)
    for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
    return { leader, to }
  })

test("the answer comes when all replicas have deleted the records: whichever leads next, they are gone", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { to } = yield* withRecords(world)
      const before = world.clock.unsafeCurrentTimeMillis()
      expect(yield* deleteBefore(to, 3)).toEqual(["NONE", 3])
      for (const id of [1, 2, 3]) {
        const replica = yield* world.link(id)
        expect((yield* consume(replica, 2)).error).toBe("OFFSET_OUT_OF_RANGE")
        expect(yield* consume(replica, 3)).toMatchObject({ error: "NONE" })
      }
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeLessThan(3000)
      // The same again, and an earlier offset, change nothing and wait for nothing.
      for (const offset of [3, 1, 0]) expect(yield* deleteBefore(to, offset)).toEqual(["NONE", 3])
    })
  )
})

test("a replica that does not delete holds the answer up for the timeout, and not when its broker is fenced", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* withRecords(world)
      // Its broker lives, and cannot reach the partition's leader.
      world.network.cut("broker-3", "broker-1")
      const before = world.clock.unsafeCurrentTimeMillis()
      expect(yield* deleteBefore(to, 3, 4000)).toEqual(["REQUEST_TIMED_OUT", -1])
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeWithin(4000, 6000)
      // The partition's leader and the other follower have deleted them all the same.
      for (const id of [1, 2]) expect((yield* consume(yield* world.link(id), 2)).error).toBe("OFFSET_OUT_OF_RANGE")
      const waiting = yield* Effect.fork(deleteBefore(to, 4, 60_000))
      isolate(world, 3)
      yield* until(() => [...leader.cluster().brokers].some(([, { fenced, id }]) => id === 3 && fenced))
      expect(yield* Effect.timeout(Fiber.join(waiting), 5000)).toEqual(["NONE", 4])
    })
  )
})

test("a leadership that ends ends the wait: the client asks the next leader", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const { leader, to } = yield* withRecords(world)
      isolate(world, 1)
      const waiting = yield* Effect.fork(deleteBefore(to, 3, 60_000))
      yield* until(() => partitionOf(leader)?.leader === 2)
      expect(waiting.unsafePoll()).toBeNull()
      world.network.heal()
      expect(yield* Effect.timeout(Fiber.join(waiting), 20_000)).toEqual(["NOT_LEADER_OR_FOLLOWER", -1])
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(yield* deleteBefore(yield* world.link(2), 3)).toEqual(["NONE", 3])
    })
  )
})

test("a replica of the ELR that is down holds the answer up: it may be elected, and starts there", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" })
      const to = yield* world.link(1)
      for (let n = 0; n < 5; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      // The leader knows that its follower has all, so that the records are committed.
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      yield* second.stop
      yield* until(() => partitionOf(leader)?.elr.includes(2 as never) === true)
      expect(yield* deleteBefore(to, 3, 4000)).toEqual(["REQUEST_TIMED_OUT", -1])
      const waiting = yield* Effect.fork(deleteBefore(to, 3, 60_000))
      yield* world.broker(2)
      expect(yield* Effect.timeout(Fiber.join(waiting), 20_000)).toEqual(["NONE", 3])
      expect((yield* consume(yield* world.link(2), 2)).error).toBe("OFFSET_OUT_OF_RANGE")
    })
  )
})
