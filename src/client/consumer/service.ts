import type { Effect } from "effect"
import type { StartAt } from "../cluster/start-offsets.ts"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import type { InvalidArgument } from "../error.ts"
import type { GroupOptions } from "../group/options.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { PollOptions } from "./options.ts"
import type { AssignError, CommitError, JoinError, PollError, SubscribeError } from "./types.ts"

export interface ConsumerService {
  /** Becomes a member of the group. From the first `subscribe` on it shares the partitions of the topics with the others. WrongState when it is in a group already. */
  readonly joinConsumerGroup: (group: string, options?: GroupOptions) => Effect.Effect<void, JoinError>
  /** Commits what was polled and leaves; the others get the partitions at once. Nothing happens when it is in no group. */
  readonly leaveConsumerGroup: Effect.Effect<void>
  /**
   * Subscribes to topics, besides those that are subscribed already. Everything that comes after this returned is received, also when the partitions are given to this member
   * later (see `from`). UnknownTopic when there is none of that name.
   */
  readonly subscribe: (...topics: ReadonlyArray<string>) => Effect.Effect<void, SubscribeError>
  readonly unsubscribe: (...topics: ReadonlyArray<string>) => Effect.Effect<void, InvalidArgument>
  /** The topics that are subscribed, by name. */
  readonly subscription: Effect.Effect<ReadonlyArray<string>>
  /**
   * The next messages, in the order of each partition; none when nothing came in time. Fails with what stopped reading: a group that refuses the member, bytes that are no
   * records (`seek` goes past them), or nothing to read (NotSubscribed).
   */
  readonly poll: (options?: PollOptions) => Effect.Effect<ReadonlyArray<ConsumedRecord>, PollError>
  /** A message of a poll with `acknowledge: "each"` is processed. */
  readonly acknowledge: (record: ConsumedRecord) => Effect.Effect<void, InvalidArgument>
  /** Commits what was polled (or acknowledged). CommitRefused when the partitions have gone to others. WrongState without a group. */
  readonly commit: Effect.Effect<void, CommitError>
  /** Reads these partitions without a group, and nothing else. An empty list ends it. WrongState while in a group. */
  readonly assign: (places: ReadonlyArray<TopicPartition & { readonly at: StartAt }>) => Effect.Effect<void, AssignError>
  /** The partitions that are read at present, each with the offset of the next message that a poll gives. */
  readonly positions: Effect.Effect<ReadonlyArray<TopicPartition & { readonly offset: number }>>
  /** Whether the group has given this member its partitions, or some were assigned: `positions` is then complete, and may be empty where others have all partitions. */
  readonly isAssigned: Effect.Effect<boolean>
  /** Goes on reading a partition at `offset`; false when it is not read at present. */
  readonly seek: (topic: string, partition: number, offset: number) => Effect.Effect<boolean, InvalidArgument>
}
