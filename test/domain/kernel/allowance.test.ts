import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Allowance, type Rate, used } from "../../../domain/kernel/allowance.ts"

const rate = fc.record({ burst: fc.integer({ min: 1, max: 20 }), everyMs: fc.integer({ min: 1, max: 1000 }) })
/** Times of the requested actions, ms; the clock may be set back. */
const moments = fc.array(fc.integer({ min: -50, max: 400 }), { maxLength: 200 }).map((steps) => {
  let now = 0
  return steps.map((step) => (now += step))
})

const granted = (of: Rate, at: ReadonlyArray<number>): number => {
  let left: Allowance | undefined
  let count = 0
  for (const now of at) {
    const next = used(of, left, now)
    if ("waitMs" in next) continue
    left = next
    count++
  }
  return count
}

test("at most the burst and one action for each elapsed period are allowed, whatever is requested", () => {
  fc.assert(
    fc.property(rate, moments, (of, at) => {
      const risen = at.reduce((sum, now, n) => sum + Math.max(0, now - (at[n - 1] ?? now)), 0)
      expect(granted(of, at)).toBeLessThanOrEqual(of.burst + Math.ceil(risen / of.everyMs))
    })
  )
})
test("a caller that waits for the returned time is allowed", () => {
  fc.assert(
    fc.property(rate, (of) => {
      let left: Allowance | undefined
      for (let n = 0; n < of.burst; n++) left = used(of, left, 0) as Allowance
      const refused = used(of, left, 0)
      if (!("waitMs" in refused)) throw new Error("nothing was left")
      expect("waitMs" in used(of, left, refused.waitMs)).toBe(false)
    })
  )
})
