import { Metadata } from "../../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { ElectLeaders } from "../../../src/protocol/message/43-elect-leaders.ts"
import type { Side } from "../broker.ts"
import type { Cluster } from "../cluster.ts"
import { cpuSeconds } from "../process.ts"
import { type Load, produceLoad, produceOver } from "../produce-load.ts"
import { type Amount, type OwnRow, times, type Values } from "../row.ts"
import { steadyLoad } from "../steady-load.ts"
import { batchOf, producedOf, produceFrame } from "../topic.ts"
import { call, withWire } from "../wire.ts"

const megabyte = 1_000_000
const gigabyte = 1_000_000_000
const partitionsOfNode = 4
const perSecond = 2000
const settlesWithinMs = 300_000
const three = "bench-rf-3"
const one = "bench-rf-1"

const portsOf = ({ nodes }: Cluster): ReadonlyArray<number> => nodes.map(({ port }) => port)
const cpuOf = ({ nodes }: Cluster): number => nodes.reduce((sum, { pid }) => sum + cpuSeconds(pid()), 0)

/** Partition p of a topic has node p % 3 + 1 as its first replica. */
const replicasOf = ({ nodes }: Cluster, partition: number, factor: number): ReadonlyArray<number> =>
  Array.from({ length: factor }, (_, at) => nodes[(partition + at) % nodes.length]?.id ?? 0)
const partitionsOf = ({ nodes }: Cluster): number => partitionsOfNode * nodes.length

type Partition = { readonly partitionIndex: number; readonly leaderId: number; readonly isrNodes: ReadonlyArray<number> }
const partitionsAt = (port: number, name: string): Promise<ReadonlyArray<Partition>> =>
  withWire(port, async (wire) => (await call(wire, Metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false })).topics[0]?.partitions ?? [])

/** Waits until each partition has its first replica as the leader and all replicas in sync, as every node says. */
const untilInSync = async (cluster: Cluster, name: string, factor: number, isLedByFirst = true): Promise<void> => {
  const end = performance.now() + settlesWithinMs
  const isSo = async (port: number): Promise<boolean> => {
    const partitions = await partitionsAt(port, name).catch(() => [])
    const holds = ({ isrNodes, leaderId, partitionIndex }: Partition) =>
      isrNodes.length === factor && (!isLedByFirst || leaderId === replicasOf(cluster, partitionIndex, factor)[0])
    return partitions.length === partitionsOf(cluster) && partitions.every(holds)
  }
  for (const port of portsOf(cluster))
    while (!(await isSo(port))) {
      if (performance.now() > end) throw new Error(`${name} is not in sync after ${settlesWithinMs / 1000} s`)
      await Bun.sleep(10)
    }
}

/**
 * Waits until the leader of each partition takes records, and returns the ids of the leaders. Metadata of node 1 may name a leader that has not applied the change yet, or one that
 * no longer leads.
 */
const untilServed = async (cluster: Cluster, name: string): Promise<ReadonlyArray<number>> => {
  const end = performance.now() + settlesWithinMs
  const [first = 0] = portsOf(cluster)
  const leaders: Array<number> = []
  const takes = async (leader: number, partition: number): Promise<boolean> => {
    const node = cluster.nodes.find(({ id }) => id === leader)
    if (node === undefined) return false
    return withWire(node.port, async (wire) => producedOf(await wire.ask(produceFrame(name, partition, batchOf(1, 1), -1))).errorCode === 0)
  }
  for (let partition = 0; partition < partitionsOf(cluster); partition++) {
    const serving = async (): Promise<number | undefined> => {
      const { leaderId = -1 } = (await partitionsAt(first, name)).find(({ partitionIndex }) => partitionIndex === partition) ?? {}
      return (await takes(leaderId, partition).catch(() => false)) ? leaderId : undefined
    }
    let leader = await serving()
    for (; leader === undefined; leader = await serving()) {
      if (performance.now() > end) throw new Error(`${name}-${partition} takes no records after ${settlesWithinMs / 1000} s`)
      await Bun.sleep(10)
    }
    leaders.push(leader)
  }
  return leaders
}

