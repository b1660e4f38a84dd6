import type { Offset } from "../../domain/kernel/id.ts"
import type { EpochStart } from "../../domain/log/epoch-checkpoint.ts"

/**
 * The state that the owner of a log folds from its batches. The log calls both while everything before its end is
 * folded; neither may wait.
 */
export interface DerivedSource {
  /** The producer state in Kafka's `.snapshot` format. */
  readonly snapshot: () => Uint8Array
  /** The leader epochs that have batches, in rising order; where all are deleted, the one of the last batch, at the log's end. */
  readonly epochs: () => ReadonlyArray<EpochStart>
}

/** A snapshot of the producer state before `offset`, stored beside the log. */
export interface DerivedSnapshot {
  readonly offset: Offset
  /** Undefined when the file cannot be read. The bytes may be torn: decoding them detects it. */
  readonly read: () => Uint8Array | undefined
}

/**
 * State that is derived from a log and stored beside it, so that opening the log need not read all of it, and so that
 * state of deleted and compacted records is kept. Each document is a cache: where it differs from the log, the log is
 * right.
 */
export interface DerivedDocuments {
  /**
   * The snapshots from which the log can be read on, newest first: never ahead of the log, also after a power cut, and
   * never before its first batch.
   */
  readonly snapshots: ReadonlyArray<DerivedSnapshot>
  /**
   * The leader epochs of `leader-epoch-checkpoint`, without those that begin at the log's end or behind it; of an
   * emptied log the last one, which is at its end. None where the file is missing or torn.
   */
  readonly epochs: () => ReadonlyArray<EpochStart>
  /**
   * Registers the source of both documents: the log calls it when it rolls, before it deletes a segment, and when it
   * closes.
   */
  readonly keep: (source: DerivedSource) => void
  /** Writes a snapshot of the present producer state, so that the next opening need not fold it again. */
  readonly save: () => void
}
