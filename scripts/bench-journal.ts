/**
 * `./franz bench journal [creations] [restarts] [day] [--events N] [--topics N] [--restarts N] [--partitions N]`: the costs of the cluster's journal over files and over three members of etcd on this machine.
 * A leader and its clients run in this process, over real disks and sockets: no broker's work is in the figures.
 */
import * as fs from "node:fs"
import { join } from "node:path"
import { Effect, Layer, Logger, LogLevel, type Scope } from "effect"
import { layer as checksum } from "../adapters/checksum/checksum.ts"
import { layer as compression } from "../adapters/compression/compression.ts"
import { gateway } from "../adapters/journal/etcd/gateway.ts"
import { layerEtcd } from "../adapters/journal/etcd/journal.ts"
import { layer as overLog } from "../adapters/journal/over-log.ts"
import { layer as fileStore } from "../adapters/log/file/layer.ts"
import { layerBun } from "../adapters/transport/bun.ts"
import { Command } from "../domain/cluster/command.ts"
import type { Event } from "../domain/cluster/event.ts"
import type { Cluster } from "../domain/cluster/state.ts"
import { defaultNodeConfig } from "../domain/kernel/config.ts"
import type { Rejection } from "../domain/kernel/error-code.ts"
import type { BrokerId, TopicId } from "../domain/kernel/id.ts"
import { clusterAggregate } from "../src/leader/journal/cluster-aggregate.ts"
import { type RunningLeader, startLeader } from "../src/leader/leader.ts"
import { Journal } from "../src/ports/journal.ts"
import type { Transport } from "../src/ports/transport.ts"
import { CreateTopics } from "../src/protocol/message/19-create-topics.ts"
import { standBy } from "../src/stream/standby.ts"
import { connect, type Link } from "../src/wire/link.ts"
import { EtcdCluster } from "../test/interop/support/etcd.ts"

const stream = "__cluster_metadata"
const replicas = [1, 2, 3] as const
const batchEvents = 1000
const utf8 = new TextEncoder()

const words = process.argv.slice(2)
const option = (name: string, or: number): number => {
  const at = words.indexOf(`--${name}`)
  return at < 0 ? or : Number(words[at + 1])
}
const amounts = {
  events: option("events", 1_000_000),
  topics: option("topics", 1000),
  restarts: option("restarts", 72),
  partitions: option("partitions", 10_000)
}

interface Engine {
  readonly name: string
  readonly journal: (directory: string) => Layer.Layer<Journal, unknown>
}

const directories: Array<string> = []
const directory = (): string => {
  const path = fs.mkdtempSync(join(process.env.TMPDIR ?? "/tmp", "franz-bench-journal-"))
  directories.push(path)
  return path
}
const overFiles: Engine = { name: "file", journal: (path) => overLog.pipe(Layer.provide(fileStore({ directory: path })), Layer.provide(checksum)) }
const overEtcd = (etcd: EtcdCluster, prefix: string): Engine => ({
  name: "etcd",
  journal: (path) =>
    layerEtcd({ client: gateway({ endpoints: etcd.endpoints }), prefix, leaseMs: 4000 }).pipe(
      Layer.provide(fileStore({ directory: path })),
      Layer.provide(checksum)
    )
})

const config = { ...defaultNodeConfig, "broker.session.timeout.ms": 3_600_000 }
/** Starts a leader. With etcd it stands by first, as every candidate does, until it has folded `events`: the lease runs from when it wins. */
const withLeader = <A>(
  engine: Engine,
  path: string,
  use: (leader: RunningLeader, startedMs: number) => Effect.Effect<A, unknown, Scope.Scope | Transport>,
  events = 0
): Promise<A> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const began = performance.now()
      const standby = engine.name === "etcd" ? yield* standBy<Cluster, Event, Rejection>(stream, clusterAggregate) : undefined
      while (standby !== undefined && standby.end() < events) yield* Effect.sleep(10)
      const leader = yield* startLeader({ nodeId: 100 as BrokerId, config, listen: { host: "127.0.0.1", port: 0 }, standby })
      return yield* use(leader, performance.now() - began)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.mergeAll(engine.journal(path), compression, layerBun)),
      Logger.withMinimumLogLevel(LogLevel.Error)
    ) as Effect.Effect<A, unknown>
  )

let commands = 0
const submit = (leader: RunningLeader, command: Command) =>
  leader.writer.submit({ command, commandId: `bench-${process.pid}-${commands++}`, actor: "bench", cause: "bench" })
