import { describe, expect, test } from "bun:test"
import { runDamage } from "./damage.ts"
import { mutants, plant } from "./mutants.ts"
import { type Failure, runCrashImages } from "./run.ts"
import { type Workload, workloads } from "./workloads.ts"
import { realSystem, type System } from "./world.ts"

const imagesMin = 20_000
const line = ({ at, problem, seed, workload }: Failure): string => `${workload}, seed ${seed}, after ${at} changes: ${problem}`
const named = (name: string): Workload => workloads.find((one) => one.name === name) as Workload

describe("images of a power cut", () => {
  test(`L6, L9, L10: the real recovery opens ${imagesMin} disks that a power cut may leave`, async () => {
    const report = await runCrashImages({ count: imagesMin, seed: 1 })
    console.log(`${report.images} crash images (${report.again} after a second cut, in recovery), ${report.failures.length} failures`)
    expect(report.failures.map(line)).toEqual([])
    expect(report.images).toBeGreaterThanOrEqual(imagesMin)
    expect([...report.byWorkload.keys()].toSorted()).toEqual(workloads.map(({ name }) => name).toSorted())
  }, 600_000)

  test("the same seed opens the same images", async () => {
    const [one, other] = [await runCrashImages({ count: 400, seed: 9 }), await runCrashImages({ count: 400, seed: 9 })]
    expect({ ...one }).toEqual({ ...other })
  }, 120_000)

  test("L9: recovery never truncates damaged synced bytes silently", async () => {
    let tried = 0
    let offline = 0
    for (const name of ["append", "roll", "reopen"])
      for (let seed = 1; seed <= 6; seed++) {
        const report = await runDamage(realSystem, named(name), seed, 100)
        expect(report.failures).toEqual([])
        tried += report.tried
        offline += report.offline
      }
    console.log(`${tried} times damaged, ${offline} times offline`)
    expect(offline).toBeGreaterThan(tried * 0.9)
    expect(tried).toBeGreaterThan(500)
  }, 240_000)
})

const firstImage = async (system: System, only: ReadonlyArray<string>): Promise<string | undefined> => {
  const { failures, images } = await runCrashImages({ count: 12_000, seed: 1, system, only, failuresMax: 1 })
  return failures[0] === undefined ? undefined : `image ${images}, ${line(failures[0])}`
}

describe("a planted mistake is caught", () => {
  for (const mutant of mutants)
    test(`${mutant.name}: ${mutant.mistake}`, async () => {
      const { end, system } = await plant(mutant)
      try {
        const caught = mutant.only === "damage" ? (await runDamage(system, named("append"), 1, 100)).failures[0] : await firstImage(system, mutant.only)
        console.log(`${mutant.name}: ${caught}`)
        expect(caught).toBeDefined()
      } finally {
        end()
      }
    }, 240_000)
})
