import type { Effect, Either } from "effect"
import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import type { LogFault } from "../../ports/log-store.ts"

/** Why a batch is not in the log. `tookNothing`: it surely is not, and a later append may succeed. */
export interface AppendRefusal {
  readonly tookNothing: boolean
  readonly fault: LogFault
}

/** A partition that this process leads under one leader epoch. The next epoch has an object of its own. */
export interface LedPartition {
  readonly epoch: Epoch
  /** Whether this process still leads under this epoch, and has the log. */
  readonly isHeld: () => boolean
  /** The epoch of the newest leadership that this process knows of. */
  readonly newestEpoch: () => Epoch
  readonly start: () => Offset
  readonly end: () => Offset
  /** Appends a batch at the end. It is made for offset 0; the log gives it its offset and its epoch. `now` in ms. */
  readonly append: (batch: Uint8Array, now: number) => Either.Either<void, AppendRefusal>
  /**
   * Calls `done` once: when every in-sync replica has synced all records before `end`, with a fault of the log, or when
   * the leadership ends (`isHeld` tells). Returns how to cancel that.
   */
  readonly whenCommitted: (end: Offset, done: (fault: LogFault | undefined) => void) => () => void
  /** Returns runs of batches from the one that holds `from`, before `limit`; more than `maxBytes` if one batch is. */
  readonly read: (from: Offset, maxBytes: number, limit: Offset) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  /** Raises the start of the log durably; the records before it are deleted. */
  readonly raiseStart: (offset: Offset) => Effect.Effect<void, LogFault>
  /** Calls `ended` once, when `isHeld` becomes false. Returns how to cancel that. */
  readonly whenEnded: (ended: () => void) => () => void
}

/** The partitions that streams are kept in. */
export interface LedPartitions {
  /** Returns the partition of a stream that this process leads now; LogFault where it does not, and for an unknown name. */
  readonly find: (stream: string) => Either.Either<LedPartition, LogFault>
}
