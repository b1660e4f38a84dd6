import { type Broker, cpuSeconds, rssMiB } from "./broker.ts"
import { type Load, produceLoad } from "./driver.ts"

/** A figure of docs/performance.md: how it is taken, and what it must reach beside Kafka. */
export interface Row {
  readonly id: string
  readonly figure: string
  readonly unit: string
  /** Whether more is better: throughput; else cost. */
  readonly more: boolean
  /** Ours over Kafka's (or, where less is better, Kafka's over ours): the ratio that is due. */
  readonly must: number
  readonly measure: (broker: Broker, seconds: number) => Promise<number>
}

export const benchTopic = "bench"
export const benchPartitions = 4

const during = async (broker: Broker, load: Omit<Load, "topic" | "partitions">) => {
  const before = cpuSeconds(broker.pid)
  const done = await produceLoad(broker.port, { topic: benchTopic, partitions: benchPartitions, ...load })
  return { ...done, cpu: cpuSeconds(broker.pid) - before }
}
const megabyte = 1_000_000
const batches = (records: number, valueBytes: number, seconds: number) => ({ records, valueBytes, acks: 1 as const, connections: 2, inFlight: 5, seconds })

export const loadRows: ReadonlyArray<Row> = [
  {
    id: "1",
    figure: "raw produce, batches of 1000 x 100 B, acks=1",
    unit: "MB/s",
    more: true,
    must: 1.5,
    measure: async (broker, seconds) => {
      const done = await during(broker, batches(1000, 100, seconds))
      return done.bytes / megabyte / done.seconds
    }
  },
  {
    id: "2a",
    figure: "produce per broker processor second, 1000 x 100 B",
    unit: "MB/cpu s",
    more: true,
    must: 2,
    measure: async (broker, seconds) => {
      const done = await during(broker, batches(1000, 100, seconds))
      return done.bytes / megabyte / done.cpu
    }
  },
  {
    id: "2b",
    figure: "produce per broker processor second, 100 x 1 KiB",
    unit: "MB/cpu s",
    more: true,
    must: 2,
    measure: async (broker, seconds) => {
      const done = await during(broker, batches(100, 1024, seconds))
      return done.bytes / megabyte / done.cpu
    }
  },
  {
    id: "5",
    figure: "single-record produce request, broker processor time",
    unit: "µs",
    more: false,
    must: 2,
    measure: async (broker, seconds) => {
      const done = await during(broker, { records: 1, valueBytes: 100, acks: 1, connections: 4, inFlight: 4, seconds })
      return (done.cpu / done.requests) * 1e6
    }
  }
]

export const startRow = { id: "8", figure: "start to first Metadata answer, compiled binary", unit: "s", more: false, must: 30 } as const
export const startCpuRow = { id: "8b", figure: "processor time of that start", unit: "cpu s", more: false, must: 30 } as const
export const idleRow = { id: "9", figure: "idle RSS of a broker", unit: "MiB", more: false, must: 5 } as const
export const idleMemory = (broker: Broker): number => rssMiB(broker.pid)
