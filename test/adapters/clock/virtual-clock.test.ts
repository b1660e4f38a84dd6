import { describe, expect, test } from "bun:test"
import { Cause, Duration, Effect, Exit, Random, Schedule } from "effect"
import { layerSeededRandom } from "../../../adapters/clock/seeded-random.ts"
import { Stuck, VirtualClock } from "../../../adapters/clock/virtual-clock.ts"

describe("virtual time", () => {
  test("a sleep of a day takes no time, and the clock shows it", async () => {
    const clock = new VirtualClock(1000)
    const seen = await clock.run(
      Effect.zipRight(
        Effect.sleep("1 day"),
        Effect.clockWith((c) => c.currentTimeMillis)
      )
    )
    expect(seen).toBe(1000 + 86_400_000)
  })

  test("timeouts and schedules follow it", async () => {
    const clock = new VirtualClock(0)
    const program = Effect.gen(function* () {
      const late = yield* Effect.exit(Effect.timeout(Effect.never, "10 seconds"))
      let tries = 0
      yield* Effect.ignore(
        Effect.retry(
          Effect.suspend(() => Effect.fail(tries++)),
          Schedule.intersect(Schedule.exponential("1 second"), Schedule.recurs(4))
        )
      )
      return { late: Exit.isFailure(late), tries, at: yield* Effect.clockWith((c) => c.currentTimeMillis) }
    })
    expect(await clock.run(program)).toEqual({ late: true, tries: 5, at: 10_000 + 1000 + 2000 + 4000 + 8000 })
  })

  test("fibers that wait for one time wake in the order of their waits, and all of them before any later time", async () => {
    const clock = new VirtualClock(0)
    const log: Array<string> = []
    const say = (word: string) => Effect.sync(() => log.push(`${clock.unsafeCurrentTimeMillis()} ${word}`))
    const waker = (name: string, ms: number) =>
      Effect.sleep(ms).pipe(Effect.andThen(say(name)), Effect.andThen(Effect.yieldNow()), Effect.andThen(say(`${name}, later`)))
    await clock.run(Effect.all([waker("c", 20), waker("a", 10), waker("b", 10), waker("d", 21)], { concurrency: "unbounded" }))
    expect(log).toEqual(["10 a", "10 b", "10 a, later", "10 b, later", "20 c", "20 c, later", "21 d", "21 d, later"])
  })

  test("the clock waits for promises before it advances", async () => {
    const clock = new VirtualClock(0)
    const steps = Effect.promise(async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve()
      return clock.unsafeCurrentTimeMillis()
    })
    const [at] = await clock.run(Effect.all([steps, Effect.sleep(5)], { concurrency: "unbounded" }))
    expect(at).toBe(0)
  })

  test("an interrupted sleep leaves no timer", async () => {
    const clock = new VirtualClock(0)
    await clock.run(Effect.raceFirst(Effect.sleep(10), Effect.sleep("52 weeks")))
    expect(clock.unsafeCurrentTimeMillis()).toBe(10)
    await clock.advance(Duration.toMillis("2 days"))
    expect(clock.unsafeCurrentTimeMillis()).toBe(10 + 2 * 86_400_000)
  })

  test("an effect that no timer can wake is reported, and so is a failure", async () => {
    const clock = new VirtualClock()
    // Not with `rejects`: it blocks the event loop on which this clock runs.
    const failure = (effect: Effect.Effect<unknown, unknown>, limitMs?: number) =>
      clock.run(effect, limitMs).then(
        () => undefined,
        (cause: unknown) => cause
      )
    expect(await failure(Effect.never)).toBeInstanceOf(Stuck)
    expect(await failure(Effect.forever(Effect.sleep(1000)), 60_000)).toBeInstanceOf(Stuck)
    expect(String(await failure(Effect.fail(new Error("no"))))).toContain("no")
  })

  test("advance runs the fibers under the layer", async () => {
    const clock = new VirtualClock(0)
    const seen: Array<number> = []
    const ticking = Effect.sync(() => seen.push(clock.unsafeCurrentTimeMillis())).pipe(Effect.delay(100), Effect.forever, Effect.provide(clock.layer))
    const fiber = Effect.runFork(ticking)
    await clock.advance(350)
    expect(seen).toEqual([100, 200, 300])
    fiber.unsafeInterruptAsFork(fiber.id())
    await clock.settle()
    expect(Cause.isInterrupted(await Effect.runPromise(Effect.map(fiber.await, (exit) => (Exit.isFailure(exit) ? exit.cause : Cause.empty))))).toBe(true)
  })
})

describe("randomness", () => {
  const walk = (seed: number) => {
    const clock = new VirtualClock(0)
    const log: Array<string> = []
    const walker = (name: number) =>
      Effect.gen(function* () {
        for (let step = 0; step < 20; step++) {
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 5))
          log.push(`${clock.unsafeCurrentTimeMillis()}:${name}`)
        }
      })
    const all = Effect.all([1, 2, 3, 4].map(walker), { concurrency: "unbounded" })
    return clock.run(Effect.provide(all, layerSeededRandom(seed))).then(() => log.join(" "))
  }
  test("one seed gives one run, another seed another", async () => {
    expect(await walk(1)).toBe(await walk(1))
    expect(await walk(1)).not.toBe(await walk(2))
  })
})
