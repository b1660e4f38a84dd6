import { HashMap, Option, Schema } from "effect"
import { PartitionIndex, TopicId, TopicName } from "../../kernel/id.ts"
import { offsetBytes } from "./size.ts"

/** The position of a group in one partition, as a member committed it. */
export const Committed = Schema.Struct({
  offset: Schema.Int,
  /** Leader epoch of the last record read, or -1. */
  leaderEpoch: Schema.Int,
  metadata: Schema.String,
  /** When it was committed, ms since the epoch. */
  commitAt: Schema.Int,
  /** When it expires (`retention_time_ms` of OffsetCommit 2 to 4), or null: then the server's retention counts. */
  expiresAt: Schema.NullOr(Schema.Int),
  /** The topic's identity when it was committed, where the client knew it. */
  topicId: Schema.NullOr(TopicId)
})
export type Committed = typeof Committed.Type

/** A committed offset with its topic and partition, as events and commands have it. */
export const PartitionOffset = Schema.Struct({ topic: TopicName, partition: PartitionIndex, ...Committed.fields })
export type PartitionOffset = typeof PartitionOffset.Type

/** Partitions of one topic. */
export const TopicPartitions = Schema.Struct({ topic: TopicName, partitions: Schema.Array(PartitionIndex) })
export type TopicPartitions = typeof TopicPartitions.Type

export type TopicOffsets = HashMap.HashMap<PartitionIndex, Committed>
/** All that a group committed, by topic name and partition. */
export type Offsets = HashMap.HashMap<TopicName, TopicOffsets>

export const noOffsets: Offsets = HashMap.empty()

/** The committed offset of one partition, or undefined. */
export const committed = (offsets: Offsets, topic: TopicName, partition: PartitionIndex): Committed | undefined =>
  Option.getOrUndefined(HashMap.get(Option.getOrElse(HashMap.get(offsets, topic), HashMap.empty<PartitionIndex, Committed>), partition))

/** Offsets, and by how many bytes they are more than those before. */
export interface ChangedOffsets {
  readonly offsets: Offsets
  readonly more: number
}

const bytesOf = (value: Option.Option<Committed>): number => (value._tag === "Some" ? offsetBytes(value.value) : 0)

export const withCommitted = (offsets: Offsets, added: ReadonlyArray<PartitionOffset>): ChangedOffsets => {
  let more = 0
  const next = HashMap.mutate(offsets, (next) => {
    for (const { topic, partition, ...value } of added) {
      const held = Option.getOrElse(HashMap.get(next, topic), HashMap.empty<PartitionIndex, Committed>)
      more += offsetBytes(value) - bytesOf(HashMap.get(held, partition))
      HashMap.set(next, topic, HashMap.set(held, partition, value))
    }
  })
  return { offsets: next, more }
}

export const withoutPartitions = (offsets: Offsets, removed: ReadonlyArray<TopicPartitions>): ChangedOffsets => {
  let more = 0
  const next = HashMap.mutate(offsets, (next) => {
    for (const { topic, partitions } of removed) {
      const held = Option.getOrUndefined(HashMap.get(next, topic))
      if (held === undefined) continue
      for (const partition of new Set(partitions)) more -= bytesOf(HashMap.get(held, partition))
      const left = HashMap.removeMany(held, partitions)
      if (HashMap.isEmpty(left)) HashMap.remove(next, topic)
      else HashMap.set(next, topic, left)
    }
  })
  return { offsets: next, more }
}

/** Returns the partitions whose committed offset `keep` refuses, by topic, in order. */
export const partitionsWithout = (offsets: Offsets, keep: (topic: TopicName, committed: Committed) => boolean): ReadonlyArray<TopicPartitions> => {
  const removed: Array<TopicPartitions> = []
  for (const [topic, held] of offsets) {
    const partitions: Array<PartitionIndex> = []
    for (const [partition, value] of held) if (!keep(topic, value)) partitions.push(partition)
    if (partitions.length > 0) removed.push({ topic, partitions: partitions.sort((a, b) => a - b) })
  }
  return removed.sort((a, b) => (a.topic < b.topic ? -1 : 1))
}
