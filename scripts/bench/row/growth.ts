import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import type { Broker } from "../broker.ts"
import { cpuSeconds, cpuSecondsSince, openFiles, temporaryDirectory } from "../process.ts"
import { produceOver } from "../produce-load.ts"
import { type Amount, atMost, type OwnRow, type Values } from "../row.ts"
import { createTopic, type TopicSpec } from "../topic.ts"
import { frameOf, withWire } from "../wire.ts"

const counts = (tiny: boolean): readonly [number, number, number] => (tiny ? [1, 4, 16] : [1, 100, 10_000])

/** Milliseconds of processor time for a MB (1,000 x 100 B a request, the partitions in turn). The first time over all partitions opens their files, and is not counted. */
const costOf = async (broker: Broker, topic: TopicSpec, { tiny }: Amount): Promise<number> => {
  const load = { topic: topic.name, partitions: topic.partitions, valueBytes: 100, acks: 1, connections: 2, inFlight: 5 } as const
  await produceOver(broker.port, { ...load, records: 1, requests: Math.max(tiny ? 10 : 1000, topic.partitions) })
  const before = cpuSeconds(broker.pid)
  const { bytes } = await produceOver(broker.port, { ...load, records: 1000, requests: tiny ? 200 : 10_000 })
  return (cpuSecondsSince(broker.pid, before) * 1000) / (bytes / 1e6)
}

/** One Metadata of all topics, ms by the clock: the median of some. */
const metadataMs = (port: number, topic: string): Promise<number> =>
  withWire(port, async (wire) => {
    const frame = frameOf(Metadata, 12, { topics: [{ name: topic }] })
    const taken: Array<number> = []
    for (let i = 0; i < 11; i++) {
      const started = performance.now()
      await wire.ask(frame)
      taken.push(performance.now() - started)
    }
    return taken.sort((a, b) => a - b)[5] as number
  })

/** Ours alone: how its own costs grow. */
export const growthRow: OwnRow = {
  kind: "own",
  id: "14",
  name: "partitions",
  figures: [
    { id: "14a", figure: "produce, broker processor time for a MB: 1 partition", unit: "ms", more: false },
    { id: "14b", figure: "the same over 100 partitions, beside 1", unit: "x", more: false, must: atMost(1.5) },
    { id: "14c", figure: "the same over 10,000 partitions, beside 1", unit: "x", more: false, must: atMost(1.5) },
    { id: "14d", figure: "creating a topic of 10,000 partitions, until each takes records", unit: "s", more: false },
    { id: "14e", figure: "one Metadata of 10,000 partitions", unit: "ms", more: false, must: atMost(20) },
    { id: "14f", figure: "open files with 10,000 partitions written", unit: "files", more: false },
    { id: "14g", figure: "start with 10,000 partitions after a clean stop, until all are led", unit: "s", more: false }
  ],
  run: async (brokers, amount, say) => {
    for (let round = 0; round < Math.min(2, amount.rounds); round++) say({ side: "ours", values: await grown(brokers.startOn, amount) })
  }
}

const grown = async (startOn: (data: string, topic?: TopicSpec) => Promise<Broker>, amount: Amount): Promise<Values> => {
  const data = temporaryDirectory()
  let broker = await startOn(data.path)
  const costs: Array<number> = []
  const topics = counts(amount.tiny).map((partitions): TopicSpec => ({ name: `growth-${partitions}`, partitions, configs: { "segment.bytes": "67108864" } }))
  let createSeconds = 0
  for (const topic of topics) {
    const started = performance.now()
    await createTopic(broker.port, topic)
    createSeconds = (performance.now() - started) / 1000
    costs.push(await costOf(broker, topic, amount))
  }
  const [one = Number.NaN, hundred = Number.NaN, all = Number.NaN] = costs
  const last = topics[2] as TopicSpec
  const values = {
    "14a": one,
    "14b": hundred / one,
    "14c": all / one,
    "14d": createSeconds,
    "14e": await metadataMs(broker.port, last.name),
    "14f": openFiles(broker.pid)
  }
  await broker.stop()
  broker = await startOn(data.path, last)
  await broker.stop()
  data.remove()
  return { ...values, "14g": broker.startSeconds }
}
