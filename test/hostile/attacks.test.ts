import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { join } from "node:path"
import { attacks } from "../../scripts/attack/attacks.ts"
import { type Outcome, runAttack } from "../../scripts/attack/run.ts"

const root = join(import.meta.dir, "../..")
const program = [process.execPath, join(root, "src/programs/franz.ts")]
/** The short form: a fiftieth of each attack. `./franz attack` runs them whole, and measures. */
const amount = { seconds: 3, share: 0.02, memoryBytesMax: 1 << 30, seed: Number(process.env.FRANZ_ATTACK_SEED ?? 1) }

/** Two at a time: an attack waits for its node most of the time. */
const atOnce = 2
const outcomes = new Map<string, Promise<Outcome>>()

beforeAll(() => {
  const waiting = attacks.map((attack) => ({ attack, ...Promise.withResolvers<Outcome>() }))
  for (const { attack, promise } of waiting) {
    promise.catch(() => undefined)
    outcomes.set(attack.name, promise)
  }
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await runAttack(next.attack, program, amount).then(next.resolve, next.reject)
  }
  for (let nth = 0; nth < atOnce; nth++) void lane()
})
afterAll(async () => {
  await Promise.allSettled(outcomes.values())
})

describe(`attacks in their short form (FRANZ_ATTACK_SEED=${amount.seed})`, () => {
  for (const { about, name } of attacks)
    test(`${name}: ${about}`, async () => {
      const outcome = await outcomes.get(name)
      expect(outcome?.faults).toEqual([])
      // No honest client is refused, cut off or lied to.
      expect(outcome?.honest?.failures).toEqual([])
      expect(outcome?.honest?.acknowledged).toBeGreaterThan(0)
    }, 600_000)
})
