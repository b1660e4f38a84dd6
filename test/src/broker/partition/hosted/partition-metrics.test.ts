import { expect, test } from "bun:test"
import { prometheusText } from "../../../../../adapters/metrics/prometheus-text.ts"
import { partitionSamples } from "../../../../../src/broker/partition/hosted/partition-metrics.ts"

const partition = (topic: string, sizeInBytes: number, end: number, isLeading = true, isOffline = false) => ({
  topic,
  sizeInBytes,
  isLeading,
  isOffline,
  highWatermark: () => end
})
const lines = (partitions: Parameters<typeof partitionSamples>[0]): ReadonlyArray<string> =>
  prometheusText([...partitionSamples(partitions)])
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))

test("the metrics count partitions, and sum their values by topic", () => {
  expect(lines([partition("a", 10, 5), partition("a", 20, 7), partition("b", 1, 100, false), partition("b", 2, 3, false, true)])).toEqual([
    "franz_partitions 4",
    "franz_partitions_led 2",
    "franz_partitions_offline 1",
    'franz_topic_log_bytes{topic="a"} 30',
    'franz_topic_log_bytes{topic="b"} 3',
    'franz_topic_partitions{topic="a"} 2',
    'franz_topic_partitions{topic="b"} 2',
    'franz_topic_records_total{topic="a"} 12',
    'franz_topic_records_total{topic="b"} 0'
  ])
})

test("of many topics only the largest have their own values, and the sums stay correct", () => {
  const partitions = Array.from({ length: 1500 }, (_, n) => partition(`topic-${n}`, n, 1))
  const found = lines(partitions)
  expect(found.filter((line) => line.startsWith("franz_topic_log_bytes"))).toHaveLength(1001)
  const smallest = Array.from({ length: 500 }, (_, n) => n).reduce((sum, n) => sum + n, 0)
  expect(found).toContain(`franz_topic_log_bytes{topic=""} ${smallest}`)
  expect(found).toContain('franz_topic_records_total{topic=""} 500')
  expect(found).toContain('franz_topic_log_bytes{topic="topic-1499"} 1499')
})
