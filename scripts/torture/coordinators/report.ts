import { writeFileSync } from "node:fs"
import type { ClientKind } from "../clients.ts"
import { type Pauses, type Quantiles, quantiles } from "../pauses.ts"
import type { CoordinatorFaultName } from "./options.ts"

/** A fault that was injected. */
export interface CoordinatorEvent {
  readonly fault: CoordinatorFaultName
  readonly what: string
  /** After the start of the load, s. */
  readonly atSeconds: number
  /** From the fault to the moment at which every replica was in sync and every group had committed, s. */
  readonly seconds: number
  /** From the fault until a broker answered for every group as its coordinator, ms. */
  readonly coordinatedMs: number
  /** The longest time without a successful commit, ms, by kind of the members. */
  readonly pausesMs: Pauses
}

interface GroupReport {
  readonly kind: ClientKind
  readonly group: string
  readonly processed: number
  readonly commits: number
  readonly refused: number
  readonly reads: number
}

export interface CoordinatorsReport {
  readonly command: string
  readonly seed: number
  readonly seconds: number
  readonly events: ReadonlyArray<CoordinatorEvent>
  readonly groups: ReadonlyArray<GroupReport>
  readonly sent: number
  readonly acknowledged: number
  readonly complaints: ReadonlyArray<string>
}

const none = { p50: 0, p99: 0, max: 0 }
const rowsOf = ({ events, groups }: CoordinatorsReport) =>
  [...new Set(events.map(({ fault }) => fault))].map((fault) => {
    const of = events.filter((event) => event.fault === fault)
    const quantilesOf = (value: (event: CoordinatorEvent) => number): Quantiles => quantiles(of.map(value)) ?? none
    return {
      fault,
      events: of.length,
      pausesMs: Object.fromEntries(groups.map(({ kind }) => [kind, quantilesOf(({ pausesMs }) => pausesMs[kind] ?? 0)])),
      coordinatedMs: quantilesOf(({ coordinatedMs }) => coordinatedMs),
      recoveryMs: quantilesOf(({ seconds }) => seconds * 1000)
    }
  })

const shown = ({ max, p50, p99 }: Quantiles): string => [p50, p99, max].map((ms) => (ms / 1000).toFixed(1)).join(" / ")

/** A line for one fault. */
export const shownEvent = ({ atSeconds, coordinatedMs, fault, pausesMs, seconds, what }: CoordinatorEvent, nth: number): string => {
  const minutes = `${Math.floor(atSeconds / 60)}:${String(Math.floor(atSeconds % 60)).padStart(2, "0")}`
  const pauses = Object.entries(pausesMs).map(([name, ms]) => `${name} ${(ms / 1000).toFixed(2)}`)
  return `${minutes}  ${nth} ${fault}: ${what}; without a commit (s): ${pauses.join(", ")}; coordinated after ${(coordinatedMs / 1000).toFixed(2)} s, whole after ${seconds.toFixed(1)} s`
}

/** The result as text. */
export const shownCoordinators = (report: CoordinatorsReport): string => {
  const { acknowledged, complaints, events, groups, seconds, seed, sent } = report
  const kinds = groups.map(({ kind }) => kind)
  const told = groups.map(
    ({ commits, kind, processed, reads, refused }) =>
      `${kind} ${processed} records processed, ${commits} commits and ${refused} repeated, ${reads} reads of offsets`
  )
  return [
    "Time without a successful commit, s (p50 / p99 / maximum over the events); groups in partitions with RF 3",
    "",
    `| fault | events | ${kinds.join(" | ")} | a broker coordinates again | in sync again |`,
    `| --- | --- | ${kinds.map(() => "---").join(" | ")} | --- | --- |`,
    ...rowsOf(report).map(
      ({ coordinatedMs, events: count, fault, pausesMs, recoveryMs }) =>
        `| ${fault} | ${count} | ${kinds.map((kind) => shown(pausesMs[kind] ?? none)).join(" | ")} | ${shown(coordinatedMs)} | ${shown(recoveryMs)} |`
    ),
    "",
    `${events.length} faults in ${Math.round(seconds)} s, seed ${seed}: ${sent} messages sent, ${acknowledged} acknowledged; ${told.join("; ")}.`,
    complaints.length === 0
      ? "Committed offsets went back: never. Rebalances: 0. Every group processed every acknowledged message once, and committed it."
      : `${complaints.length} violations.`
  ].join("\n")
}

export const writeCoordinators = (file: string, report: CoordinatorsReport): void => {
  writeFileSync(file, `${JSON.stringify({ ...report, faults: rowsOf(report) }, null, 2)}\n`)
}
