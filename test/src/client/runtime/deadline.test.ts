import { expect, test } from "bun:test"
import { Effect } from "effect"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { timeLeft, withDeadlines } from "../../../../src/client/runtime/deadline.ts"

test("the requests of a call share its time, and the shorter of two deadlines holds", () =>
  new VirtualClock(0).run(
    Effect.gen(function* () {
      const afterPause = Effect.delay(timeLeft(5000), 1000)
      expect(yield* afterPause).toBe(5000)
      const within = (ms: number, effect: typeof afterPause) => withDeadlines({ effect }, ms).effect
      expect(yield* within(4000, afterPause)).toBe(3000)
      expect(yield* within(4000, within(60_000, afterPause))).toBe(3000)
      expect(yield* within(500, afterPause)).toBe(0)
      const service = withDeadlines({ effect: afterPause, call: (ms: number) => Effect.delay(timeLeft(ms), 1000), plain: 7 }, 2000)
      expect([yield* service.effect, yield* service.call(9000), service.plain]).toEqual([1000, 1000, 7])
    })
  ))
