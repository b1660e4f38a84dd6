import { type Broker, cpuSeconds, rssMiB } from "./broker.ts"
import { type Done, type Load, produceLoad } from "./driver.ts"

/** A figure of docs/performance.md, and what it must reach beside Kafka. */
export interface Figure {
  readonly id: string
  readonly figure: string
  readonly unit: string
  /** Whether more is better: throughput; else cost. */
  readonly more: boolean
  /** How many times better than Kafka it is to be. */
  readonly must: number
}
/** A figure that is taken under load, once a round. */
export interface Row extends Figure {
  readonly measure: (broker: Broker, seconds: number) => Promise<number>
}

export const benchTopic = "bench"
export const benchPartitions = 4
const megabyte = 1_000_000

/** `cpu`: seconds of the broker's processor time. */
type Measured = Done & { readonly cpu: number }
const underLoad = (figure: Figure, load: Omit<Load, "topic" | "partitions" | "seconds">, value: (measured: Measured) => number): Row => ({
  ...figure,
  measure: async (broker, seconds) => {
    const before = cpuSeconds(broker.pid)
    const done = await produceLoad(broker.port, { topic: benchTopic, partitions: benchPartitions, ...load, seconds })
    return value({ ...done, cpu: cpuSeconds(broker.pid) - before })
  }
})

const small = { records: 1000, valueBytes: 100, acks: 1, connections: 2, inFlight: 5 } as const
const large = { ...small, records: 100, valueBytes: 1024 }
const single = { ...small, records: 1, connections: 4, inFlight: 4 }
const perProcessorSecond = ({ bytes, cpu }: Measured) => bytes / megabyte / cpu

export const loadRows: ReadonlyArray<Row> = [
  underLoad(
    { id: "1", figure: "raw produce, batches of 1000 x 100 B, acks=1", unit: "MB/s", more: true, must: 1.5 },
    small,
    ({ bytes, seconds }) => bytes / megabyte / seconds
  ),
  underLoad({ id: "2a", figure: "produce per broker processor second, 1000 x 100 B", unit: "MB/cpu s", more: true, must: 2 }, small, perProcessorSecond),
  underLoad({ id: "2b", figure: "produce per broker processor second, 100 x 1 KiB", unit: "MB/cpu s", more: true, must: 2 }, large, perProcessorSecond),
  underLoad(
    { id: "5", figure: "single-record produce request, broker processor time", unit: "µs", more: false, must: 2 },
    single,
    ({ cpu, requests }) => (cpu / requests) * 1e6
  )
]

export const startRow: Figure = { id: "8", figure: "start to first Metadata answer, compiled binary", unit: "s", more: false, must: 30 }
export const startCpuRow: Figure = { id: "8b", figure: "processor time of that start", unit: "cpu s", more: false, must: 30 }
export const idleRow: Figure = { id: "9", figure: "idle RSS of a broker", unit: "MiB", more: false, must: 5 }
export const idleMemory = (broker: Broker): number => rssMiB(broker.pid)
