import { describe, expect, test } from "bun:test"
import { defaultNodeConfig, topicConfig } from "../../../../../domain/kernel/config.ts"
import type { TopicId } from "../../../../../domain/kernel/id.ts"
import { logConfig } from "../../../../../src/broker/partition/replica/log-config.ts"

const rolledMs = (own: Readonly<Record<string, string>>, partition = 0, topicId = "MkU3OEVBNTcwNTJENDM2Qg") =>
  logConfig(topicConfig(defaultNodeConfig, own), { topicId: topicId as TopicId, partition }).segmentMs

describe("segment.jitter.ms", () => {
  const own = { "segment.ms": "100000", "segment.jitter.ms": "40000" }
  const partitions = Array.from({ length: 200 }, (_, partition) => rolledMs(own, partition))
  test("0: all partitions roll after the same time", () => expect(rolledMs({ "segment.ms": "100000" }, 3)).toBe(100_000))
  test("each partition subtracts its own, constant jitter", () => {
    expect(Math.min(...partitions)).toBeGreaterThan(60_000)
    expect(Math.max(...partitions)).toBeLessThanOrEqual(100_000)
    expect(new Set(partitions).size).toBeGreaterThan(190)
    expect(Array.from({ length: 200 }, (_, partition) => rolledMs(own, partition))).toEqual(partitions)
  })
  test("the jitters are spread over the whole range", () => {
    const quarters = [0, 0, 0, 0]
    for (const ms of partitions) {
      const at = Math.min(3, Math.floor((100_000 - ms) / 10_000))
      quarters[at] = (quarters[at] ?? 0) + 1
    }
    expect(Math.min(...quarters)).toBeGreaterThan(25)
  })
  test("a jitter longer than segment.ms leaves at least 1 ms", () => {
    for (let partition = 0; partition < 100; partition++)
      expect(rolledMs({ "segment.ms": "5", "segment.jitter.ms": "9223372036854775807" }, partition)).toBeGreaterThanOrEqual(1)
    expect(rolledMs({ "segment.ms": "9223372036854775807", "segment.jitter.ms": "9223372036854775807" })).toBeGreaterThanOrEqual(1)
  })
  test("a compacted log rolls after max.compaction.lag.ms at the latest", () =>
    expect(rolledMs({ ...own, "cleanup.policy": "compact", "max.compaction.lag.ms": "7" })).toBe(7))
})
