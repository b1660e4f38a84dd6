/**
 * `./franz torture [OPTIONS]`: a leader and three brokers as processes, producers and readers of librdkafka, Kafka's Java client and our library, and faults in turn: kill -9 of partition
 * leaders, restarts, SIGSTOP, wiped and full disks, links that are cut, two of three brokers down. The checkers of the simulation judge what the clients saw and what the disks have.
 * Exits 1 where an invariant did not hold; then the data directories are kept.
 */
import { tailOf } from "./torture/nodes.ts"
import { parseOptions, UsageError, usage } from "./torture/options.ts"
import { shownReport, writeReport } from "./torture/report.ts"
import { torture } from "./torture/run.ts"

if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
  console.log(usage)
  process.exit(0)
}

const options = (() => {
  try {
    return parseOptions(process.argv.slice(2))
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    console.error(`franz torture: ${cause.message}\n${usage}`)
    return process.exit(2)
  }
})()

const given = process.argv.slice(2)
const seeded = given.some((word) => word === "--seed" || word.startsWith("--seed=")) ? given : [...given, "--seed", String(options.seed)]
const command = ["./franz torture", ...seeded].join(" ")
const { directory, nodes, notes, report } = await torture(options, command, (line) => console.error(line))

console.log(`\n${shownReport(report)}`)
if (options.json !== undefined) writeReport(options.json, report)
const held = report.complaints.length === 0
if (held && !options.keep) nodes.remove()
else nodes.keep()
if (!held) {
  for (const complaint of report.complaints) console.log(`DID NOT HOLD: ${complaint}`)
  for (const file of nodes.logFiles) console.log(`\nThe last lines of ${file}:\n${tailOf(file, 30)}`)
  console.log(`\nThe last notes of the clients:\n${notes.slice(-30).join("\n")}`)
  console.log(`\nThe data directories are kept in ${directory}. The same faults in the same order: ${command}`)
}
process.exit(held ? 0 : 1)
