import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

const syncMs = 1000

test("the sync of one log of a follower delays no acknowledgement of another one's records", () => {
  const world = new ReplicatedWorld()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const id of [1, 2]) yield* world.broker(id)
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
