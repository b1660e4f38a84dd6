import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import type { Broker, Brokers } from "../broker.ts"
import { cpuSeconds, openFiles, rssMiB, temporaryDirectory } from "../process.ts"
import { produceOver } from "../produce-load.ts"
import { type Amount, atMost, type OwnRow, type Values } from "../row.ts"
import { createTopic, type TopicSpec } from "../topic.ts"
import { call, withWire } from "../wire.ts"

const servesWithinMs = 300_000

/** Whether every partition of the topic answers where it ends: its log is open, and led. */
const servesAll = (port: number, { name, partitions }: TopicSpec): Promise<boolean> =>
  withWire(port, async (wire) => {
    const asked = Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n }))
    const answer = await call(wire, ListOffsets, 7, { replicaId: -1, topics: [{ name, partitions: asked }] })
    return answer.topics[0]?.partitions.every(({ errorCode }) => errorCode === 0) === true
  }).catch(() => false)

const isThere = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
/** No warning: what was not synced is in the page cache, and the log knows its last sync. */
const killed = async (broker: Broker): Promise<void> => {
  process.kill(broker.pid, "SIGKILL")
  while (isThere(broker.pid)) await Bun.sleep(5)
  await broker.stop()
}

interface Started {
  readonly broker: Broker
  readonly seconds: number
  readonly cpu: number
  /** The longest that a look at all partitions took meanwhile, ms: at least that of the one that found them all served. */
  readonly longestMs: number
}
/** From the process to the answer of the last partition. */
const startServing = async (startOn: Brokers["startOn"], data: string, topic: TopicSpec): Promise<Started> => {
  const broker = await startOn(data)
  const answered = performance.now()
  let longestMs = 0
  const looks = async (): Promise<boolean> => {
    const asked = performance.now()
    const isServed = await servesAll(broker.port, topic)
    longestMs = Math.max(longestMs, performance.now() - asked)
    return isServed
  }
  while (!(await looks())) {
    if (performance.now() - answered > servesWithinMs) throw new Error(`topic ${topic.name} is not served after ${servesWithinMs} ms`)
    await Bun.sleep(200)
  }
  return { broker, seconds: broker.startSeconds + (performance.now() - answered) / 1000, cpu: cpuSeconds(broker.pid), longestMs }
}

const manyPartitions = async (startOn: Brokers["startOn"], { tiny }: Amount): Promise<Values> => {
  const data = temporaryDirectory()
  const topic: TopicSpec = { name: "many", partitions: tiny ? 16 : 10_000 }
  const first = await startOn(data.path)
  await createTopic(first.port, topic)
  await first.stop()
  const clean = await startServing(startOn, data.path, topic)
  // Each has a record that no sync covers.
  await produceOver(clean.broker.port, {
    topic: topic.name,
    partitions: topic.partitions,
    valueBytes: 100,
    acks: 1,
    connections: 2,
    inFlight: 5,
    records: 10,
    requests: topic.partitions
  })
  await killed(clean.broker)
  const unclean = await startServing(startOn, data.path, topic)
  const values = {
    "14i": clean.seconds,
    "14j": clean.cpu,
    "14k": unclean.seconds,
    "14l": unclean.cpu,
    "14m": Math.max(clean.longestMs, unclean.longestMs),
    "14n": rssMiB(unclean.broker.pid),
    "14o": openFiles(unclean.broker.pid)
  }
  await unclean.broker.stop()
  data.remove()
  return values
}

const muchData = async (startOn: Brokers["startOn"], { tiny }: Amount): Promise<Values> => {
  const data = temporaryDirectory()
  const bytes = tiny ? 4_194_304 : 4_294_967_296
  const topic: TopicSpec = { name: "much", partitions: 4, configs: { "segment.bytes": "1073741824", "retention.bytes": "-1" } }
  const first = await startOn(data.path)
  await createTopic(first.port, topic)
  const load = { topic: topic.name, partitions: topic.partitions, valueBytes: 1024, acks: 1, connections: 2, inFlight: 5, records: 100 } as const
  await produceOver(first.port, { ...load, requests: Math.ceil(bytes / (load.records * load.valueBytes)) })
  await killed(first)
  const started = await startServing(startOn, data.path, topic)
  await started.broker.stop()
  data.remove()
  return { "14p": started.seconds, "14q": started.cpu }
}

/** Ours alone: the time until everything on the disk is served again. */
export const recoveryRow: OwnRow = {
  kind: "own",
  id: "16",
  name: "recovery",
  figures: [
    { id: "14i", figure: "restart with 10,000 partitions after a clean stop, until all are served", unit: "s", more: false, must: atMost(5) },
    { id: "14j", figure: "processor time of it", unit: "cpu s", more: false },
    { id: "14k", figure: "the same after kill -9 with unsynced records in each", unit: "s", more: false, must: atMost(10) },
    { id: "14l", figure: "processor time of it", unit: "cpu s", more: false },
    { id: "14m", figure: "the longest that an answer took meanwhile", unit: "ms", more: false },
    { id: "14n", figure: "RSS after it", unit: "MiB", more: false },
    { id: "14o", figure: "open files after it", unit: "files", more: false },
    { id: "14p", figure: "restart after kill -9 with 4 GiB in 4 partitions", unit: "s", more: false, must: atMost(5) },
    { id: "14q", figure: "processor time of it", unit: "cpu s", more: false }
  ],
  run: async ({ startOn }, amount, say) => {
    for (let round = 0; round < Math.min(2, amount.rounds); round++)
      say({ side: "ours", values: { ...(await manyPartitions(startOn, amount)), ...(await muchData(startOn, amount)) } })
  }
}
