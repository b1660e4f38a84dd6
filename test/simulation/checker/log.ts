import { type History, type LogReading, type Operation, partitionName, type Send, type Stored, type TopicPartition } from "../history.ts"
import { latestOfKeyStays, rising } from "./compacted.ts"
import { type RecordRead, recordsOf } from "./record-read.ts"
import { Findings, type Violation } from "./violation.ts"

type Confirmed = Operation<Send, Stored> & { readonly outcome: { readonly _tag: "ok"; readonly value: Stored } }

const isConfirmed = (send: Operation<Send, Stored>): send is Confirmed => send.outcome._tag === "ok"
/** Those that no crash may remove: answered when they were on disk. */
const durablyConfirmed = ({ sends }: History): ReadonlyArray<Confirmed> => sends.filter(isConfirmed).filter(({ input }) => input.acks === "all")

/** The log of each partition as it was read when the run was over, by offset. */
const finalLogs = ({ logs }: History): ReadonlyMap<string, ReadonlyMap<number, RecordRead>> => {
  const found = new Map<string, ReadonlyMap<number, RecordRead>>()
  for (const log of logs) if (log.source === "final") found.set(partitionName(log), new Map(recordsOf(log).map((record) => [record.offset, record])))
  return found
}

const shown = (place: TopicPartition, offset: number): string => `${partitionName(place)}@${offset}`

/** Before which offset records of each partition may have been deleted: wherever a client asked for it and was not refused. */
const deletedBefore = ({ logs, trims }: History): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (const { input, outcome } of trims) {
    if (outcome._tag === "fail") continue
    // A deletion of all records has an unknown size unless the answer says it: at most what there is when the run is over.
    const ends = logs.filter((log) => log.source === "final" && partitionName(log) === partitionName(input)).map(({ end }) => end ?? 0)
    const offset = input.offset >= 0 ? input.offset : outcome._tag === "ok" ? outcome.value : Math.max(0, ...ends)
    found.set(partitionName(input), Math.max(found.get(partitionName(input)) ?? 0, offset))
  }
  return found
}

/** L1: every record that was acknowledged with acks=all is in the final log, exactly at its offset, unless it was deleted. For compacted topics see `latestOfKeyStays`. */
export const noLostAck = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L1")
  const logs = finalLogs(history)
  const deleted = deletedBefore(history)
  for (const { input, outcome, process } of durablyConfirmed(history)) {
    const log = logs.get(partitionName(outcome.value))
    if (log === undefined || history.compacted.has(outcome.value.topic) || outcome.value.offset < (deleted.get(partitionName(outcome.value)) ?? 0)) continue
    const found = log.get(outcome.value.offset)
    if (found?.value !== input.value)
      findings.add(
        `${process} was told that "${input.value}" is at ${shown(outcome.value, outcome.value.offset)}; there is ${found ? `"${found.value}"` : "nothing"}`
      )
  }
  return findings.list
}

/**
 * L2, as decision 0007 words it. One value for each (offset, leader epoch), for every reader. One value for each offset from the moment on at which it was
 * acknowledged with acks=all, and from the moment on at which a disk had it after a crash.
 */
export const oneValue = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L2")
  const byEpoch = new Map<string, string>()
  for (const log of history.logs)
    for (const { offset, value, batch } of recordsOf(log)) {
      const key = `${shown(log, offset)}e${batch.leaderEpoch}`
      const before = byEpoch.get(key)
      if (before !== undefined && before !== value) findings.add(`${key} was "${before}", and later "${value}"`)
      byEpoch.set(key, value)
    }
  settledValues(history, findings)
  lostFromDisk(history, findings)
  return findings.list
}

