import { writeFileSync } from "node:fs"
import type { ClientKind } from "./clients.ts"
import type { FaultName } from "./fault-name.ts"
import { anyClient, type Pauses, type Quantiles, quantiles } from "./pauses.ts"

/** A fault that was injected. */
export interface Event {
  readonly fault: FaultName
  readonly what: string
  /** After the start of the load, s. */
  readonly atSeconds: number
  /** From the fault to the moment at which every replica was in sync and every client served, s. */
  readonly seconds: number
  /** When the steps of the fault were done, after its begin, s: "ended", "others serve", "started", "over". */
  readonly steps: Readonly<Record<string, number>>
  /** Errors that clients were told meanwhile, and retried. */
  readonly notes: number
  readonly pausesMs: Pauses
}

/** How many complaints say that an acknowledged message was lost (L1), stored twice (L4) or out of order (L5). */
interface Violations {
  readonly lost: number
  readonly storedTwice: number
  readonly outOfOrder: number
}
export const violationsOf = (complaints: ReadonlyArray<string>): Violations => {
  const count = (invariant: string): number => complaints.filter((complaint) => complaint.startsWith(`${invariant}:`)).length
  return { lost: count("L1"), storedTwice: count("L4"), outOfOrder: count("L5") }
}

export interface TortureReport extends Violations {
  readonly command: string
  readonly seed: number
  readonly seconds: number
  readonly clients: ReadonlyArray<ClientKind>
  readonly sent: number
  readonly acknowledged: number
  readonly unknown: number
  readonly failed: number
  readonly read: number
  /** Errors that clients were told and retried. */
  readonly noted: number
  /** The last of them. */
  readonly notes: ReadonlyArray<string>
  readonly events: ReadonlyArray<Event>
  readonly complaints: ReadonlyArray<string>
}

interface FaultRow {
  readonly fault: FaultName
  readonly events: number
  /** The time without an acknowledged message in a partition, ms, by client. */
  readonly pausesMs: Readonly<Record<string, Quantiles>>
  /** Until every replica was in sync again, ms. */
  readonly recoveryMs: Quantiles
}

const rowsOf = ({ clients, events }: TortureReport): ReadonlyArray<FaultRow> => {
  const byFault = new Map<FaultName, Array<Event>>()
  for (const event of events) byFault.set(event.fault, [...(byFault.get(event.fault) ?? []), event])
  return [...byFault].map(([fault, of]) => {
    const none = { p50: 0, p99: 0, max: 0 }
    const pauses = [anyClient, ...clients].map((name) => [name, quantiles(of.map(({ pausesMs }) => pausesMs[name] ?? 0)) ?? none] as const)
    return { fault, events: of.length, pausesMs: Object.fromEntries(pauses), recoveryMs: quantiles(of.map(({ seconds }) => seconds * 1000)) ?? none }
  })
}

const secondsOf = ({ max, p50, p99 }: Quantiles): string => [p50, p99, max].map((ms) => (ms / 1000).toFixed(1)).join(" / ")

/** The result as text. */
export const shownReport = (report: TortureReport): string => {
  const { acknowledged, clients, complaints, events, failed, lost, noted, outOfOrder, read, seconds, seed, sent, storedTwice, unknown } = report
  const names = [anyClient, ...clients]
  // The history of a run is judged as a whole: where there are several faults, it is not known which of them lost a message.
  const violations = complaints.length > 0 && rowsOf(report).length > 1 ? "see below" : `${lost}, ${storedTwice}, ${outOfOrder}`
  const lines = [
    `Time without an acknowledged acks=all message in a partition, s (p50 / p99 / maximum over the events); RF 3, min.insync.replicas 2`,
    "",
    `| fault | events | ${names.map((name) => (name === anyClient ? "any client" : name)).join(" | ")} | in sync again | lost, stored twice, out of order |`,
    `| --- | --- | ${names.map(() => "---").join(" | ")} | --- | --- |`,
    ...rowsOf(report).map(
      ({ events, fault, pausesMs, recoveryMs }) =>
        `| ${fault} | ${events} | ${names.map((name) => secondsOf(pausesMs[name] ?? { p50: 0, p99: 0, max: 0 })).join(" | ")} | ${secondsOf(recoveryMs)} | ${violations} |`
    ),
    "",
    `${events.length} faults in ${Math.round(seconds)} s, seed ${seed}: ${sent} messages sent, ${acknowledged} acknowledged, ${unknown} of unknown outcome, ${failed} failed, ${noted} errors retried, ${read} records read.`,
    `Acknowledged messages lost: ${lost}. Stored twice: ${storedTwice}. Out of order: ${outOfOrder}. ${
      complaints.length === 0 ? "The logs of all replicas are equal, and verify." : `${complaints.length} violations.`
    }`
  ]
  return lines.join("\n")
}

export const writeReport = (file: string, report: TortureReport): void => {
  writeFileSync(file, `${JSON.stringify({ ...report, faults: rowsOf(report) }, null, 2)}\n`)
}
