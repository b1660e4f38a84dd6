import { Data } from "effect"
import { type Conflict, Fenced, LeaseOver, type Unknown } from "../ports/journal.ts"
import { LogFault } from "../ports/log-store.ts"

/**
 * A writer cannot continue to decide on its stream: the role that decides by it stops. The message says what happened and what to do. `reason`: another process leads
 * ("fenced"), the journal is damaged or in an unknown state ("journal"), it took no event and was not changed ("unwritten"), or an assertion of this process failed ("bug").
 */
export class WriterStopped extends Data.TaggedError("WriterStopped")<{
  readonly stream: string
  readonly reason: "fenced" | "journal" | "unwritten" | "bug"
  readonly message: string
  readonly cause?: unknown
}> {}

/** The journal holds an entry that this version cannot read. Nothing is skipped (M3): the node does not start. */
export class UnreadableEvent extends Data.TaggedError("UnreadableEvent")<{
  readonly stream: string
  /** The entry's index in the stream; for a snapshot, the index that it was taken at. */
  readonly index: number
  /** The event's name, or "snapshot". */
  readonly type: string
  readonly message: string
}> {}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** A part of the journal that was read long ago is damaged: the state in memory is right, but the next start could not fold it again, and brokers could not follow it. */
const damagedJournal = (stream: string, fault: LogFault): WriterStopped =>
  new WriterStopped({
    stream,
    reason: "journal",
    cause: fault,
    message: `${stream}: the leader stops, since its journal is damaged, and a start would not come to the same state. ${fault.message}`
  })

type AppendFault = Conflict | Fenced | LeaseOver | Unknown
type Reasons = { readonly [Tag in AppendFault["_tag"]]: (fault: Extract<AppendFault, { readonly _tag: Tag }>) => string }
const reasons: Reasons = {
  Fenced: ({ epoch, newerEpoch }) => `another leader holds epoch ${newerEpoch}, this one had ${epoch}. This node stops leading; clients find the other leader.`,
  LeaseOver: ({ message }) => `${message}. This node stops leading; a candidate that reaches etcd takes over.`,
  Conflict: ({ end, expected }) =>
    `the journal ends at ${end}, and this leader expected ${expected}: another process wrote to it. Make sure that one leader runs on this data directory, and start again.`,
  Unknown: ({ cause }) => `the result of the last write to the journal is unknown (${textOf(cause)}). Check the disk and start again: the journal is read anew.`
}

/** The faults after which another process leads, or may lead at any time. */
const fencing: ReadonlySet<AppendFault["_tag"]> = new Set(["Fenced", "LeaseOver"] as const)

/** Why an append that did not succeed ends the writer. No append is repeated: the answer to the repetition would not tell about the first attempt. */
export const stoppedBy = (given: AppendFault): WriterStopped => {
  const { stream } = given
  // The leadership was over before the result was settled: a successor reads it from the journal.
  const fault = given._tag === "Unknown" && (given.cause instanceof LeaseOver || given.cause instanceof Fenced) ? given.cause : given
  if (fault._tag === "Unknown" && fault.cause instanceof LogFault && fault.cause.reason === "corrupt") return damagedJournal(stream, fault.cause)
  const reasonOf = reasons[fault._tag] as (fault: AppendFault) => string
  return new WriterStopped({ stream, reason: fencing.has(fault._tag) ? "fenced" : "journal", cause: fault, message: `${stream}: ${reasonOf(fault)}` })
}

/** Why a writer ends whose stream is lost. */
export const lostBy = (stream: string, fault: Fenced | LeaseOver | LogFault): WriterStopped =>
  fault._tag === "LogFault" ? damagedJournal(stream, fault) : stoppedBy(fault)
