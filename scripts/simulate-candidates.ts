/**
 * `./franz simulate --candidates [--hours N | --count N] [--seed S] [--seconds S] [--story] [--mutants | --mutant NAME]`: two or three real
 * candidates for the leader's role over a simulated etcd, with brokers, members of a group and an operator as their load, in
 * virtual time. Runs seeds from `--seed` on, for `--hours` of simulated time (0.1) or `--count` seeds; `--seconds` is the time
 * of faults in each (30). The same seed is the same run: `--story` prints what happened in it. Exits 1 where an invariant was broken, and
 * where a long run never reached one of the rare states. `--mutants` plants each mistake instead, and prints which seed finds it.
 */
import { parseArgs } from "node:util"
import { candidateMutants, noCandidateMutant } from "../test/simulation/candidates/mutants.ts"
import { candidateOptions } from "../test/simulation/candidates/options.ts"
import { Reached } from "../test/simulation/candidates/reached.ts"
import { type CandidateRun, simulateCandidates } from "../test/simulation/candidates/simulate.ts"

const usage = (message: string): never => {
  console.error(
    `simulate: ${message}\nUsage: ./franz simulate --candidates [--hours N | --count N] [--seed S] [--seconds S] [--story] [--mutants | --mutant NAME]`
  )
  process.exit(2)
}

const parsed = (args: ReadonlyArray<string>) => {
  const text = { type: "string" } as const
  const flag = { type: "boolean" } as const
  const options = { candidates: flag, hours: text, count: text, seed: text, seconds: text, story: flag, mutants: flag, mutant: text } as const
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : String(cause))
  }
}
const numberOf = (name: string, text: string): number =>
  /^\d{1,9}(\.\d{1,3})?$/.test(text) && Number(text) > 0 ? Number(text) : usage(`--${name} ${text}: expected a number above 0.`)

/** Seconds of the processor that this process has used. */
const processorSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

const storyLinesMax = 100_000

/** Plants each mistake, and runs seeds until one breaks an invariant. */
const findMutants = async (name: string | undefined, first: number, count: number, seconds: number): Promise<number> => {
  let missed = 0
  for (const mutant of candidateMutants.filter((each) => name === undefined || each.name === name)) {
    const from = processorSeconds()
    let found: CandidateRun["violations"][number] | undefined
    let seed = first
    for (; seed < first + count && found === undefined; seed++) [found] = (await simulateCandidates(candidateOptions(seed, seconds), mutant)).violations
    const spent = (processorSeconds() - from).toFixed(1)
    if (found === undefined) missed++
    console.log(
      found === undefined
        ? `${mutant.name}: not found in ${count} seeds (${spent} s)`
        : `${mutant.name}: found by seed ${seed - 1}, after ${seed - first} seeds (${spent} s): ${found.invariant}: ${found.message.slice(0, 200)}`
    )
  }
  return missed === 0 ? 0 : 1
}

export const simulateCandidatesCommand = async (args: ReadonlyArray<string>): Promise<number> => {
  const words = parsed(args)
  const first = words.seed === undefined ? 1 : numberOf("seed", words.seed)
  const seconds = numberOf("seconds", words.seconds ?? "30")
  const mutant = words.mutant === undefined ? noCandidateMutant : candidateMutants.find(({ name }) => name === words.mutant)
  if (mutant === undefined) return usage(`there is no mutant '${words.mutant}': ${candidateMutants.map(({ name }) => name).join(", ")}`)
  const tells = words.story === true
  if (words.mutants === true || (words.mutant !== undefined && !tells))
    return findMutants(words.mutant, first, words.count === undefined ? 40 : numberOf("count", words.count), seconds)
  const seeds = words.count === undefined ? Number.POSITIVE_INFINITY : numberOf("count", words.count)
  const untilMs = words.count === undefined ? numberOf("hours", words.hours ?? "0.1") * 3_600_000 : Number.POSITIVE_INFINITY
  const reached = new Reached()
  const sum = { ms: 0, faults: 0, reigns: 0, events: 0, answers: 0, runs: 0, broken: 0 }
  const from = processorSeconds()
  for (let seed = first; seed < first + seeds && sum.ms < untilMs; seed++) {
    const run = await simulateCandidates(candidateOptions(seed, seconds), mutant, tells ? storyLinesMax : 0)
    sum.ms += run.simulatedMs
    sum.faults += run.faults
    sum.reigns += run.reigns
    sum.events += run.events
    sum.answers += run.answers
    sum.runs++
    reached.add(run.reached)
    for (const line of run.lines) console.log(line)
    const held = run.violations.length === 0
    if (!held || seeds <= 20)
      console.log(
        `seed ${seed}: ${(run.simulatedMs / 1000).toFixed(1)} simulated seconds, ${run.reigns} leaders, ${held ? "every invariant held" : "BROKEN"}  ${run.fingerprint}`
      )
    if (held) continue
    sum.broken++
    for (const { invariant, message } of run.violations.slice(0, 10)) console.log(`  ${invariant}: ${message}`)
    console.log(`  again: ./franz simulate --candidates --seed ${seed} --count 1 --seconds ${seconds} --story`)
  }
  const spent = processorSeconds() - from
  const hours = sum.ms / 3_600_000
  for (const [state, count] of reached.all) console.log(`${String(count).padStart(9)}  ${state}`)
  console.log(
    `${sum.runs - sum.broken} of ${sum.runs} seeds from ${first} held; ${hours.toFixed(2)} simulated hours with ${sum.faults} faults, ${sum.reigns} leaders, ${sum.events} events and ${sum.answers} answers, in ${spent.toFixed(1)} s of one core (${Math.round(sum.ms / 1000 / spent)} simulated seconds a second)`
  )
  const missing = reached.missing(hours)
  if (missing.length > 0) console.log(`never reached in ${hours.toFixed(2)} hours: ${missing.join("; ")}`)
  return sum.broken === 0 && missing.length === 0 ? 0 : 1
}