const create = async (cluster: Cluster, name: string, factor: number): Promise<void> => {
  const [port = 0] = portsOf(cluster)
  const assignments = Array.from({ length: partitionsOf(cluster) }, (_, partitionIndex) => ({
    partitionIndex,
    brokerIds: replicasOf(cluster, partitionIndex, factor)
  }))
  // A partition keeps 256 MB, so that neither a disk nor the page cache fills up.
  const settings = { "segment.bytes": "67108864", "retention.bytes": "268435456", "min.insync.replicas": factor > 1 ? "2" : "1" }
  const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value }))
  const topics = [{ name, numPartitions: -1, replicationFactor: -1, assignments, configs }]
  const created = await withWire(port, (wire) => call(wire, CreateTopics, 7, { topics, timeoutMs: 60_000 }))
  const { errorCode, errorMessage } = created.topics[0] ?? { errorCode: -1, errorMessage: null }
  if (errorCode !== 0) throw new Error(`topic ${name}: error ${errorCode} ${errorMessage ?? ""}`)
  await untilInSync(cluster, name, factor)
  await untilServed(cluster, name)
}

const load = { topic: three, records: 1000, valueBytes: 100, connections: partitionsOfNode, inFlight: 2 } as const

/** Produces to all partitions at their leaders at once. */
const produce = async (cluster: Cluster, acks: Load["acks"], seconds: number): Promise<{ readonly mbPerSecond: number; readonly cpuPerGb: number }> => {
  const before = cpuOf(cluster)
  const step = cluster.nodes.length
  const done = await Promise.all(
    portsOf(cluster).map((port, first) => produceLoad(port, { ...load, acks, seconds, first, step, partitions: partitionsOfNode }))
  )
  const bytes = done.reduce((sum, each) => sum + each.bytes, 0)
  // What the followers still fetch belongs to it.
  await untilFetched(cluster)
  const slowest = Math.max(...done.map((each) => each.seconds))
  return { mbPerSecond: bytes / megabyte / slowest, cpuPerGb: ((cpuOf(cluster) - before) / bytes) * gigabyte }
}

/** A record with acks=all to each partition: it is acknowledged when the followers have all before it. */
const untilFetched = (cluster: Cluster): Promise<unknown> =>
  steadyLoad(portsOf(cluster), { topic: three, partitions: partitionsOf(cluster), perSecond: 200, valueBytes: 1, acks: -1, seconds: 0.1 })

const latency = async (cluster: Cluster, topic: string, { seconds, tiny }: Amount) =>
  steadyLoad(portsOf(cluster), { topic, partitions: partitionsOf(cluster), perSecond: tiny ? 200 : perSecond, valueBytes: 100, acks: -1, seconds })

/**
 * Writes out what any program has left unsynced on this machine: the other side's acks=1 leaves gigabytes, and the syncs of ours would
 * write them. Not in the tiny form, whose figures say nothing: a test would wait for what other programs have written.
 */
const disksAtRest = async ({ tiny }: Amount): Promise<void> => {
  if (!tiny) await Bun.spawn(["sync"]).exited
}

const underLoad = async (cluster: Cluster, amount: Amount): Promise<Values> => {
  await disksAtRest(amount)
  const all = await produce(cluster, -1, amount.seconds)
  await disksAtRest(amount)
  const leader = await produce(cluster, 1, amount.seconds)
  await disksAtRest(amount)
  const replicated = await latency(cluster, three, amount)
  const single = await latency(cluster, one, amount)
  return {
    "17a": all.mbPerSecond,
    "17b": all.cpuPerGb,
    "17c": leader.mbPerSecond,
    "17d": leader.cpuPerGb,
    "17e": replicated.p50,
    "17f": replicated.p99,
    "17g": single.p50,
    "17h": single.p99
  }
}

