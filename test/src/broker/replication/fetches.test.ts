import { expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { replicaMutants } from "../../../simulation/mutant/replica-mutants.ts"
import { OverlappingWorld } from "./overlapping-world.ts"

const partitions = 2
const step = (names: ReadonlyArray<string>) => fc.tuple(fc.constantFrom(...names), fc.nat(partitions - 1), fc.nat(3))
const ordinary = ["append", "append", "send", "send", "send", "handle", "handle", "handle", "take", "take", "take", "disk", "disk", "disk"]
const rare = ["elect", "hear", "hear", "deleteRecords", "leave", "enter", "enter"]
type Step = readonly [name: string, p: number, n: number]

/** What is wrong with a run of these steps; undefined: nothing. */
const faultOf = (steps: ReadonlyArray<Step>): Promise<string | undefined> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const world = new OverlappingWorld(partitions)
      for (const [name, p, n] of steps) {
        world.steps[name]?.(p, n)
        yield* world.turn
        if (world.fault !== undefined) return world.fault
      }
      const requests = yield* world.settle()
      if (world.fault !== undefined) return world.fault
      if (!world.isAtRest) return `the follower does not reach the leader's end: ${JSON.stringify(world.followed.map(({ records }) => records))}`
      const appended = steps.filter(([name]) => name === "append").length
      if (requests > 20 + 4 * appended) return `${requests} requests for ${appended} records`
      const isQuiet = steps.every(([name]) => ordinary.includes(name))
      return isQuiet && world.given !== appended ? `${world.given} records are given of ${appended}` : undefined
    })
  )

const orders = {
  quiet: fc.array(step(ordinary), { maxLength: 150, size: "max" }),
  any: fc.array(fc.oneof({ weight: 3, arbitrary: step(ordinary) }, { weight: 1, arbitrary: step(rare) }), { maxLength: 150, size: "max" })
} as const

const script = (text: string): ReadonlyArray<Step> => text.split(" ").map((name) => [name, 0, 1] as const)
/** The first request opens the session, and the second one waits for records. */
const opened = "send handle take send handle"
/** The response to the second request has a record. Before it is taken, the leader is elected anew with another record in its place, and a third request names the partition under the new epoch. */
const overtaken = script(`${opened} append elect append hear send take`)
/** The leader is elected anew with another record in the place of one that the follower has. While the follower cuts that, a request may be sent. */
const whileCut = script(`${opened} append take disk send handle elect take hear append send handle take send handle`)
/** A partition comes while the request that opens the session waits for another one. */
const whileOpening: ReadonlyArray<Step> = [
  ["leave", 0, 0],
  ["send", 0, 0],
  ["handle", 0, 0],
  ["append", 0, 0]
]
const examples: Array<[ReadonlyArray<Step>]> = [[overtaken], [whileCut], [whileOpening]]

/** Runs the examples, and as many drawn orders; returns the first fault. */
const found = async (order: keyof typeof orders, drawn: number, mutant?: string): Promise<string | undefined> => {
  const undo = mutant === undefined ? undefined : replicaMutants.find(({ name }) => name === mutant)?.plant?.()
  if (mutant !== undefined && undo === undefined) throw new Error(`There is no mutant ${mutant}.`)
  try {
    const property = fc.asyncProperty(orders[order] as fc.Arbitrary<ReadonlyArray<Step>>, async (steps) => (await faultOf(steps)) === undefined)
    const { counterexample, failed, seed } = await fc.check(property, { examples, numRuns: examples.length + drawn, endOnFailure: mutant !== undefined })
    const [steps] = counterexample ?? []
    return failed ? `${steps && (await faultOf(steps))}: seed ${seed}, ${JSON.stringify(counterexample)}` : undefined
  } finally {
    undo?.()
  }
}

for (const order of ["quiet", "any"] as const)
  test(`with two fetches under way no record is skipped or taken twice, no end is named that is not synced, and the follower reaches the leader's end, order ${order}`, async () => {
    expect(await found(order, 60)).toBeUndefined()
  })

for (const mutant of ["earlier-answer", "given-again", "fetch-before-sync", "named-while-cut"])
  test(`the same steps find the mistake ${mutant}`, async () => {
    expect(await found("any", 10, mutant)).toBeDefined()
  })
