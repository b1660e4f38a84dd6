/**
 * `./franz attack [NAME…] [--minutes N] [--memory MIB] [--share PART] [--seed N] [--json FILE]`: attacks nodes of our own, one after the other, each in a memory cgroup of 1 GiB where the machine has them, with honest
 * clients beside. Tells for each what memory it reached, how long an honest client waited, what journal and log grew by, and whether the node served at once when it was over. Exits 1 where one did not hold.
 * `--minutes` is the time of all attacks together (5); `--share` makes each a part of its full size.
 */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { attacks } from "./attack/attacks.ts"
import { reportLines } from "./attack/report.ts"
import { runAttack } from "./attack/run.ts"

const usage = (message: string): never => {
  console.error(
    `franz attack: ${message}\nUsage: ./franz attack [NAME…] [--minutes N] [--memory MIB] [--share PART] [--seed N] [--json FILE]\nAttacks: ${attacks.map(({ name }) => name).join(", ")}.`
  )
  process.exit(2)
}
const { positionals, values } = (() => {
  try {
    const text = { type: "string" } as const
    return parseArgs({ allowPositionals: true, options: { minutes: text, memory: text, share: text, seed: text, json: text } })
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : String(cause))
  }
})()
const number = (name: "minutes" | "memory" | "share" | "seed", or: number): number => {
  const value = values[name] === undefined ? or : Number(values[name])
  return value > 0 ? value : usage(`--${name} takes a number over 0, not '${values[name]}'.`)
}
const unknown = positionals.find((word) => !attacks.some(({ name }) => name === word))
if (unknown !== undefined) usage(`there is no attack '${unknown}'.`)
const wanted = attacks.filter(({ name }) => positionals.length === 0 || positionals.includes(name))

const root = join(import.meta.dir, "..")
const binary = join(root, "dist/franz")
const program = existsSync(binary) ? [binary] : [process.execPath, join(root, "src/programs/franz.ts")]
if (program.length > 1) console.error("dist/franz is not there (./franz build): the program is attacked from its sources.")

const seconds = (number("minutes", 5) * 60) / wanted.length
const amount = { seconds, share: number("share", 1), memoryBytesMax: number("memory", 1024) * 1_048_576, seed: number("seed", 1) }
const outcomes = []
for (const [at, attack] of wanted.entries()) {
  console.error(`[${at + 1} of ${wanted.length}] ${attack.name}: ${attack.about}`)
  const outcome = await runAttack(attack, program, amount)
  outcomes.push(outcome)
  for (const fault of outcome.faults) console.error(`  DID NOT HOLD: ${fault}`)
}
console.log(reportLines(outcomes).join("\n"))
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ command: `./franz attack ${process.argv.slice(2).join(" ")}`, ...amount, outcomes }, null, 2)}\n`)
process.exit(outcomes.some(({ faults }) => faults.length > 0) ? 1 : 0)
