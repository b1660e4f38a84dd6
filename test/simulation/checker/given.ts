import type { BatchRead, History, JournalEvent, LogReading, Operation, Outcome, Polled, Send, Stored, Trim } from "../history.ts"
import { never } from "../history.ts"
import type { Violation } from "./violation.ts"

const nothing: History = {
  sends: [],
  polls: [],
  trims: [],
  logs: [],
  topics: [],
  journals: [],
  images: [],
  roles: [],
  differences: [],
  commits: [],
  offsetReads: [],
  partitions: new Map(),
  compacted: new Set(),
  replicated: new Set(),
  unfinished: []
}
export const given = (parts: Partial<History>): History => ({ ...nothing, ...parts })

export const ok = <A>(value: A): Outcome<A> => ({ _tag: "ok", value })
export const failed: Outcome<never> = { _tag: "fail", error: "MessageTooLarge" }
export const unknown: Outcome<never> = { _tag: "unknown", error: "OutcomeUnknown" }

/** A send of an idempotent producer to t-0 with acks=all, invoked and completed around `at`. */
export const sent = (value: string, outcome: number | Outcome<Stored>, at: number, input: Partial<Send> = {}): Operation<Send, Stored> => ({
  process: "producer-1",
  input: { topic: "t", partition: 0, value, acks: "all", idempotent: true, ...input },
  invoked: at,
  completed: typeof outcome === "number" || outcome._tag !== "unknown" ? at + 0.5 : never,
  outcome: typeof outcome === "number" ? ok({ topic: "t", partition: 0, offset: outcome }) : outcome
})

/** A DeleteRecords of t-0, invoked and completed around `at`. */
export const trimmed = (offset: number, outcome: Outcome<number>, at: number): Operation<Trim, number> => ({
  process: "trimmer.1",
  input: { topic: "t", partition: 0, offset },
  invoked: at,
  completed: outcome._tag === "unknown" ? never : at + 0.5,
  outcome
})

export const batch = (baseOffset: number, values: ReadonlyArray<string>, more: Partial<BatchRead> = {}): BatchRead => ({
  baseOffset,
  lastOffset: baseOffset + values.length - 1,
  leaderEpoch: 0,
  producerId: 7n,
  producerEpoch: 0,
  baseSequence: baseOffset,
  values,
  ...more
})
export const log = (source: LogReading["source"], at: number, ...batches: ReadonlyArray<BatchRead>): LogReading => ({
  topic: "t",
  partition: 0,
  source,
  since: at,
  at,
  batches
})
export const polled = (value: string, offset: number, more: Partial<Polled> = {}): Polled => ({
  topic: "t",
  partition: 0,
  at: 10,
  since: 9,
  process: "consumer-1",
  group: "g",
  generation: 1,
  memberId: "m1",
  offset,
  value,
  ...more
})

export const event = (index: number, json: { readonly _tag: string } & Record<string, unknown>, commandId = `c${index}`): JournalEvent => ({
  index,
  commandId,
  type: json._tag,
  json: JSON.stringify(json)
})

export const invariants = (violations: ReadonlyArray<Violation>): ReadonlyArray<string> => [...new Set(violations.map(({ invariant }) => invariant))]
