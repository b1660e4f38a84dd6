import { Context, Data, type Effect, type Either, type Scope } from "effect"
import type { Offset, TopicId } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { SegmentExtent } from "../../domain/log/retention.ts"
import type { Compacted, CompactionOrder } from "./compaction.ts"
import type { DerivedDocuments } from "./derived-documents.ts"

/**
 * The disk said no. `reason` tells the caller what is left to do:
 * "full": appends fail until there is room, reads go on; "read-only": the same, until the mount changes; "corrupt": bytes before the end are damaged,
 * the partition is offline until somebody repairs it; "io": any other error; "offline": an earlier fault (a failed fsync is never repeated) closed this log.
 */
export class LogFault extends Data.TaggedError("LogFault")<{
  readonly path: string
  readonly reason: "full" | "read-only" | "corrupt" | "io" | "offline"
  /** What happened, where, and what to do: a sentence or two for the person who reads the log. */
  readonly message: string
  readonly cause?: unknown
}> {}

/** Another process holds the data directory. `holder` is what its lock says, e.g. "pid 4711". */
export class DirectoryLocked extends Data.TaggedError("DirectoryLocked")<{ readonly path: string; readonly holder: string; readonly message: string }> {}
/** The directory was written by another cluster or another node. */
export class ForeignDirectory extends Data.TaggedError("ForeignDirectory")<{ readonly path: string; readonly message: string }> {}

/** Who owns a data directory: as Kafka's meta.properties. `clusterId` is undefined until the node has met its cluster. */
export interface DirectoryIdentity {
  readonly clusterId: string | undefined
  readonly nodeId: number
}

/** How one partition's log is kept; the names are Kafka's (`segment.bytes`, `segment.ms`, `index.interval.bytes`, `segment.index.bytes`, `file.delete.delay.ms`). */
export interface LogConfig {
  readonly segmentBytesMax: number
  readonly segmentMs: number
  readonly indexIntervalBytes: number
  readonly segmentIndexBytesMax: number
  /** How long the files of a segment stay after the log has let go of it, ms. */
  readonly fileDeleteDelayMs: number
  /** Opening reads every batch, and fails "corrupt" at the first that is damaged: for a log that is folded whole. Otherwise an orderly end is trusted but for its last batches. */
  readonly readsWholeAtOpen?: boolean
  /** The log was there before: where it has no segment now it is lost, and opening fails "corrupt" instead of making an empty one. */
  readonly wasThere?: boolean
}
export const defaultLogConfig: LogConfig = {
  segmentBytesMax: 1_073_741_824,
  segmentMs: 604_800_000,
  indexIntervalBytes: 4096,
  segmentIndexBytesMax: 10_485_760,
  fileDeleteDelayMs: 60_000
}

/**
 * One partition's log: an ordered run of record batches, open for one writer. All methods but `sync` and `deleteBefore` are plain and answer at once:
 * Produce and Fetch go through them, and a wait would cost an Effect. A view that `read` gives may be shared memory: nobody writes to it.
 */
