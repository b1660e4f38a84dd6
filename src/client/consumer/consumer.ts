import { Config, type ConfigError, Context, Effect, Layer, type Scope } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import type { CallError, InvalidAddress, InvalidArgument } from "../error.ts"
import type { ConsumerOptions, GroupOptions, StartAt } from "./options.ts"
import type { ConsumedRecord } from "./record.ts"
import { makeSession } from "./session.ts"
import type { Place } from "./start-offsets.ts"
import type { AssignError, CommitError, JoinError, PollError, SubscribeError } from "./types.ts"

export interface PollOptions {
  /** Default: `pollRecordsMax` of the consumer's options. */
  readonly maxRecords?: number
  /** How long to wait for the first message, ms. Default 1,000; 0 takes what is there. */
  readonly timeoutMs?: number
  /**
   * When a message counts as processed, so that its offset may be committed: "at the next poll" (the default), or only when `acknowledge` was called for it ("each"). One
   * way or the other for the life of a consumer.
   */
  readonly acknowledge?: "at the next poll" | "each"
}

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
  readonly assign: (places: ReadonlyArray<Place & { readonly at: StartAt }>) => Effect.Effect<void, AssignError>
  /** The partitions that are read at present, each with the offset of the next message that a poll gives. */
  readonly positions: Effect.Effect<ReadonlyArray<Place & { readonly offset: number }>>
  /** Whether the group has given this member its partitions, or some were assigned: `positions` is then complete, and may be empty where others have all partitions. */
  readonly isAssigned: Effect.Effect<boolean>
  /** Goes on reading a partition at `offset`; false when it is not read at present. */
  readonly seek: (topic: string, partition: number, offset: number) => Effect.Effect<boolean, InvalidArgument>
}

type Needs = Transport | Checksum | Compression
type MakeError = CallError | InvalidAddress | InvalidArgument

/** Reads messages, as a member of a group or by partition. See `ConsumerOptions` for what can be chosen. */
export class Consumer extends Context.Tag("comanche-franz/Consumer")<Consumer, ConsumerService>() {
  /** A consumer that closes with the scope: it commits and leaves its group, for `closeTimeoutMs` at most. NotReachable when no node answers. */
  static readonly make = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Needs | Scope.Scope> => makeSession(options)
  static readonly layer = (options: ConsumerOptions): Layer.Layer<Consumer, MakeError, Needs> => Layer.scoped(Consumer, makeSession(options))
  /** The options from Effect's Config: `Consumer.layerConfig({ leader: Config.string("FRANZ_LEADER") })`. */
  static readonly layerConfig = (options: Config.Config.Wrap<ConsumerOptions>): Layer.Layer<Consumer, MakeError | ConfigError.ConfigError, Needs> =>
    Layer.scoped(Consumer, Effect.flatMap(Config.unwrap(options), makeSession))
}
