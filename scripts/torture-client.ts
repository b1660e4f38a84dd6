/**
 * `./franz torture-client [calls|group] [--kafka] [--minutes N] [--json FILE] [--story FILE] [--members kcat] [--pause SECONDS]`: the client library under faults, at a cluster of ours or, with --kafka, at Apache Kafka. `calls`: every
 * public call under every fault of the network and every lie of a broker, through a TCP proxy, over and over for its time. `group`: five members of a group, which are killed in turn
 * with the brokers; `--story` writes what happens to the members, with the second, `--members kcat` puts kcat in their place, and `--pause` is the time before each kill (4). Without a word both, with half of the time each (2 minutes). Exits 1 where a call took longer than its bound, a message was lost, or a client did not work again.
 */
import { appendFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import { type Cluster, startKafka, startOurs } from "./torture-client/cluster.ts"
import { faults } from "./torture-client/faults.ts"
import { type MemberKind, memberKinds, tortureGroup } from "./torture-client/group.ts"
import type { Outcome } from "./torture-client/matrix.ts"
import { operations } from "./torture-client/operations.ts"
import { runOverTcp } from "./torture-client/over-tcp.ts"

const usage = (message: string): never => {
  console.error(
    `franz torture-client: ${message}\nUsage: ./franz torture-client [calls|group] [--kafka] [--minutes N] [--json FILE] [--story FILE] [--members ${memberKinds.join("|")}]`
  )
  process.exit(2)
}
const { positionals, values } = (() => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        kafka: { type: "boolean" },
        minutes: { type: "string" },
        json: { type: "string" },
        story: { type: "string" },
        members: { type: "string" },
        pause: { type: "string" }
      }
    })
  } catch (cause) {
    return usage(cause instanceof Error ? cause.message : String(cause))
  }
})()
const unknown = positionals.find((word) => word !== "calls" && word !== "group")
if (unknown !== undefined) usage(`'${unknown}' is neither calls nor group.`)
const memberKind: MemberKind =
  memberKinds.find((kind) => kind === (values.members ?? "library")) ?? usage(`--members takes ${memberKinds.join(" or ")}, not '${values.members}'.`)
const minutes = Number(values.minutes ?? 2)
if (!(minutes > 0)) usage(`--minutes takes a number over 0, not '${values.minutes}'.`)
const pauseSeconds = Number(values.pause ?? 4)
if (!(pauseSeconds > 0)) usage(`--pause takes a number over 0, not '${values.pause}'.`)
const isWanted = (part: string): boolean => positionals.length === 0 || positionals.includes(part)
const secondsEach = (minutes * 60) / (isWanted("calls") && isWanted("group") ? 2 : 1)

const complaints: Array<string> = []
process.on("unhandledRejection", (cause) => void complaints.push(`unhandled rejection: ${String(cause)}`))
const complain = (complaint: string): void => {
  console.error(complaint)
  complaints.push(complaint)
}
/** How much longer than its bound a call may take on a busy machine, ms. */
const slackMs = 1500

const longest = (outcomes: ReadonlyArray<Outcome>): Outcome | undefined =>
  outcomes.reduce<Outcome | undefined>((most, one) => (most === undefined || one.waitedMs / one.boundMs > most.waitedMs / most.boundMs ? one : most), undefined)

/** Every call under every fault, one fault after another, until the time is over. */
const tortureCalls = async (cluster: Cluster) => {
  const isKafka = cluster.name !== "ours"
  const wanted = operations.filter(({ oursOnly }) => !(isKafka && oursOnly === true))
  const byFault = new Map<string, Array<Outcome>>()
  const totals = { confirmed: 0, lost: 0, twice: 0 }
  const until = performance.now() + secondsEach * 1000
  for (let nth = 0; nth < faults.length || performance.now() < until; nth++) {
    const fault = faults[nth % faults.length]
    if (fault === undefined) break
    const report = await runOverTcp({ leader: cluster.leader, operations: wanted, faults: [fault], forms: ["once", "lasting"], slackMs })
    byFault.set(fault.name, [...(byFault.get(fault.name) ?? []), ...report.outcomes])
    for (const one of report.outcomes) for (const complaint of one.complaints) complain(`${one.operation}, ${fault.name}, ${one.form}: ${complaint}`)
    totals.confirmed += report.confirmed
    totals.lost += report.lost
    totals.twice += report.twice
    console.error(`${fault.name}: ${report.outcomes.length} calls`)
  }
  if (totals.lost > 0 || totals.twice > 0) complaints.push(`${totals.lost} confirmed messages lost, ${totals.twice} stored twice`)
  const rows = [...byFault].map(([fault, outcomes]) => {
    const most = longest(outcomes)
    const strikes = outcomes.reduce((sum, one) => sum + one.strikes, 0)
    const failed = outcomes.filter(({ complaints: of }) => of.length > 0).length
    return { fault, calls: outcomes.length, strikes, failed, longest: `${most?.operation}: ${most?.waitedMs} of ${most?.boundMs} ms` }
  })
  console.log(
    `\nEvery call under every fault, at ${cluster.name}\n\n| fault | calls | injected | not as expected | longest wait, beside its bound |\n| --- | --- | --- | --- | --- |`
  )
  for (const row of rows) console.log(`| ${row.fault} | ${row.calls} | ${row.strikes} | ${row.failed} | ${row.longest} |`)
  console.log(`\n${totals.confirmed} messages confirmed, ${totals.lost} lost, ${totals.twice} stored twice.`)
  return { rows, totals }
}

const cluster = await (values.kafka === true ? startKafka() : startOurs())
const calls = isWanted("calls") ? await tortureCalls(cluster) : undefined
const storyFrom = performance.now()
const tell = (atMs: number, line: string): void => {
  if (values.story !== undefined) appendFileSync(values.story, `${((atMs - storyFrom) / 1000).toFixed(1)} ${line}\n`)
}
const group = isWanted("group")
  ? await tortureGroup(cluster, { kind: memberKind, seconds: secondsEach, pauseMs: pauseSeconds * 1000 }, (line) => console.error(line), tell)
  : undefined
await cluster.stop()
if (group !== undefined) {
  console.log(`\nFive members at ${cluster.name}: ${JSON.stringify(group, null, 2)}`)
  complaints.push(...group.complaints)
  if (group.lost > 0) complaints.push(`${group.lost} confirmed messages reached no member`)
  // The timers of a process that gets no processor time are late.
  if (group.longestSendMs > group.sendBoundMs + slackMs + group.longestStallMs)
    complaints.push(`a send took ${group.longestSendMs} ms, over its bound of ${group.sendBoundMs} ms, and a timer was ${group.longestStallMs} ms late at most`)
}
for (const complaint of complaints) console.log(`DID NOT HOLD: ${complaint}`)
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ command: `./franz torture-client ${process.argv.slice(2).join(" ")}`, calls, group, complaints }, null, 2)}\n`)
process.exit(complaints.length > 0 ? 1 : 0)