export interface PartitionLog {
  /** The first offset that is still there. */
  readonly start: () => Offset
  /** The offset that the next record will get. */
  readonly end: () => Offset
  /** Everything before this offset survives a power cut. */
  readonly syncedEnd: () => Offset
  /** What it answers to everything, since it went offline, was found damaged or was closed; undefined while it works. Costs nothing, and tells nobody that somebody reads. */
  readonly refusal: () => LogFault | undefined
  /** Its segments, the oldest first; the last one is still written, and may be empty. */
  readonly segments: () => ReadonlyArray<SegmentExtent>
  /** Keeps the log by other settings from now on; what was written stays as it is. */
  readonly configure: (config: LogConfig) => void
  /** Adds batches whose offsets were assigned already, the first at `end()`. Readable when it returns, durable only after `sync`. All or nothing. Keeps none of their memory. */
  readonly append: (batches: ReadonlyArray<RecordBatch>) => Either.Either<void, LogFault>
  /** Everything appended before the call is durable when it returns. Waiting callers share one fdatasync; a failed one closes the log for good (reason "offline" afterwards). */
  readonly sync: Effect.Effect<void, LogFault>
  /**
   * Whole batches as views, from the one that holds `from`, as many as fit `maxBytes`; the first is given even if it is larger. Empty at the end.
   * A view is a run of one or more batches, one after the other.
   * Batches with a base offset at or over `upTo` are left out. `from` below `start()` or over `end()` is the caller's to refuse.
   */
  readonly read: (from: Offset, maxBytes: number, upTo: Offset) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  /** The first batch that ends after `from` and whose max timestamp is at least `timestamp` (ms), by the time index. The caller opens it where it needs the record's own offset. */
  readonly batchAtTime: (timestamp: number, from?: Offset) => Either.Either<RecordBatch | undefined, LogFault>
  /**
   * Calls `visit` with every batch from `from` on, in order, for rebuilding what is derived (producer state). Only the 61 header bytes of the view need be there.
   * A long log is read in slices: others are served in between, and may append.
   */
  readonly scan: (from: Offset, visit: (batch: RecordBatch) => void) => Effect.Effect<void, LogFault>
  /** What is derived from the batches and lies beside them. */
  readonly derived: DerivedDocuments
  /**
   * Drops whole segments that end at or before `offset`; `start()` rises to the first batch kept. A segment that is still written is ended first if all of it goes.
   * The segments are gone for good when it returns; their files go after `fileDeleteDelayMs`, or when the log is opened next.
   */
  readonly deleteBefore: (offset: Offset) => Effect.Effect<void, LogFault>
  /** Everything before it was compacted: 0 for a log that never was, or where that is not known any more. */
  readonly cleanEnd: () => Offset
  /**
   * One round of compaction over sealed segments: of each key the latest record stays. Offsets stay what they are, so some are missing afterwards: `read` from one of them gives
   * the next batch that is there. In the background, a slice of the loop's time at a time; it may be interrupted at any point and loses nothing. One round at a
   * time. A segment that is damaged ends it with "corrupt", and nothing is changed.
   */
  readonly compact: (order: CompactionOrder) => Effect.Effect<Compacted, LogFault>
  /**
   * Calls `heard` (the one that was given last) when the log goes offline by itself, perhaps in what nobody asked for or waits for: from then on all answers are that
   * fault. "corrupt" where damage was found; "offline" where nobody knows what the disk holds. Not when it is closed, nor with its whole directory, which tells itself.
   */
  readonly onDamage: (heard: (fault: LogFault) => void) => void
}

/** One of the directories that a node keeps its logs in. */
export interface LogDirectory {
  readonly path: string
  /** Why it serves nothing until the node is started again; undefined while it works. */
  readonly fault: () => LogFault | undefined
  /** Returns when it goes offline, at once if it has: a sync failed, or its device. */
  readonly failed: Effect.Effect<LogFault>
  /** The logs that lie in it; none while it is offline. Throws what the platform throws. */
  readonly logs: () => ReadonlyArray<{ readonly topicId: TopicId; readonly partition: number }>
  /** Bytes of its volume; undefined while it is offline, and where the system does not say. Throws what the platform throws. */
  readonly space: () => { readonly totalBytes: number; readonly usableBytes: number } | undefined
}

/** The logs of a node's data directories, held exclusively while its layer lives. A log's own directory is named by topic id, never by what a client typed. */
export class LogStore extends Context.Tag("LogStore")<
  LogStore,
  {
    /** Says whose directory this is; writes it down the first time (and the cluster id as soon as it is known), refuses another's. Answers what is written. */
    readonly claim: (identity: DirectoryIdentity) => Effect.Effect<DirectoryIdentity, LogFault | ForeignDirectory>
    /** Opens or creates a log: a torn tail is cut, indexes that are missing, torn or ahead are rebuilt, damage before the tail is a LogFault "corrupt". */
    /** One that lies nowhere is made where there is the most room for each log. While a directory is offline only if it `isNew`: otherwise it may lie there. */
    readonly open: (topicId: TopicId, partition: number, config: LogConfig, isNew?: boolean) => Effect.Effect<PartitionLog, LogFault, Scope.Scope>
    readonly list: Effect.Effect<ReadonlyArray<{ readonly topicId: TopicId; readonly partition: number }>, LogFault>
    /** Removes a closed log and its directory. Absent is fine. */
    readonly remove: (topicId: TopicId, partition: number) => Effect.Effect<void, LogFault>
    /** Replaces a small named document (letters, digits, '-', '.') atomically and durably in every directory, keeping the one before it as a spare. */
    readonly writeCheckpoint: (name: string, bytes: Uint8Array) => Effect.Effect<void, LogFault>
    /** The newest copies of it that are whole (checksummed), one of each directory that has one. They differ where a directory was away. */
    readonly readCheckpoint: (name: string) => Effect.Effect<ReadonlyArray<Uint8Array>, LogFault>
    readonly directories: ReadonlyArray<LogDirectory>
  }
>() {}
