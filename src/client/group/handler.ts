import type { Effect } from "effect"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import type { Signal } from "../runtime/signal.ts"
import type { MemberError } from "./member.ts"

/** What a consumer does in the course of its membership. */
export interface MembershipHandler {
  /** The subscribed topics. */
  readonly topics: () => ReadonlyArray<string>
  /** Notified when the subscription has changed. */
  readonly subscriptionChanged: Signal
  /** Delivers no message until the next assignment. */
  readonly pause: () => void
  /** Returns when every delivered message is processed. */
  readonly processed: Effect.Effect<void>
  /**
   * Ends the work on the partitions: interrupts the handlers that have not finished, and closes the scopes of the
   * partitions. Returns after `withinMs` at the latest.
   */
  readonly endWork: (withinMs: number) => Effect.Effect<void>
  /** Commits the offsets of processed messages, as far as the group accepts them. */
  readonly commit: Effect.Effect<void>
  /**
   * Reads these partitions from the group's offsets, or from the start of the subscription, and commits at intervals.
   * Runs until it is interrupted.
   */
  readonly read: (partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<never, MemberError>
  /** Until this time, ms, the group assigns the partitions to no other member. */
  readonly deliverUntil: (time: number) => void
  /** Since when the caller has made no progress, ms; infinite where it has nothing to do. */
  readonly idleSince: (now: number) => number
  /** Returns when the caller makes progress again. */
  readonly resumed: Effect.Effect<void>
  /** The member gave its partitions away, or lost them. `partitions` are those of its last assignment. */
  readonly onEnd: (partitions: ReadonlyArray<TopicPartition>, end: "revoked" | "session" | "stalled" | "fenced" | "failed") => Effect.Effect<void>
  /** The member has no partitions, for an error that a retry may resolve, and rejoins after the pause. */
  readonly onRetry: (error: MemberError, pauseMs: number) => Effect.Effect<void>
  /** The partitions are no longer assigned to this member. */
  readonly stop: () => void
  /** What a cooperative member does, which keeps most of its partitions in a rebalance (KIP-429). */
  readonly cooperative: {
    /** Begins to read those of the assigned partitions that are not read yet, as `read` does. */
    readonly add: (assigned: ReadonlyArray<TopicPartition>) => Effect.Effect<void, MemberError>
    /**
     * Gives partitions away: waits until their messages are processed, as long as `bounded` allows, ends the work on
     * them, for `closeMs` at most, commits, and reads them no longer. The others are read meanwhile.
     */
    readonly revoke: (
      partitions: ReadonlyArray<TopicPartition>,
      bounded: (processed: Effect.Effect<void>) => Effect.Effect<unknown>,
      closeMs: number
    ) => Effect.Effect<void>
    /** Commits at intervals. */
    readonly commits: Effect.Effect<never>
  }
}
