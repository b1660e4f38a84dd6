import type { TopicConfig } from "../../../../domain/kernel/config.ts"
import type { LogConfig } from "../../../ports/log-store.ts"
import type { TopicIdPartition } from "../topic-id-partition.ts"
import { isCompacted } from "../upkeep/compactable.ts"
import { openingRules } from "./opening-rules.ts"

/** A number from 0 to 2^32 - 1 that is always the same for a partition (FNV-1a). */
const hash = ({ partition, topicId }: TopicIdPartition): number => {
  let value = 0x811c9dc5
  for (const character of `${topicId}-${partition}`) value = Math.imul(value ^ character.charCodeAt(0), 0x01000193)
  // Without it the last characters would hardly change the highest bits.
  return (value ^ (value >>> 15)) >>> 0
}

/** How much earlier than segment.ms this partition rolls: a part of segment.jitter.ms, another for each partition. Kafka draws it for each segment. */
const jitterMs = (config: TopicConfig, partition: TopicIdPartition): number => {
  const jitterMax = Math.min(config["segment.jitter.ms"], config["segment.ms"] - 1)
  return Math.floor((jitterMax * hash(partition)) / 0x1_0000_0000)
}

/** The settings of a topic that its log goes by. */
export const logConfig = (config: TopicConfig, partition: TopicIdPartition): LogConfig => {
  const rolledMs = config["segment.ms"] - jitterMs(config, partition)
  return {
    segmentBytesMax: config["segment.bytes"],
    // Only sealed segments are compacted.
    segmentMs: isCompacted(config) ? Math.min(rolledMs, config["max.compaction.lag.ms"]) : rolledMs,
    indexIntervalBytes: config["index.interval.bytes"],
    segmentIndexBytesMax: config["segment.index.bytes"],
    fileDeleteDelayMs: config["file.delete.delay.ms"]
  }
}

/** The settings of a topic that an append goes by. */
export const appendConfig = (config: TopicConfig) => ({
  batchBytesMax: config["max.message.bytes"],
  segmentBytesMax: config["segment.bytes"],
  timestampType: config["message.timestamp.type"] === "LogAppendTime" ? ("LogAppendTime" as const) : ("CreateTime" as const),
  timestampBeforeMaxMs: config["message.timestamp.before.max.ms"],
  timestampAfterMaxMs: config["message.timestamp.after.max.ms"],
  opening: openingRules(config)
})