/** A follower is stopped, the others take `bytes`; the time from its start until it is in sync everywhere. */
const recovery = async (cluster: Cluster, { tiny }: Amount): Promise<Values> => {
  const bytes = tiny ? 2_000_000 : gigabyte
  const stopped = cluster.nodes[2]
  const [port = 0] = portsOf(cluster)
  if (stopped === undefined) throw new Error("the cluster has no third node")
  await stopped.stop()
  await cluster.untilListed(cluster.nodes.length - 1)
  const leaders = new Map<number, Array<number>>()
  for (const [partition, leader] of (await untilServed(cluster, three)).entries()) leaders.set(leader, [...(leaders.get(leader) ?? []), partition])
  const requests = Math.ceil(bytes / (load.records * load.valueBytes) / partitionsOf(cluster))
  for (const [id, led] of leaders) {
    const node = cluster.nodes.find((each) => each.id === id)
    for (const first of led) await produceOver(node?.port ?? 0, { ...load, first, partitions: 1, acks: 1, connections: 1, inFlight: 5, requests })
  }
  const started = performance.now()
  await stopped.start()
  await untilInSync(cluster, three, cluster.nodes.length, false)
  const seconds = (performance.now() - started) / 1000
  await withWire(port, (wire) => call(wire, ElectLeaders, 2, { electionType: 0, topicPartitions: null, timeoutMs: 60_000 }))
  await untilInSync(cluster, three, cluster.nodes.length)
  await untilInSync(cluster, one, 1)
  return { "17i": seconds }
}

/** Three brokers, each a process of its own, beside three of the peer's: both run, and take the load in turns. */
export const replicatedRow: OwnRow = {
  kind: "own",
  id: "17",
  name: "replicated",
  figures: [
    {
      id: "17a",
      figure: "RF 3 over three brokers, acks=all (ours synced on all in-sync replicas, Kafka not), 1000 x 100 B",
      unit: "MB/s",
      more: true,
      must: times(0.7),
      stretch: times(1)
    },
    { id: "17b", figure: "processor time of the three brokers for a GB of it", unit: "cpu s", more: false },
    { id: "17c", figure: "the same with acks=1", unit: "MB/s", more: true },
    { id: "17d", figure: "processor time of the three brokers for a GB of it", unit: "cpu s", more: false, must: times(1.5), stretch: times(2) },
    { id: "17e", figure: "RF 3, single messages, 2,000 msg/s, acks=all, end to end: p50", unit: "ms", more: false, stretch: times(1) },
    { id: "17f", figure: "the same: p99", unit: "ms", more: false, must: times(1), stretch: times(2) },
    { id: "17g", figure: "the same with RF 1: p50", unit: "ms", more: false },
    { id: "17h", figure: "the same with RF 1: p99", unit: "ms", more: false },
    { id: "17i", figure: "start of a broker that missed a GB, until it is in sync everywhere", unit: "s", more: false }
  ],
  run: async (brokers, amount, say) => {
    const clusters: Array<Cluster> = []
    const inTurns = async (rounds: number, measure: (cluster: Cluster, amount: Amount) => Promise<Values>) => {
      for (let round = 0; round < rounds; round++)
        for (const cluster of clusters) say({ side: cluster.side satisfies Side, values: await measure(cluster, amount) })
    }
    try {
      for (const side of brokers.sides) clusters.push(await brokers.startCluster(side))
      for (const cluster of clusters) {
        await create(cluster, three, cluster.nodes.length)
        await create(cluster, one, 1)
        await produce(cluster, -1, amount.warmSeconds / 2)
        await latency(cluster, three, { ...amount, seconds: amount.warmSeconds / 2 })
      }
      await inTurns(amount.rounds, underLoad)
      await inTurns(Math.min(2, amount.rounds), recovery)
    } finally {
      for (const cluster of clusters) await cluster.stop()
    }
  }
}
