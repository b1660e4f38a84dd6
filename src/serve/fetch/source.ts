import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import type { TopicRef } from "../cluster/current-leader.ts"
import type { ReadablePartition } from "../readable.ts"

/** A partition that a waiting Fetch watches, with the bytes that were counted and the offset up to which they were. */
export interface Source {
  readonly ref: TopicRef
  readonly index: number
  readonly readable: ReadablePartition
  /** The leader epoch when the wait began. */
  readonly epoch: Epoch
  cursor: Offset
  bytes: number
  /** Bytes that one response may have of the partition; more are not counted. */
  readonly limit: number
}
