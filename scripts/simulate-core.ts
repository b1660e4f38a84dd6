/**
 * `./franz simulate --core [--hours N | --count N] [--seed S] [--seconds S] [--story] [--mutants | --mutant NAME]`: the
 * functions of domain/cluster and domain/partition alone, without Effect: network, disks and clocks are data. Runs seeds
 * from `--seed` on, for `--hours` of simulated time (1) or `--count` seeds; `--seconds` is the time of faults in each
 * (100). The same seed is the same run: `--story` prints what happened in it. A seed that breaks an invariant is replayed
 * with fewer and fewer faults, and the shortest run is printed. Exits 1 where an invariant was broken, and where a long
 * run never reached one of the rare states. `--mutants` switches off each rule instead, and prints which seed finds it.
 */
import { parseArgs } from "node:util"
import { coreMutants } from "../test/simulation/core/mutants.ts"
import { coreOptions } from "../test/simulation/core/options.ts"
import { type Rules, realRules } from "../test/simulation/core/rules.ts"
import { shrink, storyOf } from "../test/simulation/core/shrink.ts"
import { simulateCore } from "../test/simulation/core/simulate.ts"
import { Sometimes } from "../test/simulation/core/sometimes.ts"

const usage = (message: string): never => {
  console.error(`simulate: ${message}\nUsage: ./franz simulate --core [--hours N | --count N] [--seed S] [--seconds S] [--story] [--mutants | --mutant NAME]`)
  process.exit(2)
}

const parsed = (args: ReadonlyArray<string>) => {
  const text = { type: "string" } as const
  const flag = { type: "boolean" } as const
  const options = { core: flag, hours: text, count: text, seed: text, seconds: text, story: flag, mutants: flag, mutant: text } as const
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : String(cause))
  }
}
const number = (name: string, text: string): number =>
  /^\d{1,9}(\.\d{1,3})?$/.test(text) && Number(text) > 0 ? Number(text) : usage(`--${name} ${text}: expected a number above 0.`)

/** Seconds of the processor that this process has used. */
const processorSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

const report = (seed: number, seconds: number, rules: Rules): void => {
  const options = coreOptions(seed, seconds)
  const found = simulateCore(options, rules)
  const { options: shorter, run, tries } = shrink(options, rules, found)
  console.log(
    `  shrunk from ${options.plan.length} steps to ${shorter.plan.length} in ${tries} tries: ${run.violations[0]?.invariant}: ${run.violations[0]?.message}`
  )
  for (const line of storyOf(shorter, rules)) console.log(`    ${line}`)
}

/** Runs seeds until one breaks an invariant; returns how many that took. */
const findMutants = (names: ReadonlyArray<string>, first: number, count: number, seconds: number, tells: boolean): number => {
  let missed = 0
  for (const { name, rules } of coreMutants.filter((mutant) => names.length === 0 || names.includes(mutant.name))) {
    const from = processorSeconds()
    let seed = first
    let violation: { readonly invariant: string; readonly message: string } | undefined
    for (; seed < first + count && violation === undefined; seed++) violation = simulateCore(coreOptions(seed, seconds), rules).violations[0]
    const found = violation === undefined ? `not found in ${count} seeds` : `found by seed ${seed - 1}, after ${seed - first} seeds: ${violation.invariant}`
    if (violation === undefined) missed++
    console.log(`${name}: ${found} (${(processorSeconds() - from).toFixed(1)} s)`)
    if (tells && violation !== undefined) report(seed - 1, seconds, rules)
  }
  return missed === 0 ? 0 : 1
}

export const simulateCoreCommand = (args: ReadonlyArray<string>): number => {
  const words = parsed(args)
  const first = words.seed === undefined ? 1 : number("seed", words.seed)
  const seconds = number("seconds", words.seconds ?? "100")
  if (words.mutant !== undefined && !coreMutants.some(({ name }) => name === words.mutant))
    usage(`there is no mutant '${words.mutant}': ${coreMutants.map(({ name }) => name).join(", ")}`)
  if (words.mutants === true || words.mutant !== undefined)
    return findMutants(
      words.mutant === undefined ? [] : [words.mutant],
      first,
      words.count === undefined ? 2000 : number("count", words.count),
      seconds,
      words.mutant !== undefined
    )
  const seeds = words.count === undefined ? Number.POSITIVE_INFINITY : number("count", words.count)
  const untilMs = words.count === undefined ? number("hours", words.hours ?? "1") * 3_600_000 : Number.POSITIVE_INFINITY
  const sometimes = new Sometimes()
  const sum = { ms: 0, faults: 0, records: 0, happenings: 0, runs: 0, broken: 0 }
  const from = processorSeconds()
  for (let seed = first; seed < first + seeds && sum.ms < untilMs; seed++) {
    const run = simulateCore(coreOptions(seed, seconds), realRules, words.story === true)
    sum.ms += run.simulatedMs
    sum.faults += run.faults
    sum.records += run.records
    sum.happenings += run.happenings
    sum.runs++
    sometimes.add(run.sometimes)
    for (const line of run.lines) console.log(line)
    const [violation] = run.violations
    if (violation !== undefined || seeds <= 20)
      console.log(
        `seed ${seed}: ${(run.simulatedMs / 1000).toFixed(1)} simulated seconds, ${violation === undefined ? "every invariant held" : `BROKEN ${violation.invariant}: ${violation.message}`}  ${run.fingerprint}`
      )
    if (violation === undefined) continue
    sum.broken++
    if (sum.broken <= 3) report(seed, seconds, realRules)
    console.log(`  again: ./franz simulate --core --seed ${seed} --count 1 --seconds ${seconds} --story`)
  }
  const spent = processorSeconds() - from
  const hours = sum.ms / 3_600_000
  for (const [state, count] of sometimes.all) console.log(`${String(count).padStart(9)}  ${state}`)
  console.log(
    `${sum.runs - sum.broken} of ${sum.runs} seeds from ${first} held; ${hours.toFixed(2)} simulated hours with ${sum.faults} faults and ${sum.records} records, in ${spent.toFixed(1)} s of one core (${Math.round(sum.ms / 1000 / spent)} simulated seconds a second)`
  )
  const missing = sometimes.missing(hours)
  if (missing.length > 0) console.log(`never reached in ${hours.toFixed(2)} hours: ${missing.join("; ")}`)
  return sum.broken === 0 && missing.length === 0 ? 0 : 1
}
