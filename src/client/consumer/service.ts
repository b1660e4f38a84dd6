import type { Effect, Stream } from "effect"
import type { OffsetsError, StartAt } from "../cluster/start-offsets.ts"
import type { TopicPartition } from "../cluster/topic-partition.ts"
import type { Closed, InvalidArgument } from "../error.ts"
import type { AssignError, CommitError, JoinError, PollError, RunError, SubscribeError } from "./errors.ts"
import type { ConsumerEvent } from "./events.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { JoinOptions, PollOptions } from "./options.ts"
import type { RunOptions, WithoutScope } from "./run/options.ts"

/** How far a partition's reader is behind its end. */
export interface PartitionLag extends TopicPartition {
  /** The offset of the next message that the consumer delivers. */
  readonly offset: number
  /** The offset after the last message; with `isolation: "read_committed"` that of the first open transaction. */
  readonly end: number
  /** `end - offset`: messages, or fewer where the log has gaps. */
  readonly lag: number
}

/** Reads messages. Each call fails with InvalidArgument for arguments that it cannot use. */
export interface ConsumerService {
  /**
   * Joins the group. From the first `subscribe` on it shares the partitions of the topics with the other members.
   * WrongState when it is in a group already.
   */
  readonly joinConsumerGroup: (group: string, options?: JoinOptions) => Effect.Effect<void, JoinError>
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
  /**
   * Calls the handler for each message, until the caller interrupts it or a handler fails. At least once: a message
   * whose handler has not succeeded is not committed, and the partition's next member gets it again. Commits every
   * `commitIntervalMs`, before partitions are given away, and at the end, always up to the first message that is not
   * processed. A message is taken when its handler starts, so nothing else is in hand; the handler of a partition that
   * was given away is interrupted. At its interruption `run` waits `closeTimeoutMs` for the handlers that have begun.
   * Fails with the first error of a handler, and as `poll` does; WrongState beside another `run`.
   *
   *     yield* consumer.run((record) => bill(record.text), { concurrency: 8 })
   */
  readonly run: <E, R, E2 = never, R2 = never>(
    handler: (record: ConsumedRecord) => Effect.Effect<unknown, E, R>,
    options?: RunOptions<E2, R2>
  ) => Effect.Effect<never, RunError | E | E2, R | WithoutScope<R2>>
  /**
   * Returns the next message, which counts as processed after `acknowledge`; undefined after a second without one. Fails
   * as `poll` does. No other message is in hand, so one of a partition that was given away is not delivered.
   */
  readonly next: Effect.Effect<ConsumedRecord | undefined, PollError>
  /** Marks a message of a poll with `acknowledge: "each"` as processed. */
  readonly acknowledge: (record: ConsumedRecord) => Effect.Effect<void, InvalidArgument>
  /**
   * Commits the offsets of the polled (or acknowledged) messages. CommitRefused when other members have the partitions.
   * WrongState without a group.
   */
  readonly commit: Effect.Effect<void, CommitError>
  /** Reads these partitions, each named once, without a group, and no others. An empty list ends it. WrongState in a group. */
  readonly assign: (places: ReadonlyArray<TopicPartition & { readonly at: StartAt }>) => Effect.Effect<void, AssignError>
  /** Returns the offset of each place, such as the first message of a time. UnknownPartition, or UnknownTopic, for one that does not exist. A call names a partition once. */
  readonly offsets: (
    places: ReadonlyArray<TopicPartition & { readonly at: StartAt }>
  ) => Effect.Effect<ReadonlyArray<TopicPartition & { readonly offset: number }>, AssignError>
  /** How far each partition that is read at present is behind its end, which the cluster is asked for. */
  readonly lag: Effect.Effect<ReadonlyArray<PartitionLag>, OffsetsError | Closed>
  /**
   * Delivers no message of these partitions until `resume`, also when they are assigned again or later. A paused
   * partition is not fetched, and holds no memory. The messages in hand stay in hand.
   */
  readonly pause: (...partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<void, InvalidArgument>
  readonly resume: (...partitions: ReadonlyArray<TopicPartition>) => Effect.Effect<void, InvalidArgument>
  /**
   * Rebalances, lost memberships, commits and lost connections, from the start of the stream on. A stream that is read
   * slowly keeps the last 1,024. Each event is in the log too, with its fields as annotations.
   */
  readonly events: Stream.Stream<ConsumerEvent>
  /** The partitions that are read at present, each with the offset of the next message of a poll. */
  readonly positions: Effect.Effect<ReadonlyArray<TopicPartition & { readonly offset: number }>>
  /** Whether there is an assignment, by the group or by `assign`. It may be empty: `positions` is then complete. */
  readonly isAssigned: Effect.Effect<boolean>
  /**
   * Continues a partition at an offset, a time, or an end of its log. Returns false when the partition is not read at
   * present.
   */
  readonly seek: {
    (topic: string, partition: number, offset: number): Effect.Effect<boolean, InvalidArgument>
    (topic: string, partition: number, at: StartAt): Effect.Effect<boolean, AssignError>
  }
}
