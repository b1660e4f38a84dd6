import { describe, expect, test } from "bun:test"
import { mutants, smallBounds } from "../../../scripts/model/mutants.ts"
import { realRules } from "../../../scripts/model/rules.ts"
import { search } from "../../../scripts/model/search.ts"

/** The number of states alone ends a search: how long one takes says nothing of the rules. */
const limits = { milliseconds: Number.POSITIVE_INFINITY, states: 1_000_000 }

describe("R1-R4 in every state that the rules allow", () => {
  test.each([
    ["3 replicas, 1 record, 2 epochs, min ISR 1", {}],
    ["3 replicas, 1 record, 2 epochs, min ISR 2 with ELR", { minIsr: 2 }],
    ["2 replicas, 2 records, 3 epochs", { replicas: 2, records: 2, epochs: 3 }],
    [
      "2 replicas, copies of AlterPartition under way, followers that are fenced, a raised min ISR",
      { replicas: 2, alters: 2, fencesFollowers: true, raisesMinIsr: true }
    ],
    ["2 replicas, responses under way", { replicas: 2, records: 2, responses: true }],
    ["2 replicas, responses that are late", { replicas: 2, records: 2, lateResponses: true }],
    ["2 replicas, images that read old versions", { replicas: 2, records: 2, epochs: 3, readsOldVersions: true }],
    ["2 replicas, records that are deleted", { replicas: 2, minIsr: 2, powerCuts: true, fencesFollowers: true, deletesRecords: true }],
    ["2 replicas, power cuts at any moment, and lost disks", { replicas: 2, powerCuts: true, losesDisks: true }]
  ])(
    "%s",
    (name, bounds) => {
      const { depth, isWhole, milliseconds, states, violation } = search(realRules, { ...smallBounds, ...bounds }, limits)
      console.log(`${name}: ${states} states, depth ${depth}, ${(milliseconds / 1000).toFixed(1)} s`)
      expect([violation, isWhole]).toEqual([undefined, true])
    },
    600_000
  )
})

describe("a rule that is switched off breaks an invariant", () => {
  test.each(mutants.filter(({ isLong }) => !isLong).map((mutant) => [mutant.name, mutant] as const))(
    "%s",
    (name, { bounds, rules, start }) => {
      const { depth, states, violation } = search(rules, bounds, limits, true, start)
      console.log(`${name}: ${states} states, depth ${depth}`)
      expect(violation?.invariant).toBeDefined()
      expect(violation?.trace.length).toBe(depth)
    },
    600_000
  )
})

test("the start of a directed search breaks nothing by itself: with the rule the first 20,000 states behind it hold", () => {
  const directed = mutants.filter(({ start }) => start.length > 0)
  expect(directed.length).toBeGreaterThan(0)
  for (const { bounds, start } of directed) {
    const { states, violation } = search(realRules, bounds, { ...limits, states: 20_000 }, false, start)
    console.log(`behind ${start.length} steps: ${states} states`)
    expect(violation).toBeUndefined()
  }
}, 600_000)
