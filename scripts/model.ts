/**
 * `./franz model [--records N] [--epochs N] [--replicas N] [--min-isr N] [--alters N] [--responses] [--late-responses] [--old-versions] [--no-power-cuts | --power-cuts N] [--lost-disks] [--fence-followers] [--raise-min-isr] [--delete-records] [--minutes M] [--mutants | --mutant NAME]`: searches every state that the functions of
 * domain/partition and domain/cluster/election.ts allow for one partition within these bounds, and checks the invariants of replication in each. Exits 1 where one is broken, with
 * the steps to it, and 3 where the time ended before all states were searched. `--mutants` switches off each rule instead, and prints where that was found; `--mutant NAME` one of them.
 */
import { parseArgs } from "node:util"
import { mutants } from "./model/mutants.ts"
import { realRules } from "./model/rules.ts"
import { search } from "./model/search.ts"

const usage = (message: string): never => {
  console.error(
    `model: ${message}\nUsage: ./franz model [--records N] [--epochs N] [--replicas N] [--min-isr N] [--alters N] [--responses] [--late-responses] [--old-versions] [--no-power-cuts | --power-cuts N] [--lost-disks] [--fence-followers] [--raise-min-isr] [--delete-records] [--minutes M] [--mutants | --mutant NAME]`
  )
  process.exit(2)
}
const number = { type: "string" } as const
const words = (() => {
  try {
    const options = {
      records: number,
      epochs: number,
      replicas: number,
      "min-isr": number,
      alters: number,
      responses: { type: "boolean" },
      "late-responses": { type: "boolean" },
      "old-versions": { type: "boolean" },
      "lost-disks": { type: "boolean" },
      "fence-followers": { type: "boolean" },
      "raise-min-isr": { type: "boolean" },
      "delete-records": { type: "boolean" },
      "no-power-cuts": { type: "boolean" },
      "power-cuts": number,
      minutes: number,
      mutant: number,
      mutants: { type: "boolean" }
    } as const
    return parseArgs({ args: process.argv.slice(2), options }).values
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : String(cause))
  }
})()
const wholeNumber = (name: "records" | "epochs" | "replicas" | "min-isr" | "alters" | "power-cuts" | "minutes", otherwise: number, least: number): number => {
  const text = words[name] ?? String(otherwise)
  return /^\d{1,3}$/.test(text) && Number(text) >= least ? Number(text) : usage(`--${name} ${text}: expected a whole number from ${least}.`)
}

const bounds = {
  records: wholeNumber("records", 1, 1),
  epochs: wholeNumber("epochs", 2, 1),
  replicas: wholeNumber("replicas", 3, 1),
  minIsr: wholeNumber("min-isr", 2, 1),
  alters: wholeNumber("alters", 1, 0),
  responses: words.responses === true,
  lateResponses: words["late-responses"] === true,
  readsOldVersions: words["old-versions"] === true,
  fencesFollowers: words["fence-followers"] === true,
  raisesMinIsr: words["raise-min-isr"] === true,
  deletesRecords: words["delete-records"] === true,
  losesDisks: words["lost-disks"] === true,
  powerCuts: words["no-power-cuts"] !== true,
  powerCutsMax: words["power-cuts"] === undefined ? Number.POSITIVE_INFINITY : wholeNumber("power-cuts", 1, 1)
}
// The key of a state has broker epochs as present or older ones: versions of before a restart need more.
if (bounds.readsOldVersions && bounds.powerCuts) usage("--old-versions: expected --no-power-cuts too.")
const minutes = wholeNumber("minutes", 5, 1)
/** As many as a search keeps in 4 GB. */
const statesMax = 8_000_000

const chosen = mutants.filter(({ name }) => (words.mutant === undefined ? words.mutants === true : name === words.mutant))
if (words.mutant !== undefined && chosen.length === 0) usage(`there is no mutant '${words.mutant}': ${mutants.map(({ name }) => name).join(", ")}`)
for (const { bounds, name, rules, start } of chosen) {
  const { depth, milliseconds, states, violation } = search(rules, bounds, { milliseconds: minutes * 60_000, states: statesMax }, true, start)
  console.log(`${name}: ${states} states, depth ${depth}, ${(milliseconds / 1000).toFixed(1)} s, ${violation?.invariant ?? "not found"}`)
  if (words.mutant !== undefined) for (const step of violation?.trace ?? []) console.log(`  ${step}`)
}
if (chosen.length > 0) process.exit(0)

console.log(JSON.stringify(bounds))
const progress = (states: number, depth: number, waiting: number) => console.log(`${states} states, depth ${depth}, ${waiting} to be searched`)
const { depth, isWhole, milliseconds, states, violation } = search(realRules, bounds, { milliseconds: minutes * 60_000, states: statesMax, progress }, false)
console.log(`${states} states, depth ${depth}, ${(milliseconds / 1000).toFixed(1)} s, ${isWhole ? "all searched" : "not all searched"}`)
if (violation !== undefined) {
  console.log(violation.invariant)
  const again = search(realRules, bounds, { milliseconds: 2 * minutes * 60_000, states: statesMax })
  for (const name of again.violation?.trace ?? []) console.log(`  ${name}`)
  process.exit(1)
}
if (!isWhole) process.exit(3)
