/**
 * `./franz compare [--nodes 1|3] [--only WORD]… [--all] [--json] | --docs`: starts a node of ours and Apache Kafka, asks both the same and prints in what they differ, with the
 * name of the case; then three nodes of each, which it stops and starts. --nodes does one of the two. What stays different and why is a list (accepted.ts in
 * test/interop/support/oracle and its folder three, told in docs/skipped.md): --all prints it too. Exits 1 where a difference is
 * not accepted, or where an accepted difference does not occur; 69 without Java; 64 for options it does not know.
 * --docs writes that list into docs/skipped.md and starts nothing.
 */
import { accepted, judged, reasonOf } from "../test/interop/support/oracle/accepted.ts"
import { Comparison } from "../test/interop/support/oracle/compare.ts"
import { writeDocs } from "../test/interop/support/oracle/docs.ts"
import type { Difference } from "../test/interop/support/oracle/normal.ts"
import { scenarios } from "../test/interop/support/oracle/scenarios.ts"
import { acceptedOfThree } from "../test/interop/support/oracle/three/accepted.ts"
import { ClusterComparison } from "../test/interop/support/oracle/three/compare.ts"
import { clusterScenarios } from "../test/interop/support/oracle/three/scenarios.ts"
import { kafkaAvailable } from "./bench/broker.ts"

const usage = "usage: ./franz compare [--nodes 1|3] [--only WORD]… [--all] [--json] | --docs"
const quit = (code: number, message: string): never => {
  console.error(message)
  process.exit(code)
}

const only: Array<string> = []
let all = false
let json = false
let nodes: string | undefined
const words = process.argv.slice(2)
for (let at = 0; at < words.length; at++) {
  if (words[at] === "--only" && words[at + 1] !== undefined) only.push((words[++at] as string).toLowerCase())
  else if (words[at] === "--nodes" && /^[13]$/.test(words[at + 1] ?? "")) nodes = words[++at]
  else if (words[at] === "--all") all = true
  else if (words[at] === "--json") json = true
  else if (words[at] === "--docs") {
    writeDocs()
    process.exit()
  } else if (words[at] === "--help") quit(0, usage)
  else quit(64, `There is no option '${words[at]}'. ${usage}`)
}
const isMeant = (name: string): boolean => only.length === 0 || only.some((word) => name.toLowerCase().includes(word))
const comparisons = [
  { nodes: "1", known: Object.keys(scenarios), list: accepted, open: () => Comparison.open() },
  { nodes: "3", known: Object.keys(clusterScenarios), list: acceptedOfThree, open: () => ClusterComparison.open() }
]
const parts = comparisons.filter((part) => (nodes === undefined || nodes === part.nodes) && part.known.some(isMeant))
if (parts.length === 0) quit(64, `No case is called so. There are: ${comparisons.flatMap(({ known }) => known).join(", ")}.`)
if (!kafkaAvailable()) quit(69, "Apache Kafka cannot be started: it needs Java 17 or later, and Maven to bring it once (scripts/kafka-peer.sh).")

const print = ({ at, kafkas, ours }: Difference, why: string | undefined): void => {
  if (json) return console.log(JSON.stringify({ at, ours, kafkas, why: why ?? null }))
  console.log(`${at}\n  ours   ${ours}\n  Kafka  ${kafkas}${why === undefined ? "" : `\n  why    ${why}`}`)
}

/** Runs the wanted cases with so many nodes; whether nothing is unexplained. */
const compared = async ({ known, list, open }: (typeof parts)[number]): Promise<boolean> => {
  const names = known.filter(isMeant)
  const comparison = await open()
  try {
    let unexpected = 0
    let explained = 0
    for (const name of names) {
      const found = await comparison.run(name)
      const judgement = judged(found, list)
      unexpected += judgement.unexpected.length
      explained += found.length - judgement.unexpected.length
      for (const difference of all ? found : judgement.unexpected) print(difference, reasonOf(difference, list))
    }
    // What is accepted can only be missed where every case was asked.
    const idle = only.length === 0 ? judged(comparison.differences(), list).idle : []
    for (const at of idle) console.error(`accepted, and not there any more: ${at}`)
    console.error(
      `${names.length} of ${known.length} groups, ${comparison.cases} answers: ${unexpected} unexplained differences, ${explained} explained by ${list.length} reasons${all ? "" : " (--all shows them)"}.`
    )
    return unexpected === 0 && idle.length === 0
  } finally {
    await comparison.close()
  }
}
let isExplained = true
for (const part of parts) if (!(await compared(part))) isExplained = false
process.exit(isExplained ? 0 : 1)
