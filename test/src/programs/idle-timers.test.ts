import { expect, test } from "bun:test"
import { Duration, Effect, LogLevel } from "effect"
import { TestCluster } from "../../../src/programs/testing.ts"

/** The sleeps of a cluster in a minute without clients, by their length in ms. */
const sleepsOfAnIdleMinute = (brokers: number): Promise<ReadonlyMap<number, number>> =>
  Effect.gen(function* () {
    // Past the start.
    yield* Effect.sleep("1 minute")
    const clock = yield* Effect.clock
    const sleep = clock.sleep.bind(clock)
    const counts = new Map<number, number>()
    Object.assign(clock, {
      sleep: (duration: Duration.Duration) => {
        const ms = Duration.toMillis(duration)
        counts.set(ms, (counts.get(ms) ?? 0) + 1)
        return sleep(duration)
      }
    })
    yield* Effect.sleep("1 minute")
    return counts
  }).pipe(Effect.provide(TestCluster.layerVirtual({ brokers, logLevel: LogLevel.None })), Effect.runPromise)

test("an idle broker sleeps for a second only in its server: flushes, replication and replacement wait for a signal", async () => {
  const sleeps = await sleepsOfAnIdleMinute(1)
  // A loop that looks each second adds 60.
  expect(sleeps.get(1000) ?? 0).toBeLessThan(90)
  // Heartbeats: the node is alive.
  expect(sleeps.get(2000)).toBeGreaterThanOrEqual(29)
  const all = [...sleeps.values()].reduce((sum, count) => sum + count, 0)
  expect(all).toBeLessThan(260)
})
