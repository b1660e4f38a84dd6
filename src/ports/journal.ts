import { Context, Data, type Effect, type Either, type Scope, type Stream } from "effect"
import type { Epoch } from "../../domain/kernel/id.ts"
import type { LogFault } from "./log-store.ts"

/** Another leader holds a newer epoch: this one must stop deciding. */
export class Fenced extends Data.TaggedError("Fenced")<{ readonly stream: string; readonly epoch: Epoch; readonly newerEpoch: Epoch }> {}
/** The journal's end is not where the writer believed: it must read on before it decides again. */
export class Conflict extends Data.TaggedError("Conflict")<{ readonly stream: string; readonly expected: number; readonly end: number }> {}
/** The disk took nothing of the append, and the stream is as it was before: a later append may succeed. */
export class NotWritten extends Data.TaggedError("NotWritten")<{ readonly stream: string; readonly cause: LogFault }> {}
/** It is not known whether the append happened: the holder reads at that index, compares command ids, and never repeats the append. */
export class Unknown extends Data.TaggedError("Unknown")<{ readonly stream: string; readonly cause: unknown }> {}

/** One event as it is stored: opaque bytes to the journal, with what explains it. */
export interface Entry {
  /** The command that it came from: an event has exactly one (M4). */
  readonly commandId: string
  /** Who asked: a node, a client id with its address, or "leader". */
  readonly actor: string
  /** Why: the request or the timer behind the command, e.g. "CreateTopics", "session timeout". */
  readonly cause: string
  /** The event's name, e.g. "TopicAdded": the record's key, so that a person can filter. */
  readonly type: string
  /** The event as JSON, UTF-8. */
  readonly value: Uint8Array
}
export interface StoredEntry extends Entry {
  /** Its place in the stream: the record's offset. */
  readonly index: number
  /** When it was journalled, ms since 1970. */
  readonly timestamp: number
}

/** A state to start a replay from: the fold of every entry before `index`. */
export interface Snapshot {
  readonly index: number
  readonly value: Uint8Array
}

/** A stream that is held. */
export interface Taken {
  readonly start: number
  /** The index of the next entry. */
  readonly end: number
  readonly epoch: Epoch
  /** Fails when damage is found in entries that were durable: whoever leads by them must stop. */
  readonly damaged: Effect.Effect<never, LogFault>
}

/**
 * The ordered, durable memory of the leader's aggregates, one stream each. A stream is a Kafka log (record batches, one event a record), so `batches`
 * can be sent to any consumer as it is. Every adapter passes the suite in test/src/ports/journal.contract.ts.
 */
export class Journal extends Context.Tag("comanche-franz/Journal")<
  Journal,
  {
    /** Takes the stream under a new epoch (one over the highest seen); older holders are fenced. */
    readonly open: (stream: string) => Effect.Effect<Taken, LogFault, Scope.Scope>
    /** Durable when it returns. `expected` is the index of the first of `entries`. All entries of one call stand in one batch: all or none survive a crash. */
    readonly append: (stream: string, epoch: Epoch, expected: number, entries: ReadonlyArray<Entry>) => Effect.Effect<void, Fenced | Conflict | NotWritten | Unknown>
    /** Entries from `from` up to the durable end at the time of the call. */
    readonly read: (stream: string, from: number) => Stream.Stream<StoredEntry, LogFault>
    /** Durable record batches from the one that holds `from`, for Fetch: as PartitionLog.read. */
    readonly batches: (stream: string, from: number, maxBytes: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
    /** Lets go of whole segments before `index` (a snapshot at or after it must exist). */
    readonly trim: (stream: string, index: number) => Effect.Effect<void, LogFault>
    readonly saveSnapshot: (stream: string, snapshot: Snapshot) => Effect.Effect<void, LogFault>
    readonly loadSnapshot: (stream: string) => Effect.Effect<Snapshot | undefined, LogFault>
  }
>() {}
