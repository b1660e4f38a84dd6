import { Data } from "effect"
import type { Conflict, Fenced, Unknown } from "../ports/journal.ts"
import { LogFault } from "../ports/log-store.ts"

/** The leader cannot go on deciding on a stream: the node stops. The message says what happened and what to do. */
export class WriterStopped extends Data.TaggedError("WriterStopped")<{ readonly stream: string; readonly message: string; readonly cause?: unknown }> {}

/** The journal holds something that this version cannot read. Nothing is skipped (M3): the node does not start. */
export class UnreadableEvent extends Data.TaggedError("UnreadableEvent")<{
  readonly stream: string
  /** Its index in the stream; for a snapshot, the index that it was taken at. */
  readonly index: number
  /** The event's name, or "snapshot". */
  readonly type: string
  readonly message: string
}> {}

const shown = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** A part of the journal that was read long ago is damaged: the state is right as it stands, but the next start could not fold it again, and brokers could not follow it. */
export const damagedJournal = (stream: string, fault: LogFault): WriterStopped =>
  new WriterStopped({
    stream,
    cause: fault,
    message: `${stream}: the leader stops, since its journal is damaged, and a start would not come to the same state. ${fault.message}`
  })

/** Why an append that did not succeed ends the leadership. None of them is repeated: the answer of a repetition would not be the truth about the first try. */
export const stoppedBy = (fault: Conflict | Fenced | Unknown): WriterStopped => {
  const { stream } = fault
  switch (fault._tag) {
    case "Fenced":
      return new WriterStopped({
        stream,
        cause: fault,
        message: `${stream}: another leader took over under epoch ${fault.newerEpoch}, this one had ${fault.epoch}. This node stops leading; clients find the other by themselves.`
      })
    case "Conflict":
      return new WriterStopped({
        stream,
        cause: fault,
        message: `${stream}: the journal ends at ${fault.end}, this leader believed ${fault.expected}. Somebody else wrote to it. Make sure that one leader runs on this data, and start again.`
      })
    case "Unknown":
      if (fault.cause instanceof LogFault && fault.cause.reason === "corrupt") return damagedJournal(stream, fault.cause)
      return new WriterStopped({
        stream,
        cause: fault,
        message: `${stream}: nobody knows whether the last write to the journal was done (${shown(fault.cause)}). Check the disk and start again: the journal is read anew.`
      })
  }
}
