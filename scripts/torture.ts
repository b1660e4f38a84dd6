/**
 * `./franz torture [OPTIONS]`: a leader and three brokers as processes, producers and readers of librdkafka, Kafka's Java client and our library, and faults in turn: kill -9 of partition
 * leaders, restarts, SIGSTOP, wiped and full disks, links that are cut, two of three brokers down. The checkers of the simulation judge what the clients saw and what the disks have.
 * With `--candidates` three candidates for the leader's role share a journal on three members of etcd, and they and etcd are tortured.
 * With `--coordinators` the brokers coordinate groups of these clients, and the coordinators are tortured.
 * Exits 1 where an invariant did not hold; then the data directories are kept.
 */
import { candidatesUsage, parseCandidatesOptions } from "./torture/candidates/options.ts"
import { shownCandidates, writeCandidates } from "./torture/candidates/report.ts"
import { tortureCandidates } from "./torture/candidates/run.ts"
import { coordinatorsUsage, parseCoordinatorsOptions } from "./torture/coordinators/options.ts"
import { shownCoordinators, writeCoordinators } from "./torture/coordinators/report.ts"
import { tortureCoordinators } from "./torture/coordinators/run.ts"
import { tailOf } from "./torture/nodes.ts"
import { parseOptions, UsageError, usage } from "./torture/options.ts"
import { shownReport, writeReport } from "./torture/report.ts"
import { torture } from "./torture/run.ts"

const given = process.argv.slice(2)
const ofCandidates = given.includes("--candidates")
const ofCoordinators = given.includes("--coordinators")
const usageOfForm = ofCandidates ? candidatesUsage : ofCoordinators ? coordinatorsUsage : usage
if (given.some((word) => word === "--help" || word === "-h")) {
  console.log(usageOfForm)
  process.exit(0)
}

/** The result of each form, and how its data is kept. */
interface Tortured {
  readonly command: string
  readonly text: string
  readonly complaints: ReadonlyArray<string>
  readonly directory: string
  readonly logFiles: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
  readonly remove: () => void
  readonly keep: () => void
  readonly isKept: boolean
}

const say = (line: string): void => console.error(line)
/** The command that injects the same faults in the same order. */
const commandOf = (seed: number): string => {
  const seeded = given.some((word) => word === "--seed" || word.startsWith("--seed=")) ? given : [...given, "--seed", String(seed)]
  return ["./franz torture", ...seeded].join(" ")
}

const ofReplicas = async (): Promise<Tortured> => {
  const options = parseOptions(given)
  const { directory, nodes, notes, report } = await torture(options, commandOf(options.seed), say)
  if (options.json !== undefined) writeReport(options.json, report)
  const { command, complaints } = report
  const { keep, logFiles, remove } = { keep: () => nodes.keep(), remove: () => nodes.remove(), logFiles: nodes.logFiles }
  return { text: shownReport(report), command, complaints, directory, logFiles, notes, remove, keep, isKept: options.keep }
}

const ofLeaders = async (): Promise<Tortured> => {
  const options = parseCandidatesOptions(given)
  const { cluster, directory, notes, report } = await tortureCandidates(options, commandOf(options.seed), say)
  if (options.json !== undefined) writeCandidates(options.json, report)
  const { command, complaints } = report
  const { logFiles, remove } = { logFiles: cluster.logFiles, remove: () => cluster.remove() }
  return { text: shownCandidates(report), command, complaints, directory, logFiles, notes, remove, keep: () => undefined, isKept: options.keep }
}

const ofGroups = async (): Promise<Tortured> => {
  const options = parseCoordinatorsOptions(given)
  const { directory, nodes, notes, report } = await tortureCoordinators(options, commandOf(options.seed), say)
  if (options.json !== undefined) writeCoordinators(options.json, report)
  const { command, complaints } = report
  const { logFiles, remove } = { logFiles: nodes.logFiles, remove: () => nodes.remove() }
  return { text: shownCoordinators(report), command, complaints, directory, logFiles, notes, remove, keep: () => undefined, isKept: options.keep }
}

const form = ofCandidates ? ofLeaders : ofCoordinators ? ofGroups : ofReplicas
const { command, complaints, directory, isKept, keep, logFiles, notes, remove, text } = await form().catch((cause: unknown) => {
  if (!(cause instanceof UsageError)) throw cause
  console.error(`franz torture: ${cause.message}\n${usageOfForm}`)
  return process.exit(2)
})

console.log(`\n${text}`)
const held = complaints.length === 0
if (held && !isKept) remove()
else keep()
if (!held) {
  for (const complaint of complaints) console.log(`DID NOT HOLD: ${complaint}`)
  for (const file of logFiles) console.log(`\nThe last lines of ${file}:\n${tailOf(file, 30)}`)
  console.log(`\nThe last notes of the clients:\n${notes.slice(-30).join("\n")}`)
  console.log(`\nThe data directories are kept in ${directory}. The same faults in the same order: ${command}`)
}
process.exit(held ? 0 : 1)
