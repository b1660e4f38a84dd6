import type { Broker } from "../broker.ts"
import { cpuSeconds, cpuSecondsSince } from "../process.ts"
import { type Done, type Load, produceLoad } from "../produce-load.ts"
import { type Amount, atLeast, type LoadRow, times } from "../row.ts"

const megabyte = 1_000_000
const topic = "bench"
const partitions = 4

/** `cpu`: seconds of the broker's processor time. */
const measured = async (broker: Broker, { seconds }: Amount, load: Omit<Load, "partitions" | "seconds">): Promise<Done & { readonly cpu: number }> => {
  const before = cpuSeconds(broker.pid)
  const done = await produceLoad(broker.port, { partitions, ...load, seconds })
  return { ...done, cpu: cpuSecondsSince(broker.pid, before) }
}

const small = { topic, records: 1000, valueBytes: 100, acks: 1, connections: 2, inFlight: 5 } as const
const large = { ...small, records: 100, valueBytes: 1024 }
const single = { ...small, records: 1, connections: 4, inFlight: 4 }

const raw: LoadRow = {
  kind: "load",
  id: "1",
  name: "produce",
  figures: [
    { id: "1", figure: "raw produce, batches of 1000 x 100 B, acks=1", unit: "MB/s", more: true, must: times(1.5), stretch: times(2.5) },
    { id: "2a", figure: "produce per broker processor second, 1000 x 100 B", unit: "MB/cpu s", more: true, must: times(2), stretch: times(4) }
  ],
  topics: () => [{ name: topic, partitions }],
  measure: async (broker, amount) => {
    const { bytes, cpu, seconds } = await measured(broker, amount, small)
    return { "1": bytes / megabyte / seconds, "2a": bytes / megabyte / cpu }
  }
}

const rawLarge: LoadRow = {
  kind: "load",
  id: "2",
  name: "produce-1k",
  figures: [
    { id: "2b", figure: "produce per broker processor second, 100 x 1 KiB", unit: "MB/cpu s", more: true, must: times(2), stretch: times(4) },
    { id: "2c", figure: "the same by the clock", unit: "MB/s", more: true }
  ],
  topics: () => [{ name: topic, partitions }],
  measure: async (broker, amount) => {
    const { bytes, cpu, seconds } = await measured(broker, amount, large)
    return { "2b": bytes / megabyte / cpu, "2c": bytes / megabyte / seconds }
  }
}

const singleRecord: LoadRow = {
  kind: "load",
  id: "5",
  name: "single",
  figures: [
    { id: "5a", figure: "single-record produce request, broker processor time", unit: "µs", more: false, must: times(2), stretch: times(4) },
    { id: "5b", figure: "single-record produce requests by the clock", unit: "/s", more: true }
  ],
  topics: () => [{ name: topic, partitions }],
  measure: async (broker, amount) => {
    const { cpu, requests, seconds } = await measured(broker, amount, single)
    return { "5a": (cpu / requests) * 1e6, "5b": requests / seconds }
  }
}

const synced: LoadRow = {
  kind: "load",
  id: "12",
  name: "synced",
  figures: [
    {
      id: "12a",
      figure: "acks=all, on the disk before the answer (Kafka: flush.messages=1), 1000 x 100 B",
      unit: "MB/s",
      more: true,
      must: times(1.5),
      stretch: times(3)
    },
    { id: "12b", figure: "the same per broker processor second", unit: "MB/cpu s", more: true },
    { id: "12c", figure: "our synced throughput as a share of the unsynced", unit: "of acks=1", more: true, stretch: atLeast(0.7) }
  ],
  // Ours syncs before it answers acks=all, unless it is told otherwise.
  topics: ({ isKafka }) => [{ name: topic, partitions, ...(isKafka ? { configs: { "flush.messages": "1" } } : {}) }],
  measure: async (broker, amount) => {
    const { bytes, cpu, seconds } = await measured(broker, amount, { ...small, acks: -1 })
    const values = { "12a": bytes / megabyte / seconds, "12b": bytes / megabyte / cpu }
    if (broker.isKafka) return values
    const unsynced = await measured(broker, amount, small)
    return { ...values, "12c": bytes / seconds / (unsynced.bytes / unsynced.seconds) }
  }
}

export const produceRows: ReadonlyArray<LoadRow> = [raw, rawLarge, singleRecord, synced]
