import { Context, Data, type Effect, type Either, type Scope } from "effect"
import type { Epoch, Offset, TopicId } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { SegmentExtent } from "../../domain/log/retention.ts"
import type { Compacted, CompactionOrder } from "./compaction.ts"
import type { DerivedDocuments } from "./derived-documents.ts"

/**
 * Why a log, or a data directory, does not do what it was asked for. `reason` says what is left to do:
 * "full": appends fail until there is space, reads work. "read-only": the same, until the file system is mounted for writing. "corrupt": bytes before the end are
 * damaged; the partition is offline until an operator repairs it. "io": any other error. "offline": an earlier fault took the log offline (a failed fsync is never
 * repeated), or the log was closed.
 */
export class LogFault extends Data.TaggedError("LogFault")<{
  readonly path: string
  readonly reason: "full" | "read-only" | "corrupt" | "io" | "offline"
  /** What happened, to which file or directory, and what to do: a sentence or two for the operator. */
  readonly message: string
  readonly cause?: unknown
}> {}

/** Another process holds the data directory. `holder` is what the lock says, e.g. "pid 4711". */
export class DirectoryLocked extends Data.TaggedError("DirectoryLocked")<{ readonly path: string; readonly holder: string; readonly message: string }> {}
/** Another cluster or another node wrote the directory. */
export class ForeignDirectory extends Data.TaggedError("ForeignDirectory")<{ readonly path: string; readonly message: string }> {}

/** A batch of a partition's leader does not follow a follower's log: the response was damaged, or the logs differ. Nothing was appended. */
export class MisplacedBatch extends Data.TaggedError("MisplacedBatch")<{
  readonly path: string
  readonly baseOffset: Offset
  readonly leaderEpoch: Epoch
  /** What is wrong with it, and where the log ends: a sentence or two for the operator. */
  readonly message: string
}> {}

/** The owner of a data directory, as in Kafka's meta.properties. `clusterId` is undefined until the node has joined its cluster. */
export interface DirectoryIdentity {
  readonly clusterId: string | undefined
  readonly nodeId: number
}

