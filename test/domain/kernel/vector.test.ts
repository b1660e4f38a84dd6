import { expect, test } from "bun:test"
import fc from "fast-check"
import { Vector } from "../../../domain/kernel/vector.ts"

type Step = { readonly push: number } | { readonly set: number; readonly to: number }
const step: fc.Arbitrary<Step> = fc.oneof(fc.record({ push: fc.nat() }), fc.record({ set: fc.nat({ max: 300 }), to: fc.nat() }))

test("a vector is an array that keeps its older versions", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 200 }), fc.array(step, { maxLength: 200 }), (from, steps) => {
      let vector = Vector.from(from)
      let array: ReadonlyArray<number> = from
      const versions: Array<readonly [Vector<number>, ReadonlyArray<number>]> = []
      for (const change of steps) {
        versions.push([vector, array])
        if ("push" in change) {
          vector = vector.push(change.push)
          array = [...array, change.push]
        } else {
          vector = vector.set(change.set, change.to)
          array = change.set < array.length ? array.with(change.set, change.to) : array
        }
      }
      for (const [then, expected] of [...versions, [vector, array] as const]) {
        expect([...then]).toEqual([...expected])
        expect(then.map((element) => element)).toEqual([...expected])
        expect(then.length).toBe(expected.length)
        expect([-1, 0, 63, 64, 65, expected.length - 1, expected.length].map((index) => then.at(index))).toEqual(
          [-1, 0, 63, 64, 65, expected.length - 1, expected.length].map((index) => (index < 0 ? undefined : expected[index]))
        )
      }
    }),
    { numRuns: 100 }
  )
})
