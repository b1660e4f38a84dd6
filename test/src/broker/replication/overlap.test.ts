import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

const syncMs = 1000

test("the sync of one log of a follower delays no acknowledgement of another one's records", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id, { "franz.replica.fetch.overlap": true })
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" }, 3)
      yield* until(() => [0, 1, 2].every((index) => partitionOf(leader, index)?.isr.length === 2))
      const to = yield* world.link(1)
      for (const index of [0, 1, 2]) expect(yield* produce(to, "first", -1, 5000, index)).toEqual(["NONE", 0])
      const disk = world.disks.get(2)
      if (disk === undefined) throw new Error("broker 2 has no disk")
      disk.syncDelayMs = syncMs
      const now = () => world.clock.unsafeCurrentTimeMillis()
      /** Produces to a partition after a while; returns how long the acknowledgement took. */
      const timed = (index: number, afterMs: number) =>
        Effect.suspend(() => {
          const at = now()
          return Effect.map(produce(to, "next", -1, 30_000, index), ([error]) => [error, now() - at] as const)
        }).pipe(Effect.delay(afterMs), Effect.fork)
      // The first slow one is awaited: those before were quick.
      expect((yield* produce(to, "slow", -1, 5000, 0))[0]).toBe("NONE")
      // The second and the third come while the first is synced, and nothing else follows.
      const fibers = [yield* timed(0, 0), yield* timed(1, 300), yield* timed(2, 600)]
      for (const fiber of fibers) {
        const [error, ms] = yield* Fiber.join(fiber)
        expect(error).toBe("NONE")
        expect(ms).toBeGreaterThanOrEqual(syncMs)
        expect(ms).toBeLessThan(syncMs + 100)
      }
      // The same log: what comes during its sync waits for the next one.
      const again = [yield* timed(0, 0), yield* timed(0, 300)]
      for (const fiber of again) expect((yield* Fiber.join(fiber))[0]).toBe("NONE")
      // What was acknowledged survives: the follower takes over with all of it.
      disk.syncDelayMs = 0
      expect(yield* produce(to, "last", -1, 5000, 0)).toEqual(["NONE", 5])
    })
  )
})

test("fetches of much data do not overlap: all logs are synced, and one fetch names them", () => {
  const world = new ReplicatedWorld()
  const large = "x".repeat(200_000)
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id, { "franz.replica.fetch.overlap": true })
      yield* createReplicated(leader, [1, 2], { "min.insync.replicas": "2" }, 2)
      yield* until(() => [0, 1].every((index) => partitionOf(leader, index)?.isr.length === 2))
      const to = yield* world.link(1)
      for (let n = 0; n < 10; n++) expect((yield* produce(to, large, -1, 5000, n % 2))[0]).toBe("NONE")
      const disk = world.disks.get(2)
      if (disk === undefined) throw new Error("broker 2 has no disk")
      disk.syncDelayMs = syncMs
      const now = () => world.clock.unsafeCurrentTimeMillis()
      /** How long the second of two acknowledgements takes, where it comes during the sync of another log, ms. */
      const second = (value: string) =>
        Effect.gen(function* () {
          const first = yield* Effect.fork(produce(to, value, -1, 30_000, 0))
          yield* Effect.sleep(300)
          const from = now()
          expect((yield* produce(to, value, -1, 30_000, 1))[0]).toBe("NONE")
          const took = now() - from
          expect((yield* Fiber.join(first))[0]).toBe("NONE")
          return took
        })
      yield* second(large)
      expect(yield* second(large)).toBeGreaterThan(syncMs + 500)
      // As long as it is much.
      for (let n = 0; n < 20; n++) yield* second("small")
      expect(yield* second("small")).toBeLessThan(syncMs + 100)
    })
  )
})
