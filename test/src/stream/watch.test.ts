import { expect, test } from "bun:test"
import { Effect } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { Watch } from "../../../src/stream/watch.ts"

/** Looks of a watch of one second, by their times in ms. `found` says whether there is work at that time. */
const looksOf = (found: (ms: number, watch: Watch) => boolean, wakes: ReadonlyArray<number>, forMs: number): Promise<ReadonlyArray<number>> => {
  const clock = new VirtualClock(0)
  const watch = new Watch()
  const looks: Array<number> = []
  const look = Effect.sync(() => {
    looks.push(clock.unsafeCurrentTimeMillis())
    return found(clock.unsafeCurrentTimeMillis(), watch)
  })
  const program = Effect.gen(function* () {
    yield* Effect.forkScoped(watch.repeat(1000, look))
    for (const at of wakes) yield* Effect.forkScoped(Effect.delay(Effect.sync(watch.wake), at))
    yield* Effect.sleep(forMs)
    return looks
  })
  return clock.run(Effect.scoped(program))
}

test("it looks once after the start, and then waits until it is woken", async () => {
  expect(await looksOf(() => false, [], 3_600_000)).toEqual([1000])
  expect(await looksOf(() => false, [10_500, 10_600, 60_000], 3_600_000)).toEqual([1000, 11_500, 61_000])
})

test("it looks every second while there is work", async () => {
  expect(await looksOf((ms) => ms > 10_000 && ms < 13_000, [10_500], 3_600_000)).toEqual([1000, 11_500, 12_500, 13_500])
})

test("a signal during a look is followed by another look, and one while it sleeps is not forgotten", async () => {
  expect(await looksOf((ms, watch) => (ms === 1000 ? watch.wake() : undefined, false), [], 3_600_000)).toEqual([1000, 2000])
  expect(await looksOf(() => false, [500, 1001], 3_600_000)).toEqual([1000, 2001])
})