/** When an offset got its value for good. */
interface Settled {
  readonly value: string
  readonly at: number
}
const settledValues = (history: History, findings: Findings): void => {
  const settled = new Map<string, Settled>()
  const settle = (key: string, value: string, at: number) => {
    const before = settled.get(key)
    if (before === undefined || at < before.at) settled.set(key, { value, at })
  }
  for (const { completed, input, outcome } of durablyConfirmed(history)) settle(shown(outcome.value, outcome.value.offset), input.value, completed)
  // A replica may have records that the others lack, and cuts them off. What a consumer was given is on the disks of all in-sync replicas.
  for (const log of history.logs)
    if (history.replicated.has(log.topic) ? log.source === "fetch" : log.source === "disk")
      for (const { offset, value } of recordsOf(log)) settle(shown(log, offset), value, log.at)
  for (const polled of history.polls) if (history.replicated.has(polled.topic)) settle(shown(polled, polled.offset), polled.value, polled.at)
  const compare = (key: string, value: string, since: number, who: string) => {
    const truth = settled.get(key)
    if (truth !== undefined && since > truth.at && truth.value !== value)
      findings.add(`${key} was settled as "${truth.value}", and ${who} then gave "${value}"`)
  }
  for (const log of history.logs)
    if (log.source !== "disk" || !history.replicated.has(log.topic))
      for (const { offset, value } of recordsOf(log)) compare(shown(log, offset), value, log.since, log.source)
  for (const polled of history.polls) compare(shown(polled, polled.offset), polled.value, polled.since, `a poll of ${polled.process}`)
}

/** What a disk had after one crash it has after the next, and the final log has it too. */
const lostFromDisk = ({ logs, replicated }: History, findings: Findings): void => {
  const ends = new Map<string, number>()
  for (const log of logs) {
    if (log.source === "fetch" || replicated.has(log.topic)) continue
    const key = partitionName(log)
    const end = Math.max(log.end ?? 0, (log.batches.at(-1)?.lastOffset ?? -1) + 1)
    const before = ends.get(key) ?? 0
    if (end < before) findings.add(`${key} had offsets up to ${before - 1} on disk after a crash, and later up to ${end - 1} only (${log.source})`)
    ends.set(key, Math.max(before, end))
  }
}

/** L2 of a log with several replicas: what a consumer was given is in the final log, unless it was deleted. `settledValues` finds another value there. */
export const readStays = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L2")
  const logs = finalLogs(history)
  const deleted = deletedBefore(history)
  const look = (place: TopicPartition, offset: number, value: string, who: string) => {
    const name = partitionName(place)
    const log = logs.get(name)
    if (log === undefined || !history.replicated.has(place.topic) || history.compacted.has(place.topic) || offset < (deleted.get(name) ?? 0)) return
    if (!log.has(offset)) findings.add(`${who} gave "${value}" at ${shown(place, offset)}; there is nothing when the run is over`)
  }
  for (const log of history.logs) if (log.source === "fetch") for (const { offset, value } of recordsOf(log)) look(log, offset, value, "a fetch")
  for (const polled of history.polls) look(polled, polled.offset, polled.value, `a poll of ${polled.process}`)
  return findings.list
}

/** L3: every record that was read was sent to that partition, and not by a send that was answered "fail". */
export const noPhantom = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L3")
  const sent = new Map(history.sends.map((send) => [send.input.value, send]))
  const look = (place: TopicPartition, offset: number, value: string, who: string, key?: string | null) => {
    const send = sent.get(value)
    if (send === undefined) return findings.add(`${who} gave "${value}" at ${shown(place, offset)}, which no client sent`)
    const { partition, topic } = send.input
    if (topic !== place.topic || (partition !== undefined && partition !== place.partition))
      return findings.add(`${who} gave "${value}" at ${shown(place, offset)}; it was sent to ${topic}-${partition ?? "any"}`)
    if (key !== undefined && send.input.key !== undefined && key !== send.input.key)
      return findings.add(`${who} gave "${value}" at ${shown(place, offset)} with key ${key}; it was sent with ${send.input.key}`)
    if (send.outcome._tag === "fail")
      findings.add(`${who} gave "${value}" at ${shown(place, offset)}; its sender was told that it failed: ${send.outcome.error}`)
  }
  for (const log of history.logs) for (const { key, offset, value } of recordsOf(log)) look(log, offset, value, log.source, key)
  for (const polled of history.polls) look(polled, polled.offset, polled.value, `a poll of ${polled.process}`)
  return findings.list
}

