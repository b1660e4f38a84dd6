/**
 * `./franz simulate [--replicas|--groups] [--seed N] [--count N] [--seconds S] [--mutant NAME]`: the real leader, brokers and their clients in virtual time, with lost connections, cuts,
 * crashes that lose what was not synced, and slow disks, all drawn from a seed; then the checkers of test/simulation/checker read what happened. `--replicas`: three to five
 * brokers, topics with several replicas, and the faults that these survive. `--groups`: the same, and the brokers coordinate the groups, which the leader hands over. `--count` runs that many seeds from the first on; `--seconds` is the time of faults in each. The same
 * seed is the same run. Exits 1 when an invariant was broken, and says which seed shows it again.
 * `./franz simulate --core …` runs the functions of the domain alone (`simulate-core.ts`), `--candidates …` the candidates for the
 * leader's role over a simulated etcd (`simulate-candidates.ts`), and
 * `./franz simulate crash-images …` opens the disks that a power cut may leave.
 */
import { parseArgs } from "node:util"
import { mutants } from "../test/simulation/mutant/all.ts"
import { noMutant } from "../test/simulation/mutant/mutant.ts"
import { groupOptionsOf, optionsOf, replicatedOptionsOf } from "../test/simulation/options.ts"
import { type Run, simulate } from "../test/simulation/simulate.ts"
import { crashImages } from "./crash-images.ts"
import { simulateCandidatesCommand } from "./simulate-candidates.ts"
import { simulateCoreCommand } from "./simulate-core.ts"

const args = process.argv.slice(2)
if (args[0] === "crash-images") process.exit(await crashImages(args.slice(1)))
if (args.includes("--candidates")) process.exit(await simulateCandidatesCommand(args))
if (args.includes("--core")) process.exit(simulateCoreCommand(args))

const usage = (message: string): never => {
  console.error(`simulate: ${message}\nUsage: ./franz simulate [--replicas|--groups] [--seed N] [--count N] [--seconds S] [--mutant NAME]`)
  process.exit(2)
}
const wholeNumber = (name: string, text: string): number => (/^\d{1,9}$/.test(text) ? Number(text) : usage(`--${name} ${text}: expected a whole number.`))
const words = (() => {
  try {
    const options = {
      seed: { type: "string" },
      count: { type: "string" },
      seconds: { type: "string" },
      mutant: { type: "string" },
      replicas: { type: "boolean" },
      groups: { type: "boolean" }
    } as const
    return parseArgs({ args, options }).values
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : String(cause))
  }
})()

const first = wholeNumber("seed", words.seed ?? String(Date.now() % 1_000_000))
const count = wholeNumber("count", words.count ?? "1")
const seconds = wholeNumber("seconds", words.seconds ?? "30")
const mutant = words.mutant === undefined ? noMutant : mutants.find(({ name }) => name === words.mutant)
if (mutant === undefined) usage(`there is no mutant '${words.mutant}': ${mutants.map(({ name }) => name).join(", ")}`)

const hasGroups = words.groups === true || mutant?.isOfGroups === true
const isReplicated = words.replicas === true || mutant?.isReplicated === true

const compactionOf = ({ gapsAfterCrash, records, rounds }: Run["compactions"]): string =>
  rounds === 0 ? "" : `${rounds} rounds of compaction took ${records} records (${gapsAfterCrash} crashed logs had gaps), `

const started = performance.now()
let simulatedMs = 0
let broken = 0
for (let seed = first; seed < first + count; seed++) {
  const run = await simulate(
    hasGroups ? groupOptionsOf(seed, seconds) : isReplicated ? replicatedOptionsOf(seed, seconds) : optionsOf(seed, seconds),
    mutant ?? noMutant
  )
  simulatedMs += run.simulatedMs
  console.log(
    `seed ${seed}: ${run.events} events in ${Math.round(run.simulatedMs / 1000)} simulated seconds, ${compactionOf(run.compactions)}${run.violations.length === 0 ? "every invariant held" : "BROKEN"}  ${run.fingerprint}`
  )
  if (run.violations.length === 0) continue
  broken++
  for (const { invariant, message } of run.violations.slice(0, 10)) console.log(`  ${invariant}: ${message}`)
  if (count === 1) for (const line of run.lines) console.log(`    ${line}`)
  console.log(`  again, with what happened: ./franz simulate ${hasGroups ? "--groups " : isReplicated ? "--replicas " : ""}--seed ${seed} --seconds ${seconds}`)
}
const realSeconds = (performance.now() - started) / 1000
console.log(
  `${count - broken} of ${count} runs held; ${Math.round(simulatedMs / 1000)} simulated seconds in ${realSeconds.toFixed(1)} (${(simulatedMs / 1000 / realSeconds).toFixed(1)} a second)`
)
process.exit(broken === 0 ? 0 : 1)
