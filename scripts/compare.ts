/**
 * `./franz compare [--only WORD]… [--all] [--json] | --docs`: starts a node of ours and Apache Kafka, asks both the same and prints in what they differ, with the name of the
 * case. What stays different and why is a list (test/interop/support/oracle/accepted.ts, told in docs/skipped.md): --all prints it too. Exits 1 where a difference is
 * not accepted, or where an accepted difference does not occur; 69 without Java; 64 for options it does not know.
 * --docs writes that list into docs/skipped.md and starts nothing.
 */
import { accepted, judged, reasonOf } from "../test/interop/support/oracle/accepted.ts"
import { Comparison } from "../test/interop/support/oracle/compare.ts"
import { writeDocs } from "../test/interop/support/oracle/docs.ts"
import type { Difference } from "../test/interop/support/oracle/normal.ts"
import { scenarios } from "../test/interop/support/oracle/scenarios.ts"
import { kafkaAvailable } from "./bench/broker.ts"

const usage = "usage: ./franz compare [--only WORD]… [--all] [--json] | --docs"
const quit = (code: number, message: string): never => {
  console.error(message)
  process.exit(code)
}

const only: Array<string> = []
let all = false
let json = false
const words = process.argv.slice(2)
for (let at = 0; at < words.length; at++) {
  if (words[at] === "--only" && words[at + 1] !== undefined) only.push((words[++at] as string).toLowerCase())
  else if (words[at] === "--all") all = true
  else if (words[at] === "--json") json = true
  else if (words[at] === "--docs") {
    writeDocs()
    process.exit()
  } else if (words[at] === "--help") quit(0, usage)
  else quit(64, `There is no option '${words[at]}'. ${usage}`)
}
const names = Object.keys(scenarios).filter((name) => only.length === 0 || only.some((word) => name.toLowerCase().includes(word)))
if (names.length === 0) quit(64, `No case is called so. There are: ${Object.keys(scenarios).join(", ")}.`)
if (!kafkaAvailable()) quit(69, "Apache Kafka cannot be started: it needs Java 17 or later, and Maven to bring it once (scripts/kafka-peer.sh).")

const print = ({ at, kafkas, ours }: Difference): void => {
  const why = reasonOf({ at, kafkas, ours })
  if (json) return console.log(JSON.stringify({ at, ours, kafkas, why: why ?? null }))
  console.log(`${at}\n  ours   ${ours}\n  Kafka  ${kafkas}${why === undefined ? "" : `\n  why    ${why}`}`)
}

const comparison = await Comparison.open()
try {
  let unexpected = 0
  let explained = 0
  for (const name of names) {
    const found = await comparison.run(name)
    const judgement = judged(found)
    unexpected += judgement.unexpected.length
    explained += found.length - judgement.unexpected.length
    for (const difference of all ? found : judgement.unexpected) print(difference)
  }
  // What is accepted can only be missed where every case was asked.
  const idle = only.length === 0 ? judged(comparison.differences()).idle : []
  for (const at of idle) console.error(`accepted, and not there any more: ${at}`)
  console.error(
    `${names.length} of ${Object.keys(scenarios).length} groups, ${comparison.cases} answers: ${unexpected} unexplained differences, ${explained} explained by ${accepted.length} reasons${all ? "" : " (--all shows them)"}.`
  )
  process.exitCode = unexpected === 0 && idle.length === 0 ? 0 : 1
} finally {
  await comparison.close()
}
process.exit()
