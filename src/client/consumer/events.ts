import { Context, Effect, LogLevel, PubSub, Stream } from "effect"
import type { TopicPartition } from "../cluster/topic-partition.ts"

type PartitionOffset = TopicPartition & { readonly offset: number }

/**
 * Why a member lost its partitions without giving them away:
 * - "session": no heartbeat reached the coordinator in time, or the group removed the member.
 * - "stalled": the caller neither polled nor finished a handler within `maxPollIntervalMs`.
 * - "fenced": another member has the same `instanceId`.
 * - "failed": the coordinator or the cluster refused the member, or could not be reached.
 */
export type LossReason = "session" | "stalled" | "fenced" | "failed"

/** What happens to a consumer besides its messages. `group` is the group's id. */
export type ConsumerEvent =
  /** The group assigned these partitions. The member begins each at `offset`. */
  | { readonly _tag: "PartitionsAssigned"; readonly group: string; readonly partitions: ReadonlyArray<PartitionOffset> }
  /** The member gave its partitions away, after a commit. It joins again, unless it leaves. */
  | { readonly _tag: "PartitionsRevoked"; readonly group: string; readonly partitions: ReadonlyArray<TopicPartition> }
  /** The partitions may belong to other members already. What was not committed is delivered again. */
  | { readonly _tag: "PartitionsLost"; readonly group: string; readonly partitions: ReadonlyArray<TopicPartition>; readonly reason: LossReason }
  /** The member has no partitions and joins again after the pause. */
  | { readonly _tag: "Rejoining"; readonly group: string; readonly pauseMs: number; readonly reason: string }
  /** The next member of each partition begins at its offset. */
  | { readonly _tag: "OffsetsCommitted"; readonly group: string; readonly offsets: ReadonlyArray<PartitionOffset> }
  /** A commit failed. The next one covers its messages, unless the partitions are lost. */
  | { readonly _tag: "CommitFailed"; readonly group: string; readonly reason: string }
  /** A fetch from this node failed. The consumer tries again. */
  | { readonly _tag: "Disconnected"; readonly nodeId: number; readonly reason: string }
  /** The node responds again. */
  | { readonly _tag: "Reconnected"; readonly nodeId: number }
  /** Bytes that are no records were skipped (`onCorrupt: "skip"`). */
  | {
      readonly _tag: "RecordsSkipped"
      readonly topic: string
      readonly partition: number
      readonly offset: number
      readonly nextOffset: number
      readonly reason: string
    }
  /**
   * The partition has no message at `offset`: retention deleted it, or the log is shorter. It is read from `nextOffset`
   * on (`from`). The messages between were not delivered.
   */
  | { readonly _tag: "OffsetReset"; readonly topic: string; readonly partition: number; readonly offset: number; readonly nextOffset: number }
  /** The topic was deleted and created again. It is read from its first message. */
  | { readonly _tag: "TopicRecreated"; readonly topic: string; readonly partition: number }

const warnings: ReadonlySet<ConsumerEvent["_tag"]> = new Set(["PartitionsLost", "Rejoining", "CommitFailed", "RecordsSkipped", "OffsetReset"] as const)

const named = (partitions: ReadonlyArray<TopicPartition>): string => partitions.map(({ partition, topic }) => `${topic}-${partition}`).join(", ")
const placed = (partitions: ReadonlyArray<PartitionOffset>): string =>
  partitions.map(({ offset, partition, topic }) => `${topic}-${partition}@${offset}`).join(", ")

/** The text and the annotations of an event in the log. */
const logged = (event: ConsumerEvent): readonly [message: string, annotations: Readonly<Record<string, unknown>>] => {
  switch (event._tag) {
    case "PartitionsAssigned":
      return ["The group assigned partitions", { group: event.group, partitions: placed(event.partitions) }]
    case "PartitionsRevoked":
      return ["The member gave its partitions away", { group: event.group, partitions: named(event.partitions) }]
    case "PartitionsLost":
      return ["The member lost its partitions", { group: event.group, partitions: named(event.partitions), reason: event.reason }]
    case "Rejoining":
      return [
        `The member of the group '${event.group}' has no partitions, and rejoins in ${event.pauseMs} ms: ${event.reason}`,
        { group: event.group, pauseMs: event.pauseMs }
      ]
    case "OffsetsCommitted":
      return ["Offsets were committed", { group: event.group, offsets: placed(event.offsets) }]
    case "CommitFailed":
      return [`A commit failed: ${event.reason}`, { group: event.group }]
    case "Disconnected":
      return [`A fetch failed: ${event.reason}`, { node: event.nodeId }]
    case "Reconnected":
      return ["A node responds again", { node: event.nodeId }]
    case "RecordsSkipped":
      return [`Skipped: ${event.reason}`, { topic: event.topic, partition: event.partition, offset: event.offset }]
    case "OffsetReset":
      return [
        `${event.topic}-${event.partition} does not have the offset ${event.offset}, and is read from ${event.nextOffset} on`,
        { topic: event.topic, partition: event.partition, offset: event.offset }
      ]
    case "TopicRecreated":
      return ["The topic was created again and is read from its first message", { topic: event.topic, partition: event.partition }]
  }
}

/** Events that a subscriber has not taken, at most: the oldest are dropped for a slow one. */
const unreadEventsMax = 1024

/** Publishes the events of one consumer, to its log too. */
export class ConsumerEvents extends Context.Tag("comanche-franz/client/ConsumerEvents")<
  ConsumerEvents,
  {
    readonly publish: (event: ConsumerEvent) => Effect.Effect<void>
    /** The events from the time at which the stream starts. */
    readonly stream: Stream.Stream<ConsumerEvent>
  }
>() {
  static readonly make: Effect.Effect<ConsumerEvents["Type"]> = Effect.map(PubSub.sliding<ConsumerEvent>(unreadEventsMax), (events) => ({
    publish: (event) =>
      Effect.suspend(() => {
        const [message, annotations] = logged(event)
        const level = warnings.has(event._tag) ? LogLevel.Warning : LogLevel.Debug
        return Effect.zipRight(PubSub.publish(events, event), Effect.annotateLogs(Effect.logWithLevel(level, message), annotations))
      }),
    stream: Stream.fromPubSub(events)
  }))
}
