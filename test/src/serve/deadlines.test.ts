import { expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { makeDeadlines } from "../../../src/serve/deadlines.ts"

/** Runs in virtual time; the clock is the test's. */
const inTime = <A>(test: (clock: VirtualClock) => Effect.Effect<A, never, never>): Promise<A> => {
  const clock = new VirtualClock(0)
  return clock.run(test(clock))
}

test("each is met once, at its time and in order, unless it was cancelled before", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ ms: fc.nat(50), cancelled: fc.boolean() }), { maxLength: 40 }), async (wanted) => {
      const met = await inTime((clock) =>
        Effect.scoped(
          Effect.gen(function* () {
            const deadlines = yield* makeDeadlines
            const at: Array<readonly [index: number, ms: number]> = []
            const made = wanted.map(({ ms }, index) => deadlines.after(ms, () => at.push([index, clock.unsafeCurrentTimeMillis()])))
            for (const [index, { cancelled }] of wanted.entries()) if (cancelled) made[index]?.cancel()
            expect(deadlines.size).toBe(wanted.filter(({ cancelled }) => !cancelled).length)
            yield* Effect.sleep("100 millis")
            for (const each of made) each.cancel()
            expect(deadlines.size).toBe(0)
            return at
          })
        )
      )
      const due = wanted.flatMap(({ cancelled, ms }, index) => (cancelled ? [] : [[index, ms] as const]))
      expect(met.map(([, ms]) => ms)).toEqual(met.map(([, ms]) => ms).toSorted((a, b) => a - b))
      expect(met.toSorted(([a], [b]) => a - b)).toEqual(due)
    }),
    { numRuns: 50 }
  )
})

test("an earlier one that comes later is met first; one that is made while another is met is met too", () =>
  inTime((clock) =>
    Effect.scoped(
      Effect.gen(function* () {
        const deadlines = yield* makeDeadlines
        const met: Array<string> = []
        const note = (name: string) => () => void met.push(`${name}@${clock.unsafeCurrentTimeMillis()}`)
        deadlines.after(40, note("late"))
        yield* Effect.sleep("10 millis")
        deadlines.after(5, () => {
          note("early")()
          deadlines.after(5, note("next"))
        })
        yield* Effect.sleep("100 millis")
        expect(met).toEqual(["early@15", "next@20", "late@40"])
      })
    )
  ))

test("thousands that are cancelled do not stay", () =>
  inTime(() =>
    Effect.scoped(
      Effect.gen(function* () {
        const deadlines = yield* makeDeadlines
        for (let n = 0; n < 20_000; n++) deadlines.after(30_000, () => undefined).cancel()
        expect(deadlines.size).toBe(0)
        expect(deadlines.heldCount).toBeLessThan(5000)
      })
    )
  ))

test("a wall clock that is set back an hour delays no deadline", async () => {
  class Wall extends VirtualClock {
    setBackMs = 0
    override unsafeCurrentTimeMillis(): number {
      return super.unsafeCurrentTimeMillis() - this.setBackMs
    }
  }
  const clock = new Wall()
  let met = 0
  const program = Effect.gen(function* () {
    const deadlines = yield* makeDeadlines
    deadlines.after(500, () => met++)
    yield* Effect.sleep("100 millis")
    clock.setBackMs = 3_600_000
    yield* Effect.sleep("1 second")
  })
  await clock.run(Effect.scoped(program))
  expect(met).toBe(1)
})
