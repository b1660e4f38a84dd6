import { join } from "node:path"
import type { Broker } from "../broker.ts"
import { cpuSeconds, cpuSecondsSince, output } from "../process.ts"
import { lacksConfluent, python } from "../python.ts"
import { atMost, type LoadRow, times } from "../row.ts"
import { type Steady, type SteadyResult, steadyLoad } from "../steady-load.ts"

const topic = "bench-latency"
const partitions = 4
const perSecond = 5000

/** The load, and µs of the broker's processor time for each message of it. */
const measured = async (broker: Broker, load: Steady): Promise<SteadyResult & { readonly cpu: number }> => {
  const before = cpuSeconds(broker.pid)
  const done = await steadyLoad(broker.port, load)
  return { ...done, cpu: (cpuSecondsSince(broker.pid, before) / done.messages) * 1e6 }
}

/** Kafka answers acks=all of one replica from memory; ours syncs first. So ours is also measured with acks=1, which promises what Kafka's acks=all does here. */
const endToEnd: LoadRow = {
  kind: "load",
  id: "6",
  name: "end-to-end",
  figures: [
    { id: "6a", figure: "end to end, 5,000 msg/s, acks=all (ours synced, Kafka not): p50", unit: "ms", more: false, must: times(2), stretch: times(4) },
    { id: "6b", figure: "the same: p99", unit: "ms", more: false, must: times(2), stretch: times(3) },
    { id: "6c", figure: "ours with acks=1, beside Kafka's acks=all (neither synced): p50", unit: "ms", more: false },
    { id: "6d", figure: "the same: p99", unit: "ms", more: false },
    { id: "6e", figure: "acks=all: broker processor time a message", unit: "µs", more: false, must: times(2), stretch: times(4) },
    { id: "6f", figure: "ours with acks=1, beside Kafka's acks=all: broker processor time a message", unit: "µs", more: false }
  ],
  topics: () => [{ name: topic, partitions }],
  measure: async (broker, { seconds, tiny }) => {
    const load = { topic, partitions, perSecond: tiny ? 500 : perSecond, valueBytes: 100, seconds }
    const all = await measured(broker, { ...load, acks: -1 })
    const one = broker.isKafka ? all : await measured(broker, { ...load, acks: 1 })
    return { "6a": all.p50, "6b": all.p99, "6c": one.p50, "6d": one.p99, "6e": all.cpu, "6f": one.cpu }
  }
}

const librdkafka: LoadRow = {
  kind: "load",
  id: "7",
  name: "librdkafka-latency",
  figures: [
    { id: "7a", figure: "end to end with librdkafka, linger 0, 5,000 msg/s, acks=all: p50", unit: "ms", more: false, stretch: atMost(0.5) },
    { id: "7b", figure: "the same: p99", unit: "ms", more: false, must: atMost(20) },
    { id: "7c", figure: "the same with acks=1 for ours: p50", unit: "ms", more: false },
    { id: "7d", figure: "the same: p99", unit: "ms", more: false }
  ],
  lacks: lacksConfluent,
  topics: () => [{ name: topic, partitions: 1 }],
  measure: async (broker, { seconds, tiny }) => {
    const script = join(import.meta.dir, "../client/confluent-latency.py")
    const run = async (acks: string) => {
      const printed = await output(python(), [script, `127.0.0.1:${broker.port}`, topic, String(tiny ? 500 : perSecond), String(seconds), acks])
      return JSON.parse(printed) as { readonly p50: number; readonly p99: number }
    }
    const all = await run("all")
    const one = broker.isKafka ? all : await run("1")
    return { "7a": all.p50, "7b": all.p99, "7c": one.p50, "7d": one.p99 }
  }
}

export const latencyRows: ReadonlyArray<LoadRow> = [endToEnd, librdkafka]
