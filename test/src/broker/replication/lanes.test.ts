import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { createReplicated, partitionOf, produce, ReplicatedWorld, topicId, until } from "./support.ts"

const payload = "x".repeat(20_000)
const rate = 100_000

test("a replica that catches up within its throttled rate delays no acknowledgement of the replicas in sync, and joins at last", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const throttled = { "follower.replication.throttled.rate": rate }
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
      const third = yield* world.broker(3, throttled)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2", "follower.replication.throttled.replicas": "0:3" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      const to = yield* world.link(1)
      // 400 KB: 4 s at the throttled rate.
      for (let n = 0; n < 20; n++) expect((yield* produce(to, payload))[0]).toBe("NONE")
      const before = world.clock.unsafeCurrentTimeMillis()
      yield* world.broker(3, throttled)
      const delays: Array<number> = []
      let isOver = false
      const producer = yield* Effect.fork(
        Effect.repeat(
          Effect.gen(function* () {
            yield* Effect.sleep(200)
            const at = world.clock.unsafeCurrentTimeMillis()
            expect((yield* produce(to, "x"))[0]).toBe("NONE")
            delays.push(world.clock.unsafeCurrentTimeMillis() - at)
          }),
          { until: () => isOver }
        )
      )
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      const tookMs = world.clock.unsafeCurrentTimeMillis() - before
      expect(tookMs).toBeGreaterThan(2000)
      expect(tookMs).toBeLessThan(60_000)
      yield* Effect.sleep(1000)
      isOver = true
      yield* Fiber.join(producer)
      // A replica that joins waits for its first fetch in the other lane.
      expect(Math.max(...delays)).toBeLessThan(200)
    })
  )
})

test("leader.replication.throttled.rate: replicas that catch up copy within it from their leader, and those in sync at once (KIP-73)", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      yield* world.broker(1, { "leader.replication.throttled.rate": rate })
      yield* world.broker(2)
      // One record in each response.
      const small = { "replica.fetch.max.bytes": 1 }
      const third = yield* world.broker(3, small)
      yield* createReplicated(leader, [1, 2, 3], { "min.insync.replicas": "2", "leader.replication.throttled.replicas": "0:1" })
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      yield* third.stop
      yield* until(() => partitionOf(leader)?.isr.length === 2)
      const to = yield* world.link(1)
      // 400 KB: 4 s at the throttled rate. The replica in sync has each at once.
      for (let n = 0; n < 20; n++) {
        const at = world.clock.unsafeCurrentTimeMillis()
        expect((yield* produce(to, payload))[0]).toBe("NONE")
        expect(world.clock.unsafeCurrentTimeMillis() - at).toBeLessThan(200)
      }
      const before = world.clock.unsafeCurrentTimeMillis()
      yield* world.broker(3, small)
      yield* until(() => partitionOf(leader)?.isr.length === 3)
      expect(world.clock.unsafeCurrentTimeMillis() - before).toBeWithin(2000, 20_000)
    })
  )
})

test("a partition that fails waits by itself: the others of its leader are fetched on (KAFKA-8346)", () => {
  const world = new ReplicatedWorld({ scrubIntervalMs: 1e12, scrubFirstAfterMs: 1e12, tailBytesMax: 0, tailBytesMaxPerLog: 0 })
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      yield* world.broker(1)
      const second = yield* world.broker(2)
      yield* createReplicated(leader, [1, 2], {}, 2)
      yield* until(() => partitionOf(leader, 1)?.isr.length === 2)
      yield* second.stop
      yield* until(() => partitionOf(leader, 1)?.isr.length === 1)
      const to = yield* world.link(1)
      for (const index of [0, 1]) expect(yield* produce(to, "record 0", -1, 5000, index)).toEqual(["NONE", 0])
      // The last byte of the record: the CRC of the batch does not fit any more.
      const file = world.disks.get(1)?.session().open(`/data/${topicId}-1/00000000000000000000.log`, "write")
      const at = (file?.size() ?? 0) - 2
      const byte = new Uint8Array(1)
      file?.read(byte, at)
      file?.write([byte.map((before) => before ^ 1)], at)
      yield* world.broker(2)
      yield* until(() => partitionOf(leader, 0)?.isr.length === 2)
      for (let n = 1; n < 10; n++) expect(yield* produce(to, `record ${n}`)).toEqual(["NONE", n])
      expect(partitionOf(leader, 1)?.isr).toEqual([1] as never)
    })
  )
})
