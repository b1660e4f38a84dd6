import { writeFileSync } from "node:fs"
import { type Quantiles, quantiles } from "../pauses.ts"
import { committing, producing } from "./group.ts"
import type { CandidateFaultName } from "./options.ts"
import { creating } from "./topics.ts"

/** What is measured: the time without a success of each. */
export const measured = [creating, committing, producing] as const
type Measured = (typeof measured)[number]

/** A fault that was injected. */
export interface CandidateEvent {
  readonly fault: CandidateFaultName
  readonly what: string
  /** After the start of the load, s. */
  readonly atSeconds: number
  /** From the fault to the moment at which all candidates were there again and everything had succeeded, s. */
  readonly seconds: number
  /** The longest time without a success, ms. */
  readonly pausesMs: Readonly<Record<Measured, number>>
  /** From the fault until another candidate had won, ms; undefined where the leader need not change. */
  readonly electedMs: number | undefined
  /** From then to the first success of CreateTopics, ms. */
  readonly createdAfterMs: number | undefined
}

export interface CandidatesReport {
  readonly command: string
  readonly seed: number
  readonly seconds: number
  readonly events: ReadonlyArray<CandidateEvent>
  readonly topicsCreated: number
  readonly topicsDeleted: number
  /** Requests for topics without success, by what was answered; clients repeat them. */
  readonly refused: Readonly<Record<string, number>>
  readonly commits: number
  readonly offsetReads: number
  /** Answers of leaders that were compared. */
  readonly leaderAnswers: number
  readonly entries: number
  readonly epochs: number
  readonly sent: number
  readonly acknowledged: number
  readonly complaints: ReadonlyArray<string>
}

const none = { p50: 0, p99: 0, max: 0 }
const rowsOf = ({ events }: CandidatesReport) =>
  [...new Set(events.map(({ fault }) => fault))].map((fault) => {
    const of = events.filter((event) => event.fault === fault)
    const quantilesOf = (value: (event: CandidateEvent) => number | undefined): Quantiles => quantiles(of.flatMap((event) => value(event) ?? [])) ?? none
    return {
      fault,
      events: of.length,
      pausesMs: Object.fromEntries(measured.map((name) => [name, quantilesOf(({ pausesMs }) => pausesMs[name])])),
      electedMs: quantilesOf(({ electedMs }) => electedMs),
      createdAfterMs: quantilesOf(({ createdAfterMs }) => createdAfterMs)
    }
  })

const shown = ({ max, p50, p99 }: Quantiles): string => (max === 0 ? "-" : [p50, p99, max].map((ms) => (ms / 1000).toFixed(2)).join(" / "))

/** A line for one fault. */
export const shownEvent = ({ atSeconds, createdAfterMs, electedMs, fault, pausesMs, seconds, what }: CandidateEvent, nth: number): string => {
  const minutes = `${Math.floor(atSeconds / 60)}:${String(Math.floor(atSeconds % 60)).padStart(2, "0")}`
  const pauses = measured.map((name) => `${name} ${(pausesMs[name] / 1000).toFixed(2)}`).join(", ")
  const elected = electedMs === undefined ? "" : `; another led after ${(electedMs / 1000).toFixed(2)} s, the next topic ${createdAfterMs?.toFixed(0)} ms later`
  return `${minutes}  ${nth} ${fault}: ${what}; without a success (s): ${pauses}${elected}; whole after ${seconds.toFixed(1)} s`
}

/** The result as text. */
export const shownCandidates = (report: CandidatesReport): string => {
  const { acknowledged, commits, complaints, entries, epochs, events, leaderAnswers, offsetReads, refused, seconds, seed, topicsCreated, topicsDeleted } =
    report
  const refusals = Object.entries(refused)
    .map(([why, count]) => `${count} ${why}`)
    .join(", ")
  return [
    "Time without a success, s (p50 / p99 / maximum over the events)",
    "",
    `| fault | events | ${measured.join(" | ")} | another candidate had won | and then the next topic |`,
    `| --- | --- | ${measured.map(() => "---").join(" | ")} | --- | --- |`,
    ...rowsOf(report).map(
      ({ createdAfterMs, electedMs, events: count, fault, pausesMs }) =>
        `| ${fault} | ${count} | ${measured.map((name) => shown(pausesMs[name] ?? none)).join(" | ")} | ${shown(electedMs)} | ${shown(createdAfterMs)} |`
    ),
    "",
    `${events.length} faults in ${Math.round(seconds)} s, seed ${seed}: ${topicsCreated} topics created and ${topicsDeleted} deleted (repeated: ${refusals || "none"}), ${commits} commits, ${acknowledged} messages; ${entries} events of ${epochs} epochs, ${leaderAnswers} answers of leaders and ${offsetReads} reads of committed offsets checked.`,
    complaints.length === 0
      ? "Acknowledged commands lost: 0. Two leaders at once: never. Committed offsets went back: never. Errors of producers, consumers and commits: 0."
      : `${complaints.length} violations.`
  ].join("\n")
}

export const writeCandidates = (file: string, report: CandidatesReport): void => {
  writeFileSync(file, `${JSON.stringify({ ...report, faults: rowsOf(report) }, null, 2)}\n`)
}
