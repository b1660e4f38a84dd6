import type { Effect } from "effect"
import type { StartAt } from "../cluster/start-offsets.ts"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import type { InvalidArgument } from "../error.ts"
import type { GroupOptions } from "../group/options.ts"
import type { AssignError, CommitError, JoinError, PollError, SubscribeError } from "./errors.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { PollOptions } from "./options.ts"

/** Reads messages. Each call fails with InvalidArgument for arguments that it cannot use. */
export interface ConsumerService {
  /**
   * Joins the group. From the first `subscribe` on it shares the partitions of the topics with the other members.
   * WrongState when it is in a group already.
   */
  readonly joinConsumerGroup: (group: string, options?: GroupOptions) => Effect.Effect<void, JoinError>
  /**
   * Commits the polled messages and leaves the group, which assigns the partitions to other members at once. Does
   * nothing without a group.
   */
  readonly leaveConsumerGroup: Effect.Effect<void>
  /**
   * Subscribes to topics, in addition to those of earlier calls. The group receives every message after the return,
   * also where a partition is assigned to this member later (see `from`). UnknownTopic where the cluster does not have
   * a topic within `unknownTopicTimeoutMs`.
   */
  readonly subscribe: (...topics: ReadonlyArray<string>) => Effect.Effect<void, SubscribeError>
  readonly unsubscribe: (...topics: ReadonlyArray<string>) => Effect.Effect<void, InvalidArgument>
  /** The subscribed topics, in the order of their names. */
  readonly subscription: Effect.Effect<ReadonlyArray<string>>
  /**
   * Returns the next messages, in the order of each partition; none after `timeoutMs`. Fails with the error that
   * stopped a partition: the group refuses the member, or a batch is damaged (`seek` passes it). NotSubscribed where
   * there is no partition to read.
   */
  readonly poll: (options?: PollOptions) => Effect.Effect<ReadonlyArray<ConsumedRecord>, PollError>
  /** Marks a message of a poll with `acknowledge: "each"` as processed. */
  readonly acknowledge: (record: ConsumedRecord) => Effect.Effect<void, InvalidArgument>
  /**
   * Commits the offsets of the polled (or acknowledged) messages. CommitRefused when other members have the partitions.
   * WrongState without a group.
   */
  readonly commit: Effect.Effect<void, CommitError>
  /** Reads these partitions without a group, and no others. An empty list ends it. WrongState in a group. */
  readonly assign: (places: ReadonlyArray<TopicPartition & { readonly at: StartAt }>) => Effect.Effect<void, AssignError>
  /** The partitions that are read at present, each with the offset of the next message of a poll. */
  readonly positions: Effect.Effect<ReadonlyArray<TopicPartition & { readonly offset: number }>>
  /** Whether there is an assignment, by the group or by `assign`. It may be empty: `positions` is then complete. */
  readonly isAssigned: Effect.Effect<boolean>
  /** Continues a partition at `offset`. Returns false when the partition is not read at present. */
  readonly seek: (topic: string, partition: number, offset: number) => Effect.Effect<boolean, InvalidArgument>
}