const epochOf = (leader: RunningLeader, id: number): number => [...leader.cluster().brokers].find(([key]) => key === id)?.[1].epoch ?? -1
let processes = 0
/** A broker registers, catches up, and joins the in-sync sets again, as after a restart; then leads what it should lead. */
const joinBroker = (leader: RunningLeader, brokerId: number) =>
  Effect.gen(function* () {
    const incarnationId = `I${String(++processes).padStart(20, "0")}A`
    const more = { eventLevel: 4, directories: [], keepsWhatItAcknowledged: true }
    yield* submit(
      leader,
      Command.RegisterBroker({ brokerId, incarnationId, clusterId: "", host: "127.0.0.1", port: 9000 + brokerId, rack: null, isConnected: false, ...more })
    )
    const brokerEpoch = epochOf(leader, brokerId)
    yield* submit(leader, Command.BrokerHeartbeat({ brokerId, brokerEpoch, metadataOffset: leader.writer.end(), wantFence: false, wantShutDown: false }))
  })

const percentile = (sorted: ReadonlyArray<number>, part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`

const createTopic = (link: Link, name: string) =>
  Effect.flatMap(
    link.call(CreateTopics, {
      topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 10_000,
      validateOnly: false
    }),
    ({ topics }) => (topics[0]?.errorCode === 0 ? Effect.void : Effect.die(new Error(`CreateTopics ${name}: error ${topics[0]?.errorCode}`)))
  )

/** CreateTopics: one after the other for the latency, then 64 at a time for the rate. */
const creations = (engine: Engine) =>
  withLeader(engine, directory(), (leader) =>
    Effect.gen(function* () {
      yield* joinBroker(leader, 1)
      const link = yield* connect(leader.address, {
        clientId: "bench",
        connectTimeoutMs: 5000,
        requestTimeoutMs: 60_000,
        inFlightRequestsMax: 100,
        responseBytesMax: 10_000_000
      })
      for (let n = 0; n < 100; n++) yield* createTopic(link, `warm-${n}`)
      const times: Array<number> = []
      const cpu = process.cpuUsage()
      const began = performance.now()
      for (let n = 0; n < amounts.topics; n++) {
        const sent = performance.now()
        yield* createTopic(link, `one-${n}`)
        times.push(performance.now() - sent)
      }
      const oneMs = performance.now() - began
      const { system, user } = process.cpuUsage(cpu)
      times.sort((a, b) => a - b)
      const together = performance.now()
      yield* Effect.forEach(
        Array.from({ length: amounts.topics }, (_, n) => n),
        (n) => createTopic(link, `many-${n}`),
        { concurrency: 64, discard: true }
      )
      const manyMs = performance.now() - together
      console.log(
        `${engine.name}: CreateTopics one at a time ${((1000 * amounts.topics) / oneMs).toFixed(0)}/s, p50 ${ms(percentile(times, 0.5))}, p99 ${ms(percentile(times, 0.99))}, ${((user + system) / 1000 / amounts.topics).toFixed(2)} ms of this process each; 64 at a time ${((1000 * amounts.topics) / manyMs).toFixed(0)}/s`
      )
    })
  )

/** A start with many events: without a snapshot, and with the one that the first start wrote. */
const restarts = async (engine: Engine, fresh: boolean): Promise<void> => {
  const path = directory()
  await withLeader(engine, path, (leader) => joinBroker(leader, 1))
  await Effect.runPromise(
    Effect.gen(function* () {
      const journal = yield* Journal
      const { end, epoch } = yield* journal.campaign(stream, { nodeId: 100 })
      for (let at = end; at < amounts.events; at += batchEvents) {
        const entries = Array.from({ length: Math.min(batchEvents, amounts.events - at) }, (_, n) => ({
          commandId: `own-${at + n}`,
          actor: "leader",
          cause: "bench",
          type: "ProducerIdsAllocated",
          value: utf8.encode(JSON.stringify({ _tag: "ProducerIdsAllocated", v: 1, brokerId: 1, first: String((at + n) * 1000), count: 1000 }))
        }))
        yield* journal.append(stream, epoch, at, entries)
      }
    }).pipe(Effect.scoped, Effect.provide(engine.journal(path))) as Effect.Effect<void, unknown>
  )
  const start = (what: string, at: string) =>
    withLeader(engine, at, (leader, startedMs) =>
      Effect.gen(function* () {
        console.log(`${engine.name}: start with ${leader.writer.end()} events, ${what}: ${ms(startedMs)}`)
        // A snapshot is written after an append.
        yield* submit(leader, Command.AllocateProducerIds({ brokerId: 1, brokerEpoch: epochOf(leader, 1), count: 1 }))
        yield* Effect.repeat(
          Effect.delay(
            Effect.sync(() => leader.writer.snapshot()),
            50
          ),
          { until: (found) => found !== undefined, times: 600 }
        )
      })
    )
  await start("all of them folded", path)
  await start("from the snapshot", path)
  if (fresh) await start("from the snapshot, by a candidate without a local copy", directory())
}

const sizeOf = async (etcd: EtcdCluster): Promise<string> => {
  const status = (await etcd.call("maintenance/status", {})) as { readonly dbSize?: string; readonly dbSizeInUse?: string } | undefined
  const mib = (bytes: string | undefined): string => `${(Number(bytes ?? 0) / 1_048_576).toFixed(1)} MiB`
  return `${mib(status?.dbSize)}, in use ${mib(status?.dbSizeInUse)}`
}

/** The store of etcd after restarts of brokers: each is fenced, so that others lead its partitions, then rejoins all in-sync sets and leads again. */
const day = async (etcd: EtcdCluster, engine: Engine): Promise<void> => {
  await withLeader(engine, directory(), (leader) =>
    Effect.gen(function* () {
      for (const id of replicas) yield* joinBroker(leader, id)
      yield* leader.writer.when(({ eventLevel }) => (eventLevel >= 2 ? true : undefined))
      const topics = Math.ceil(amounts.partitions / 100)
      for (let n = 0; n < topics; n++) {
        const assignments = Array.from({ length: 100 }, (_, partition) => ({
          partition,
          replicas: [0, 1, 2].map((at) => replicas[(partition + at) % 3] as number)
        }))
        const topicId = `T${String(n).padStart(20, "0")}A` as TopicId
        yield* submit(
          leader,
          Command.AddTopic({
            topic: `t${n}`,
            topicId,
            partitionCount: -1,
            replicationFactor: -1,
            replicationFactorMax: 3,
            defaultPartitionCount: 1,
            partitionsPerBrokerMax: 200_000,
            assignments,
            configs: [],
            validateOnly: false
          })
        )
      }
      console.log(`etcd: ${topics * 100} partitions with 3 replicas, ${leader.writer.end()} events: store ${yield* Effect.promise(() => sizeOf(etcd))}`)
      const before = leader.writer.end()
      for (let n = 0; n < amounts.restarts; n++) {
        const brokerId = replicas[n % 3] as BrokerId
        yield* submit(leader, Command.FenceBroker({ brokerId, brokerEpoch: epochOf(leader, brokerId) }))
        yield* joinBroker(leader, brokerId)
        const byLeader = new Map<number, Array<object>>()
        for (const [topicId, { partitions }] of leader.cluster().topics)
          for (let partition = 0; partition < partitions.length; partition++) {
            const { isr, leader: leads, leaderEpoch, partitionEpoch } = partitions.at(partition) as NonNullable<ReturnType<typeof partitions.at>>
            if (isr.includes(brokerId) || leads === -1) continue
            const wanted = [...isr, brokerId].map((id) => ({ brokerId: id, brokerEpoch: epochOf(leader, id) }))
            const asked = byLeader.get(leads) ?? []
            byLeader.set(leads, asked)
            asked.push({ topicId, partition, leaderEpoch, partitionEpoch, isr: wanted })
          }
        // The proposals of one turn go in one request.
        for (const [id, asked] of byLeader)
          yield* submit(leader, Command.AlterInSyncSets({ brokerId: id, brokerEpoch: epochOf(leader, id), partitions: asked as never }))
        yield* submit(leader, Command.ElectLeaders({ kind: "preferred", partitions: null, commandedBy: "bench" }))
      }
      console.log(
        `etcd: ${amounts.restarts} restarts of brokers, ${leader.writer.end() - before} events; the journal begins with event ${leader.writer.start()}: store ${yield* Effect.promise(() => sizeOf(etcd))}`
      )
    })
  )
  const status = (await etcd.call("maintenance/status", {})) as { readonly header?: { readonly revision?: string } } | undefined
  await etcd.call("kv/compaction", { revision: status?.header?.revision, physical: true })
  console.log(`etcd: after compaction ${await sizeOf(etcd)}`)
  await etcd.call("maintenance/defragment", {})
  console.log(`etcd: after defragmentation ${await sizeOf(etcd)}`)
}

const etcd = await EtcdCluster.start(3)
try {
  const parts = ["creations", "day", "restarts"]
  const only = parts.some((part) => words.includes(part)) ? words : parts
  if (only.includes("creations")) {
    await creations(overFiles)
    await creations(overEtcd(etcd, "/creations"))
  }
  if (only.includes("day")) await day(etcd, overEtcd(etcd, "/day"))
  if (only.includes("restarts")) {
    if (!words.includes("etcd")) await restarts(overFiles, false)
    await restarts(overEtcd(etcd, "/restarts"), true)
  }
} finally {
  await etcd.stop()
  for (const path of directories) fs.rmSync(path, { recursive: true, force: true })
}
