import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { kafkaAvailable } from "../../scripts/bench/broker.ts"
import { accepted, judged } from "./support/oracle/accepted.ts"
import { Comparison } from "./support/oracle/compare.ts"
import { docs } from "./support/oracle/docs.ts"
import { scenarios } from "./support/oracle/scenarios.ts"
import { testWith } from "./support/peers.ts"

/**
 * The same requests to our node and to Apache Kafka, and their answers compared field by field, as `./franz compare` does it. What differs is a fault, unless
 * support/oracle/accepted.ts says why it stays.
 */
let comparison: Comparison

beforeAll(async () => {
  if (kafkaAvailable()) comparison = await Comparison.open()
}, 240_000)
afterAll(() => comparison?.close(), 60_000)

test("docs/skipped.md tells every accepted difference and why (./franz compare --docs writes it)", () => {
  const { after, before } = docs()
  expect(before).toBe(after)
})

describe("beside Apache Kafka", () => {
  for (const name of Object.keys(scenarios)) testWith(["java"], name, async () => expect(judged(await comparison.run(name)).unexpected).toEqual([]))

  testWith(["java"], "every accepted difference is still there, and says why", async () => {
    expect(judged(comparison.differences()).idle).toEqual([])
    expect(accepted.filter(({ why }) => !why.endsWith("."))).toEqual([])
  })
})
