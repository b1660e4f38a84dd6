import type { Effect, Scope } from "effect"
import type { TopicPartition } from "../../cluster/topic-partition.ts"
import type { ConsumedRecord } from "../fetch/record.ts"

/** How `run` handles messages. */
export interface RunOptions<E = never, R = never> {
  /** Handlers that run at the same time, over all partitions. Default 1. */
  readonly concurrency?: number
  /**
   * Handlers of one partition that run at the same time, `concurrency` at most. Default 1: a partition's messages are
   * handled one after the other. With more, messages of one key are still handled one after the other, in their order;
   * messages without a key are not. Offsets are committed up to the first message that is not processed.
   */
  readonly perPartition?: number
  /**
   * Runs for each assigned partition before its first message. What it acquires is released before the partition is
   * given away: after the last handler, before the last commit. Its failure ends `run`.
   */
  readonly onAssigned?: (partition: TopicPartition & { readonly offset: number }) => Effect.Effect<unknown, E, R>
  /**
   * The time from which a message may be handled, ms since 1970; the partition waits for it. Plain code: it runs for
   * every message.
   */
  readonly dueAt?: (record: ConsumedRecord) => number
}

/** The requirements of `onAssigned` besides the scope of its partition. */
export type WithoutScope<R> = Exclude<R, Scope.Scope>
