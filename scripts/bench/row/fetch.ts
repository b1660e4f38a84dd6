import { fetchesOf, fetchLoad } from "../fetch-load.ts"
import { cpuSeconds, cpuSecondsSince } from "../process.ts"
import { produceOver } from "../produce-load.ts"
import { type LoadRow, times } from "../row.ts"

const topic = "bench-fetch"
const maxBytes = 1_048_576
const frames = new Map<number, ReadonlyArray<Uint8Array>>()

/** A partition is written once, and read over and over from what the operating system or the broker keeps in memory. */
export const fetchRow: LoadRow = {
  kind: "load",
  id: "4",
  name: "fetch",
  figures: [
    { id: "4a", figure: "raw fetch, 1 MiB a request, warm", unit: "MB/s", more: true, must: times(1), stretch: times(1.5) },
    { id: "4b", figure: "the same per broker processor second", unit: "MB/cpu s", more: true }
  ],
  topics: () => [{ name: topic, partitions: 1 }],
  prepare: async (broker, { tiny }) => {
    await produceOver(broker.port, { topic, partitions: 1, records: 1000, valueBytes: 100, acks: 1, connections: 1, inFlight: 2, requests: tiny ? 40 : 2400 })
    frames.set(broker.port, await fetchesOf(broker.port, topic, 0, maxBytes))
  },
  measure: async (broker, { seconds }) => {
    const before = cpuSeconds(broker.pid)
    const done = await fetchLoad(broker.port, frames.get(broker.port) ?? [], { connections: 2, seconds })
    return { "4a": done.bytes / 1e6 / done.seconds, "4b": done.bytes / 1e6 / cpuSecondsSince(broker.pid, before) }
  }
}