/** How one partition's log is stored: Kafka's `segment.bytes`, `segment.ms`, `index.interval.bytes`, `segment.index.bytes`, `file.delete.delay.ms`. */
export interface LogConfig {
  readonly segmentBytesMax: number
  readonly segmentMs: number
  readonly indexIntervalBytes: number
  readonly segmentIndexBytesMax: number
  /** How long the files of a segment stay after the log has dropped the segment, ms. */
  readonly fileDeleteDelayMs: number
  /** Opening reads every batch, and fails "corrupt" at the first that is damaged: for a log that is folded whole. Otherwise only the last batches are read after a clean close. */
  readonly readsWholeAtOpen?: boolean
  /** The log existed before: where it has no segment, it is lost, and opening fails "corrupt" instead of creating an empty one. */
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
 * The records of one partition's log, and where it starts and ends. All verbs but `scan` are plain and answer at once: Fetch goes through them, and an Effect costs
 * more than a read from memory. A view that `read` returns may be shared memory: no code writes to it.
 */
interface LogReader {
  /** The first offset that the log has. */
  readonly start: () => Offset
  /** The offset that the next record will get. It falls by `truncateTo` and `restartAt` alone. */
  readonly end: () => Offset
  /** Everything before this offset survives a power cut. It is at most `end()`. */
  readonly syncedEnd: () => Offset
  /** The segments, the oldest first; the last one is active, and may be empty. */
  readonly segments: () => ReadonlyArray<SegmentExtent>
  /**
   * Whole batches as views, from the one that holds `from` on, as many as fit `maxBytes`; the first is returned even if it is larger. Empty at the end.
   * A view is a run of one or more batches, one after the other. Batches with a base offset at or over `upTo` (a high watermark or a synced end) are left out;
   * an `upTo` over `end()` is a bug and throws. The caller refuses a `from` below `start()` or over `end()`.
   */
  readonly read: (from: Offset, maxBytes: number, upTo: Offset) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  /** The first batch that ends after `from` and whose max timestamp is at least `timestamp` (ms), by the time index. The caller opens it where it needs the record's own offset. */
  readonly batchAtTime: (timestamp: number, from?: Offset) => Either.Either<RecordBatch | undefined, LogFault>
  /**
   * Calls `visit` with every batch from `from` on, in order, for rebuilding what is derived (producer state). Only the 61 header bytes of the view need be there.
   * A long log is read in slices: other fibers run in between, and may append.
   */
  readonly scan: (from: Offset, visit: (batch: RecordBatch) => void) => Effect.Effect<void, LogFault>
}

/** How the one writer of a partition's log changes its end. `append` is plain, since Produce goes through it; what waits for the disk is an Effect. */
interface LogWriter {
  /** Adds batches whose offsets are assigned already, the first at `end()`. They are readable when it returns, durable only after `sync`. All or nothing. Keeps none of their memory. */
  readonly append: (batches: ReadonlyArray<RecordBatch>) => Either.Either<void, LogFault>
  /**
   * As `append`, for batches of the partition's leader, which a follower takes as they are. Checks each: its CRC, that it begins where the one before it ends (the first
   * at `end()`), that it has a record for each of its offsets (unless `noteSparse` allows fewer), and that its leader epoch is not below that of the batch before it, which the log has perhaps on the disk
   * only. All or nothing: where one does not fit, none is appended.
   */
  readonly appendAsFollower: (batches: ReadonlyArray<RecordBatch>) => Either.Either<void, LogFault | MisplacedBatch>
  /** Everything appended before the call is durable when it returns. Waiting callers share one fdatasync; a failed one takes the log offline for good (reason "offline" afterwards). */
  readonly sync: Effect.Effect<void, LogFault>
  /**
   * The same up to and including `offset`, without a fiber, for acks=all: calls `synced` once, at once where `offset` is durable, or with the fault that prevents it.
   * `synced` must not throw. Returns how to cancel the wait.
   */
  readonly whenSynced: (offset: Offset, synced: (fault: LogFault | undefined) => void) => () => void
  /**
   * Cuts the log so that it ends at the last whole batch that ends at or before `offset`, durably; an `offset` before `start()` restarts it there. A cut inside a batch
   * goes to the batch's base, a cut at or over the end changes no record. What is derived from the batches that went goes with them: producer snapshots, leader epochs
   * (also those at the end that have no records, KAFKA-10706), indexes, checksums, notes of compaction. Where records went, `derived` asks its source no more until
   * `keep` is called again: the owner folds the log anew. A power cut meanwhile leaves the log as it was or cut, and nothing between. Callers that wait for a sync are
   * answered before. The caller appends nothing meanwhile. When the disk fails after the cut has begun, the log goes offline, and the cut is finished when it is opened.
   */
  readonly truncateTo: (offset: Offset) => Effect.Effect<void, LogFault>
  /** Drops all records, durably: the log is empty, and its next offset is `offset`, before or after what it had. All that is derived goes, and the rest is as with `truncateTo`. */
  readonly restartAt: (offset: Offset) => Effect.Effect<void, LogFault>
  /** Uses other settings from the next batch on; what was written stays as it is. */
  readonly configure: (config: LogConfig) => void
  /** What is derived from the batches and stored beside them. */
  readonly derived: DerivedDocuments
}

/** What keeps a log small and whole, in the background. */
interface LogUpkeep {
  /**
   * Drops whole segments that end at or before `offset`; `start()` rises to the first batch kept. The active segment is sealed first if all of it goes.
   * The segments are gone for good when it returns; their files go after `fileDeleteDelayMs`, or when the log is opened next.
   */
  readonly deleteBefore: (offset: Offset) => Effect.Effect<void, LogFault>
  /**
   * One round of compaction over sealed segments: of each key the latest record stays. Offsets stay what they are, so some are missing afterwards: `read` from one of
   * them returns the next batch that is there. It works in slices and may be interrupted at any point without a loss. One round at a time. A segment that is damaged
   * ends it with "corrupt", and nothing is changed.
   */
  readonly compact: (order: CompactionOrder) => Effect.Effect<Compacted, LogFault>
  /** Everything before it was compacted: 0 for a log that never was, or where that is not known. */
  readonly cleanEnd: () => Offset
  /** Up to where compaction, here or in the log that this one was copied from, may have left batches with fewer records than offsets, or gaps. */
  readonly sparseEnd: () => Offset
  /** Notes, durably, that batches up to `end` may have fewer records than offsets: their leader has compacted them. `appendAsFollower` refuses such batches before. */
  readonly noteSparse: (end: Offset) => Effect.Effect<void, LogFault>
  /**
   * Reads all sealed segments through, at the pace of the background scrub (`log.scrub.io.max.bytes.per.second`). Damage takes the log offline, as in the background, and
   * is what this fails with.
   */
  readonly scrub: Effect.Effect<void, LogFault>
  /** The fault that the log answers everything with, since it went offline, was found damaged or was closed; undefined while it works. Unlike a read it costs nothing, and does not count as one. */
  readonly refusal: () => LogFault | undefined
  /**
   * Calls `heard` (the one that was given last) when the log goes offline by itself, perhaps in work that no caller waits for: from then on all answers are that
   * fault. "corrupt" where damage was found; "offline" where it is unknown what the disk holds. Not when the log is closed, nor when its whole directory goes offline:
   * `LogDirectory.failed` says that.
   */
  readonly onDamage: (heard: (fault: LogFault) => void) => void
}

/** One partition's log: an ordered run of record batches, open for one writer. */
export interface PartitionLog extends LogReader, LogWriter, LogUpkeep {}

/** One of the directories in which a node stores its logs. */
export interface LogDirectory {
  readonly path: string
  /** Kafka's `directory.id` (KIP-858): a UUID that the directory keeps for ever. Undefined until it is claimed, and where it was offline by then. */
  readonly id: () => string | undefined
  /** Why it is offline until the node is started again; undefined while it works. */
  readonly fault: () => LogFault | undefined
  /** Returns when it goes offline, at once if it is: a sync failed, or its device. */
  readonly failed: Effect.Effect<LogFault>
  /** The logs in it; none while it is offline. Throws what the platform throws. */
  readonly logs: () => ReadonlyArray<{ readonly topicId: TopicId; readonly partition: number }>
  /** Bytes of its volume; undefined while it is offline, and where the system does not say. Throws what the platform throws. */
  readonly space: () => { readonly totalBytes: number; readonly usableBytes: number } | undefined
  /** Whether so many bytes can be written into it: writes a file of that size, and removes it. */
  readonly takes: (bytes: number) => boolean
}

/**
 * The move of one log to another data directory of its node (KIP-113). `copy` runs while the log is used; then the caller
 * closes the log, `finish` puts the copy in its place, and the caller opens it again. Until `finish` returns, the log is in
 * the directory that it was in.
 */
export interface LogMove {
  /**
   * Copies the log while it is read and written, and returns when nearly all of it is copied and durable. What is appended
   * afterwards waits for `finish`, or for another call. It may be interrupted. Fails where the log or either directory
   * fails, where the destination is full, and where the log is closed meanwhile: then `cancel` is left to be called.
   */
  readonly copy: Effect.Effect<void, LogFault>
  /**
   * Copies the rest of the log, which is closed by then, and takes the copy for the log, durably. A crash in any step leaves
   * one whole log, which the next start finds. Fails where the log did not close in order, or either disk fails: then the
   * log is where it was, or, where a directory went offline by it, it is offline until the next start.
   */
  readonly finish: Effect.Effect<void, LogFault>
  /**
   * Removes what the log was before `finish`. Fails, and removes nothing, while the log is not open in its new directory: the
   * next opening of the log does it then, also after a restart.
   */
  readonly removeOld: Effect.Effect<void, LogFault>
  /** Ends a move that is not finished, and removes the copy. */
  readonly cancel: Effect.Effect<void, LogFault>
  /** The end of the whole segments that the copy has without a gap. */
  readonly copiedEnd: () => Offset
  /** Bytes of the segments that the copy has. */
  readonly copiedBytes: () => number
}

/** A log, and the path of the data directory that it is to be in. */
export interface LogDestination {
  readonly topicId: TopicId
  readonly partition: number
  readonly path: string
}

/** Moves of logs between the data directories of one node. Paths are those of `LogStore.directories`. */
export interface LogMoves {
  /**
   * Begins to move an open log. The directory that the copy is written into is named `<log>.moving`: after a restart it is
   * among `interrupted`. `bytesPerSecondMax` is asked for each slice; all moves of the store share the bound. Fails where the
   * log is not open, is in that directory, or is being moved, and where the directory is none of the store's or is offline.
   */
  readonly begin: (to: LogDestination, bytesPerSecondMax: () => number) => Effect.Effect<LogMove, LogFault>
  /** Moves that the end of the process before interrupted: the log is where it was. What was copied is not used. */
  readonly interrupted: Effect.Effect<ReadonlyArray<LogDestination>, LogFault>
  /** The path of the directory that a log is in; undefined where none that works has it. Throws what the platform throws. */
  readonly directoryOf: (topicId: TopicId, partition: number) => string | undefined
  /** The log is made in this directory when it is made in this life of the node. The newest 10,000 are remembered. */
  readonly prefer: (destination: LogDestination) => void
}

/** The logs of a node's data directories, held exclusively while its layer lives. A log's own directory is named by topic id, never by a name that a client chose. */
export class LogStore extends Context.Tag("comanche-franz/LogStore")<
  LogStore,
  {
    /** Writes down the owner of the directories the first time (and the cluster id as soon as it is known), and refuses those of another. Returns what is written. */
    readonly claim: (identity: DirectoryIdentity) => Effect.Effect<DirectoryIdentity, LogFault | ForeignDirectory>
    /**
     * Opens or creates a log: a torn tail is cut, indexes that are missing, torn or ahead are rebuilt, damage before the tail is a LogFault "corrupt". A log that is in no
     * directory is created where there is the most space for each log; while a directory is offline only if the log `isNew`: otherwise it may be in that one.
     */
    readonly open: (topicId: TopicId, partition: number, config: LogConfig, isNew?: boolean) => Effect.Effect<PartitionLog, LogFault, Scope.Scope>
    readonly list: Effect.Effect<ReadonlyArray<{ readonly topicId: TopicId; readonly partition: number }>, LogFault>
    /**
     * Renames the directory of a closed log, so that a new one can be made in its place: the log is damaged, and another broker has its records. Returns the new paths,
     * none where there is no log. Three of them are kept for each log; a further one replaces the last. `remove` removes them, too.
     */
    /** A log that is "stray", whose topic the cluster does not have, gets another name, and `remove` leaves it. Default: "damaged". */
    readonly setAside: (topicId: TopicId, partition: number, why?: "damaged" | "stray") => Effect.Effect<ReadonlyArray<string>, LogFault>
    /** Removes a closed log and its directory. Does nothing where there is none. */
    readonly remove: (topicId: TopicId, partition: number) => Effect.Effect<void, LogFault>
    /** Replaces a small named document (letters, digits, '-', '.') atomically and durably in every directory, and keeps the one before it as a spare. */
    /** `isDerived`: the document can be made anew, so that it also replaces one that is damaged. Default: that fails "corrupt". */
    readonly writeCheckpoint: (name: string, bytes: Uint8Array, isDerived?: boolean) => Effect.Effect<void, LogFault>
    /** The newest copies of it that are whole (checksummed), one of each directory that has one. They differ where a directory was offline. */
    readonly readCheckpoint: (name: string) => Effect.Effect<ReadonlyArray<Uint8Array>, LogFault>
    readonly directories: ReadonlyArray<LogDirectory>
    /** Moves of logs between the directories. */
    readonly moves: LogMoves
  }
>() {}
