import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { candidateMutants } from "./mutants.ts"
import { candidateOptions } from "./options.ts"
import { answersOfLeaders } from "./reigns.ts"
import { simulateCandidates } from "./simulate.ts"

setDefaultTimeout(300_000)

/** Where the seeds of this run begin: a failure names the seed that shows it again. */
const first = Number(process.env.FRANZ_SEED ?? 1)
const faultSeconds = 15
/** Seeds after the likely one in which a planted mistake may show. */
const seedsForMutants = 20

describe("M1, M2, M4, M5, G1, G3, G4: candidates over a simulated etcd under faults, and one leader at rest afterwards", () => {
  test.each([first, first + 1])("seed %d", async (seed) => {
    const run = await simulateCandidates(candidateOptions(seed, faultSeconds))
    console.log(`seed ${seed}: ${run.faults} faults, ${run.reigns} leaders, ${run.events} events, ${run.answers} answers`)
    expect(run.violations).toEqual([])
    expect(run.answers).toBeGreaterThan(0)
  })
  test("the same seed is the same run, and another one is another run", async () => {
    const run = (seed: number) => simulateCandidates(candidateOptions(seed, 3))
    const [one, again, other] = [await run(first), await run(first), await run(first + 1)]
    expect(again.fingerprint).toBe(one.fingerprint)
    expect(other.fingerprint).not.toBe(one.fingerprint)
  })
})

describe("a planted mistake is caught", () => {
  test.each(candidateMutants.map((mutant) => [mutant.name, mutant] as const))("%s", async (_, mutant) => {
    const { likelySeconds: seconds, likelySeed, mistake } = mutant
    for (let seed = likelySeed; seed <= likelySeed + seedsForMutants; seed++) {
      const [found] = (await simulateCandidates(candidateOptions(seed, seconds), mutant)).violations
      if (found === undefined) continue
      console.log(`${mistake}. Seed ${seed}: ${found.invariant}: ${found.message.slice(0, 150)}`)
      return
    }
    expect(`${mutant.name} lived through ${seedsForMutants} seeds`).toBe("")
  })
})

test("an answer counts where its process led between the question and the answer", () => {
  const beat = (process: string, askedMs: number, answeredMs: number) => ({ process, broker: "broker-1", askedMs, answeredMs })
  const reigns = [
    { process: "a.1", fromMs: 100, untilMs: 5000 },
    { process: "b.1", fromMs: 6000, untilMs: 9000 }
  ]
  expect(answersOfLeaders([beat("a.1", 90, 110), beat("a.1", 5000, 5100), beat("b.1", 5500, 6000)], reigns)).toEqual([])
  for (const wrong of [beat("a.1", 5001, 5100), beat("b.1", 5500, 5900), beat("c.1", 100, 200)])
    expect(answersOfLeaders([wrong], reigns).map(({ invariant }) => invariant)).toEqual(["M5"])
})
