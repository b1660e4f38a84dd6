import { fetchesOf, fetchLoad } from "../fetch-load.ts"
import { rssMiB } from "../process.ts"
import { produceLoad, produceOver } from "../produce-load.ts"
import { type LoadRow, times } from "../row.ts"

const topic = "bench-memory"
const partitions = 4

/** Large and small batches from twenty connections and a reader over everything, at a broker that has all rows before this one behind it. */
export const memoryRow: LoadRow = {
  kind: "load",
  id: "10",
  name: "memory",
  figures: [{ id: "10", figure: "RSS after load", unit: "MiB", more: false, must: times(4), stretch: times(6) }],
  topics: () => [{ name: topic, partitions, configs: { "retention.bytes": "1073741824" } }],
  measure: async ({ pid, port }, { seconds, tiny }) => {
    const load = { topic, partitions, valueBytes: 100, acks: 1, connections: tiny ? 4 : 20, inFlight: 5 } as const
    await produceOver(port, { ...load, records: 1000, requests: tiny ? 40 : 1000 })
    await produceLoad(port, { ...load, records: 1, seconds: seconds / 2 })
    const frames = await fetchesOf(port, topic, 0, 1_048_576)
    await fetchLoad(port, frames, { connections: 4, seconds: seconds / 2 })
    return { "10": rssMiB(pid) }
  }
}
