import type { Epoch, Offset } from "../../../domain/kernel/id.ts"
import type { TopicRef } from "../cluster/current-leader.ts"
import type { ReadablePartition } from "../readable.ts"

/** A partition that a waiting fetch watches: how many of its bytes are counted, and up to which offset. */
export interface Source {
  readonly ref: TopicRef
  readonly index: number
  readonly readable: ReadablePartition
  /** The leader epoch when the wait began. */
  readonly epoch: Epoch
  cursor: Offset
  bytes: number
  /** Bytes that the partition may give in one answer; more are not counted. */
  readonly limit: number
}
