import type { LogReport, RepairReport } from "../../../domain/log/inspection.ts"
import type { Finding } from "../../../domain/log/verify.ts"
import { bold, dim } from "../shell/screen.ts"

const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`

/** Bytes in the largest fitting unit. */
const size = (bytes: number): string => {
  for (const [unit, scale] of [
    ["GiB", 1_073_741_824],
    ["MiB", 1_048_576],
    ["KiB", 1024]
  ] as const)
    if (bytes >= scale) return `${(bytes / scale).toFixed(1)} ${unit}`
  return count(bytes, "byte")
}

const positionOf = ({ file, offset, position }: Finding): string =>
  [file, ...(position === undefined ? [] : [`byte ${position}`]), ...(offset === undefined ? [] : [`offset ${offset}`])].join(", ")

/** A finding in three lines: its position, its meaning, what to do. */
const findingLines = (finding: Finding): ReadonlyArray<string> => [`  ${positionOf(finding)}`, `    ${finding.meaning}`, `    ${dim(finding.advice)}`]

/** A log in one line, and its findings below. */
export const verifyLines = (report: LogReport): ReadonlyArray<string> => {
  const { batches, bytes, end, events, findings, moreFindings, name, records, segments, start } = report
  const wrong = findings.length + moreFindings
  const offsets = start === end ? `empty at offset ${start}` : `offsets ${start}-${end - 1}`
  const holds = `${offsets}, ${count(segments, "segment")}, ${count(batches, "batch", "batches")}, ${count(records, "record")}, ${size(bytes)}`
  const folded = events === undefined ? "" : `, ${count(events, "event")} folded`
  return [
    `${bold(name)}  ${wrong === 0 ? "ok" : count(wrong, "finding")}  ${holds}${folded}`,
    ...findings.flatMap(findingLines),
    ...(moreFindings === 0 ? [] : [`  … and ${moreFindings} more`])
  ]
}

const lostLine = ({ from, to }: NonNullable<RepairReport["lost"]>, isDone: boolean): string =>
  to > from
    ? `  ${bold(isDone ? "LOST" : "LOSES")} offsets ${from} to ${to - 1}, as far as they can be counted. They may have been acknowledged. New messages will get these offsets again.`
    : `  ${bold(isDone ? "LOST" : "LOSES")} all messages from offset ${from} on. New messages will get these offsets again.`

export const repairLines = (report: RepairReport): ReadonlyArray<string> => {
  const { findings, kept, lost, name, refusal, remaining, steps } = report
  if (refusal !== undefined) return [`${bold(name)}  cannot be repaired here`, ...findings.flatMap(findingLines), `  ${refusal}`]
  if (steps.length === 0 && findings.length === 0) return [`${bold(name)}  ok`]
  const isDone = kept !== undefined
  return [
    `${bold(name)}  ${isDone ? "repaired" : count(findings.length, "finding")}`,
    ...(isDone ? [] : findings.flatMap(findingLines)),
    ...steps.map((step) => `  ${isDone ? "did" : "would"}: ${step}`),
    ...(lost === undefined ? [] : [lostLine(lost, isDone)]),
    ...(kept ?? []).map((file) => `  kept: ${file}`),
    ...((remaining?.length ?? 0) === 0 ? [] : [`  ${bold("not repaired:")}`, ...(remaining ?? []).flatMap(findingLines)])
  ]
}
