import { type History, type LogReading, partitionName, type TopicPartition } from "../history.ts"
import { recordsOf } from "./record-read.ts"
import { Findings, type Violation } from "./violation.ts"

/** A record that must be there from a position on, or a later one of its key. */
interface Promised {
  readonly value: string
  readonly key: string
  readonly at: number
  /** Who was promised it. */
  readonly by: string
}

/** Whether a reading shows all that the log had at that moment. */
const isWhole = ({ source }: LogReading): boolean => source !== "fetch"

/** What each compacted log has promised, by offset: what was acknowledged with acks=all, and what a disk had after a crash. */
const promises = (history: History, keyOf: ReadonlyMap<string, string>): ReadonlyMap<string, ReadonlyMap<number, Promised>> => {
  const { compacted, logs, sends } = history
  const found = new Map<string, Map<number, Promised>>()
  const promise = (place: TopicPartition, offset: number, value: string, at: number, by: string) => {
    const key = keyOf.get(value)
    if (key === undefined || !compacted.has(place.topic)) return
    const log = found.get(partitionName(place)) ?? new Map<number, Promised>()
    found.set(partitionName(place), log)
    if (at < (log.get(offset)?.at ?? Number.POSITIVE_INFINITY)) log.set(offset, { value, key, at, by })
  }
  for (const { completed, input, outcome, process } of sends)
    if (outcome._tag === "ok" && input.acks === "all") promise(outcome.value, outcome.value.offset, input.value, completed, process)
  for (const log of logs) if (log.source === "disk") for (const { offset, value } of recordsOf(log)) promise(log, offset, value, log.at, `a crash at ${log.at}`)
  return found
}

/** The highest offset of each key in a reading, by what their senders say, unless they were told that it failed. */
const latestOf = (log: LogReading, keyOf: ReadonlyMap<string, string>): ReadonlyMap<string, number> => {
  const latest = new Map<string, number>()
  for (const { offset, value } of recordsOf(log)) {
    const key = keyOf.get(value)
    if (key !== undefined) latest.set(key, Math.max(offset, latest.get(key) ?? -1))
  }
  return latest
}

/**
 * L1 of a compacted log: what was acknowledged with acks=all, and what a disk had after a crash, is at its offset in the final log and on every disk after a
 * later crash, or a record of the same key is behind it. L2 finds another value there.
 */
export const latestOfKeyStays = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L1")
  const keyOf = new Map(history.sends.flatMap(({ input, outcome }) => (input.key === undefined || outcome._tag === "fail" ? [] : [[input.value, input.key]])))
  const promised = promises(history, keyOf)
  for (const log of history.logs) {
    if (!isWhole(log) || !history.compacted.has(log.topic)) continue
    const there = new Map(recordsOf(log).map(({ offset, value }) => [offset, value]))
    const latest = latestOf(log, keyOf)
    for (const [offset, { at, by, key, value }] of promised.get(partitionName(log)) ?? []) {
      if (at >= log.since || there.has(offset) || (latest.get(key) ?? -1) > offset) continue
      findings.add(`"${value}" of key ${key} was at ${partitionName(log)}@${offset} (${by}); neither it nor a later one of its key is there (${log.source})`)
    }
  }
  return findings.list
}

/** Offsets of a compacted log rise, and each record is within its batch. */
export const rising = (log: LogReading, findings: Findings): void => {
  let next = 0
  for (const { baseOffset, lastOffset } of log.batches) {
    if (baseOffset < next || lastOffset < baseOffset)
      findings.add(`${partitionName(log)}: the batch ${baseOffset} to ${lastOffset} comes after ${next - 1} (${log.source})`)
    next = lastOffset + 1
  }
  let before = -1
  for (const { batch, offset } of recordsOf(log)) {
    if (offset <= before || offset < batch.baseOffset || offset > batch.lastOffset)
      findings.add(`${partitionName(log)}: offset ${offset} comes after ${before} in the batch ${batch.baseOffset} to ${batch.lastOffset} (${log.source})`)
    before = offset
  }
}

/** Readings of a log that has a gap: what compaction left, and nothing else may. */
export const gappedReadings = ({ compacted, logs }: History): ReadonlyArray<LogReading> =>
  logs.filter((log) => {
    if (!compacted.has(log.topic)) return false
    const records = recordsOf(log)
    return records.some(({ offset }, nth) => offset > (nth === 0 ? -1 : (records[nth - 1]?.offset ?? 0)) + 1)
  })