/** L4: in any one log a (producer id, epoch, sequence) is at one offset, and so is each value of an idempotent producer; two acknowledged sends never share an offset, and none has a negative one. */
export const noDuplicates = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L4")
  const idempotent = new Set(history.sends.filter(({ input }) => input.idempotent).map(({ input }) => input.value))
  const finals = new Map<string, string>()
  for (const log of history.logs) {
    if (log.source !== "fetch") sequencesOnce(log, findings)
    if (log.source !== "final") continue
    for (const { offset, value } of recordsOf(log)) {
      const before = finals.get(value)
      if (before !== undefined && idempotent.has(value)) findings.add(`"${value}" of an idempotent producer is at ${before} and at ${shown(log, offset)}`)
      finals.set(value, shown(log, offset))
    }
  }
  const taken = new Map<string, string>()
  for (const { input, outcome } of durablyConfirmed(history)) {
    const key = shown(outcome.value, outcome.value.offset)
    const before = taken.get(key)
    if (outcome.value.offset < 0) findings.add(`"${input.value}" was acknowledged without an offset`)
    else if (before !== undefined) findings.add(`"${before}" and "${input.value}" were both told that they are at ${key}`)
    taken.set(key, input.value)
  }
  return findings.list
}

const sequencesOnce = (log: LogReading, findings: Findings): void => {
  const seen = new Map<string, number>()
  for (const { offset, batch } of recordsOf(log)) {
    if (batch.producerId < 0n) continue
    const key = `producer ${batch.producerId} epoch ${batch.producerEpoch} sequence ${batch.baseSequence + offset - batch.baseOffset}`
    const before = seen.get(key)
    if (before !== undefined) findings.add(`${key} is at ${shown(log, before)} and at ${shown(log, offset)} (${log.source})`)
    seen.set(key, offset)
  }
}

/** L5: what one session of an idempotent producer sent to one partition has rising offsets, in the order of the calls; a log has no gaps, and a batch as many records as offsets; in a compacted one offsets rise. */
export const producerOrder = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L5")
  const last = new Map<string, Stored & { readonly value: string }>()
  for (const { input, outcome, process } of [...durablyConfirmed(history)].sort((one, other) => one.invoked - other.invoked)) {
    if (!input.idempotent) continue
    const key = `${process} ${partitionName(outcome.value)}`
    const before = last.get(key)
    if (before !== undefined && before.offset >= outcome.value.offset)
      findings.add(
        `${process} sent "${before.value}" before "${input.value}"; they are at ${shown(before, before.offset)} and ${shown(outcome.value, outcome.value.offset)}`
      )
    last.set(key, { ...outcome.value, value: input.value })
  }
  const deleted = deletedBefore(history)
  for (const log of history.logs)
    if (history.compacted.has(log.topic)) rising(log, findings)
    else contiguous(log, deleted.get(partitionName(log)) ?? 0, findings)
  return findings.list
}

const contiguous = (log: LogReading, deletedBefore: number, findings: Findings): void => {
  const first = log.batches[0]?.baseOffset ?? 0
  let next = log.source === "fetch" || first <= deletedBefore ? first : 0
  for (const { baseOffset, lastOffset, values } of log.batches) {
    if (baseOffset !== next) findings.add(`the batch after ${shown(log, (next ?? 0) - 1)} begins at ${baseOffset} (${log.source})`)
    if (values.length !== lastOffset - baseOffset + 1)
      findings.add(`the batch at ${shown(log, baseOffset)} has ${values.length} records and ends at ${lastOffset} (${log.source})`)
    next = lastOffset + 1
  }
}

/** L7: the start of a log never goes back. A consumer that asks after the deletion does not read it; files may have it a while longer. */
export const startStays = (history: History): ReadonlyArray<Violation> => {
  const findings = new Findings("L7")
  for (const { completed, input, outcome } of history.trims) {
    if (outcome._tag !== "ok") continue
    const start = outcome.value
    const name = partitionName(input)
    for (const log of history.logs)
      if (log.source !== "disk" && log.since > completed && partitionName(log) === name)
        for (const { baseOffset, lastOffset } of log.batches)
          if (lastOffset < start) findings.add(`${name} starts at ${start}, and the batch at ${baseOffset} was read afterwards (${log.source})`)
    for (const polled of history.polls)
      if (polled.since > completed && partitionName(polled) === name && polled.offset < start)
        findings.add(`${name} starts at ${start}, and ${polled.process} was given ${polled.offset} afterwards`)
  }
  return findings.list
}

export const checkLog = (history: History): ReadonlyArray<Violation> => [
  ...noLostAck(history),
  ...latestOfKeyStays(history),
  ...oneValue(history),
  ...readStays(history),
  ...noPhantom(history),
  ...noDuplicates(history),
  ...producerOrder(history),
  ...startStays(history)
]
