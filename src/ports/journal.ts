import { Context, Data, type Effect, type Either, type Scope, type Stream } from "effect"
import type { Epoch } from "../../domain/kernel/id.ts"
import type { LogFault } from "./log-store.ts"

/** Another leader opened the stream under a newer epoch: this one must stop deciding. */
export class Fenced extends Data.TaggedError("Fenced")<{ readonly stream: string; readonly epoch: Epoch; readonly newerEpoch: Epoch }> {}
/** The lease of this leader is over, so that another candidate may lead: this one must stop deciding. */
export class LeaseOver extends Data.TaggedError("LeaseOver")<{ readonly stream: string; readonly epoch: Epoch; readonly message: string }> {}
/** The journal does not end where the writer expected: the writer must read on before it decides again. */
export class Conflict extends Data.TaggedError("Conflict")<{ readonly stream: string; readonly expected: number; readonly end: number }> {}
/** The disk took nothing of the append, and the stream is as it was before: a later append may succeed. */
export class NotWritten extends Data.TaggedError("NotWritten")<{ readonly stream: string; readonly cause: LogFault }> {}
/**
 * It is not known whether the append happened: the holder reads at that index, compares command ids, and never repeats
 * the append.
 */
export class Unknown extends Data.TaggedError("Unknown")<{ readonly stream: string; readonly cause: unknown }> {}

/** One event as it is stored: bytes that the journal does not interpret, and where they come from. */
export interface Entry {
  /** The id of the command that caused the event: an event has exactly one (M4). */
  readonly commandId: string
  /** The node, the client id with its address, or "leader", that submitted the command. */
  readonly actor: string
  /** The request or the timer behind the command, e.g. "CreateTopics", "session timeout". */
  readonly cause: string
  /** The event's name, e.g. "TopicAdded". It is the record's key, so that a consumer can filter by it. */
  readonly type: string
  /** The event as JSON, UTF-8. */
  readonly value: Uint8Array
}
export interface StoredEntry extends Entry {
  /** The record's offset in the stream. */
  readonly index: number
  /** When the entry was appended, ms since 1970. */
  readonly timestamp: number
}

/** A state from which a replay can start: the fold of every entry before `index`. */
export interface Snapshot {
  readonly index: number
  readonly value: Uint8Array
}

/** A process that can lead a stream: what the other candidates and the operator see of it in the engine. */
export interface Candidate {
  readonly nodeId: number
  /** HOST:PORT where clients and brokers reach it; undefined before its listener is open. */
  readonly address?: string | undefined
  /**
   * Waits until the process that leads under this epoch has ended, as far as this candidate can tell. An engine with leases may
   * let it lead then before that lease is over: a leader that lives all the same is fenced.
   */
  readonly gone?: ((epoch: Epoch) => Effect.Effect<void>) | undefined
}

/** A stream that this process leads. */
export interface Taken {
  readonly start: number
  /** The index of the next entry. */
  readonly end: number
  readonly epoch: Epoch
  /**
   * Fails when the stream is not held any more, and what decides by it must stop at once: another holder has it under
   * a newer epoch (Fenced), the lease is over (LeaseOver), or damage was found in entries that were durable (LogFault).
   */
  readonly lost: Effect.Effect<never, Fenced | LeaseOver | LogFault>
  /**
   * Whether this process still leads, by the lease and by what it has learned: looked at before each answer of a leader.
   * The process may have been stopped for long, so that `lost` has not failed yet; it fails with the first `false`.
   */
  readonly isHeld: () => boolean
}

/**
 * The ordered, durable events of the leader's aggregates, one stream each. A stream is a Kafka log (record batches, one
 * event a record), so `batches` can be sent to any consumer as they are. Every adapter passes the suite in
 * test/src/ports/journal.contract.ts.
 */
export class Journal extends Context.Tag("comanche-franz/Journal")<
  Journal,
  {
    /**
     * Waits until this candidate leads the stream, and takes it under a new epoch, one over the highest so far: holders
     * of older epochs are fenced. Over a file it leads at once, since the process holds the directory's lock. The
     * candidate stops leading when the scope closes.
     */
    readonly campaign: (stream: string, candidate: Candidate) => Effect.Effect<Taken, LogFault, Scope.Scope>
    /**
     * Durable when it returns. `expected` is the index of the first of `entries`. All entries of one call are one
     * batch: all or none survive a crash.
     */
    readonly append: (
      stream: string,
      epoch: Epoch,
      expected: number,
      entries: ReadonlyArray<Entry>
    ) => Effect.Effect<void, Fenced | LeaseOver | Conflict | NotWritten | Unknown>
    /**
     * Returns the durable entries from `from` on, those to come included, without end. A journal over files follows a
     * stream that this process holds, and fails with "offline" when it is released; over an engine of several
     * processes a standby follows what another leader appends.
     */
    readonly follow: (stream: string, from: number) => Stream.Stream<StoredEntry, LogFault>
    /** Returns durable record batches from the one that holds `from`, for Fetch: as PartitionLog.read. */
    readonly batches: (stream: string, from: number, maxBytes: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
    /**
     * Deletes whole segments before `index`; a snapshot at or after it must exist. Returns the index of the first entry
     * that is left.
     */
    readonly trim: (stream: string, index: number) => Effect.Effect<number, LogFault>
    /** Replaces the snapshot durably. A snapshot ahead of the durable entries is refused. */
    readonly saveSnapshot: (stream: string, snapshot: Snapshot) => Effect.Effect<void, LogFault>
    /** Returns the newest whole snapshot; undefined where there is none. */
    readonly loadSnapshot: (stream: string) => Effect.Effect<Snapshot | undefined, LogFault>
  }
>() {}
