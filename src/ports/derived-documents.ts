import type { Offset } from "../../domain/kernel/id.ts"
import type { EpochStart } from "../../domain/log/epoch-checkpoint.ts"

/** What its owner folds from a log's batches. Both are asked for when everything before the log's end is folded, and answer at once. */
export interface DerivedSource {
  /** The producers, in Kafka's `.snapshot` format. */
  readonly snapshot: () => Uint8Array
  /** The leader epochs that have batches, rising. */
  readonly epochs: () => ReadonlyArray<EpochStart>
}

/** A snapshot that lies beside the log, of everything before `offset`. */
export interface DerivedSnapshot {
  readonly offset: Offset
  /** Undefined when the disk does not give it. It may be torn: whoever decodes it finds out. */
  readonly read: () => Uint8Array | undefined
}

/**
 * What is derived from a log and lies beside it, so that an opening need not read all of it, and so that what retention and compaction removed is not forgotten.
 * All of it is a cache: the log is right where they differ.
 */
export interface DerivedDocuments {
  /** Those that the log can be read on from, the newest first: never ahead of the log, whatever a power cut left, and never before its first batch. */
  readonly snapshots: ReadonlyArray<DerivedSnapshot>
  /** The leader epochs that were written down, without those that the log does not reach any more; none where the file is missing or torn. */
  readonly epochs: () => ReadonlyArray<EpochStart>
  /** The log asks for both from now on: when it begins a segment, before it lets go of one, and when it closes. */
  readonly keep: (source: DerivedSource) => void
  /** Writes a snapshot of what is folded now, so that the next opening need not fold it again. */
  readonly save: () => void
}
