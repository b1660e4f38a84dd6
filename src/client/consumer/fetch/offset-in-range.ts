import { Effect } from "effect"
import type { Client } from "../../cluster/client.ts"
import { type Isolation, type OffsetsError, type StartAt, startOffsets } from "../../cluster/start-offsets.ts"
import { type TopicPartition, topicPartitionKey } from "../../cluster/topic-partition.ts"

export type PartitionPosition = TopicPartition & { readonly offset: number }

/** What to do where a partition does not have the offset. "refuse": the caller named it, and gets an error. */
export type OutOfRange = "earliest" | "latest" | "nearest" | "refuse"

/** Returns where to continue in a partition that does not have the offset. */
export const offsetInRange = (
  client: Client,
  isolation: Isolation,
  whenOutOfRange: OutOfRange,
  { offset, partition, topic }: PartitionPosition
): Effect.Effect<number, OffsetsError> => {
  const at = (end: StartAt) =>
    Effect.map(startOffsets(client, [{ topic, partition, at: end }], isolation), (offsets) => offsets.get(topicPartitionKey({ topic, partition })) ?? offset)
  if (whenOutOfRange !== "nearest") return at(whenOutOfRange === "latest" ? "latest" : "earliest")
  // Before the log start, which retention has moved: the oldest message. Behind the end: the end, since every message
  // before it was read.
  return Effect.map(Effect.all([at("earliest"), at("latest")]), ([first, end]) => Math.min(Math.max(offset, first), end))
}
