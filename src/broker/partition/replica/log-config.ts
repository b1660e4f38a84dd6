import type { TopicConfig } from "../../../../domain/kernel/config.ts"
import type { TopicId } from "../../../../domain/kernel/id.ts"
import type { LogConfig } from "../../../ports/log-store.ts"
import { isCompacted } from "../upkeep/compactable.ts"
import { openingRules } from "./opening.ts"

interface Place {
  readonly topicId: TopicId
  readonly partition: number
}

/** A number from 0 to 2^32 - 1 that is a partition's own and always the same (FNV-1a). */
const hash = ({ partition, topicId }: Place): number => {
  let value = 0x811c9dc5
  for (const character of `${topicId}-${partition}`) value = Math.imul(value ^ character.charCodeAt(0), 0x01000193)
  // The last characters alone would decide the highest bits little.
  return (value ^ (value >>> 15)) >>> 0
}

/** How much earlier than segment.ms this partition rolls: up to segment.jitter.ms, each partition its own part of it. Kafka draws it for each segment. */
const jitterMs = (config: TopicConfig, place: Place): number => {
  const most = Math.min(config["segment.jitter.ms"], config["segment.ms"] - 1)
  return Math.floor((most * hash(place)) / 0x1_0000_0000)
}

/** What the log itself has to know of a topic's settings. */
export const logConfig = (config: TopicConfig, place: Place): LogConfig => {
  const rolledMs = config["segment.ms"] - jitterMs(config, place)
  return {
    segmentBytesMax: config["segment.bytes"],
    // Only a segment that is ended is compacted.
    segmentMs: isCompacted(config) ? Math.min(rolledMs, config["max.compaction.lag.ms"]) : rolledMs,
    indexIntervalBytes: config["index.interval.bytes"],
    segmentIndexBytesMax: config["segment.index.bytes"],
    fileDeleteDelayMs: config["file.delete.delay.ms"]
  }
}

/** What an append has to know of them. */
export const appendConfig = (config: TopicConfig) => ({
  batchBytesMax: config["max.message.bytes"],
  segmentBytesMax: config["segment.bytes"],
  timestampType: config["message.timestamp.type"] === "LogAppendTime" ? ("LogAppendTime" as const) : ("CreateTime" as const),
  timestampBeforeMaxMs: config["message.timestamp.before.max.ms"],
  timestampAfterMaxMs: config["message.timestamp.after.max.ms"],
  opening: openingRules(config)
})
