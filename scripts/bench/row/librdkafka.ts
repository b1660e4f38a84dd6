import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { cpuSeconds, cpuSecondsSince, has, output, temporaryDirectory } from "../process.ts"
import { type LoadRow, times } from "../row.ts"

const topic = "bench-librdkafka"
let input: string | undefined

/** Lines of 100 bytes, written once a run. */
const linesFile = (count: number): string => {
  if (input === undefined) {
    input = join(temporaryDirectory().path, "lines")
    writeFileSync(input, `${"x".repeat(100)}\n`.repeat(count))
  }
  return input
}

/** librdkafka as kcat brings it, with its own settings but acks=1: as many lines as it sends, from a file. */
export const librdkafkaRow: LoadRow = {
  kind: "load",
  id: "3",
  name: "librdkafka",
  figures: [
    { id: "3a", figure: "produce with librdkafka (kcat), 100 B, acks=1", unit: "msg/s", more: true, must: times(1), stretch: times(1.15) },
    { id: "3b", figure: "broker processor time of it", unit: "cpu s/M msg", more: false, must: times(2) }
  ],
  lacks: () => (has("kcat", "-V") ? undefined : "kcat is missing"),
  topics: () => [{ name: topic, partitions: 4 }],
  measure: async (broker, { seconds, tiny }) => {
    const messages = tiny ? 1000 : Math.ceil(400_000 * seconds)
    const file = linesFile(messages)
    const before = cpuSeconds(broker.pid)
    const started = performance.now()
    await output("kcat", ["-P", "-b", `127.0.0.1:${broker.port}`, "-t", topic, "-l", file, "-X", "acks=1"])
    const taken = (performance.now() - started) / 1000
    return { "3a": messages / taken, "3b": (cpuSecondsSince(broker.pid, before) / messages) * 1e6 }
  }
}
