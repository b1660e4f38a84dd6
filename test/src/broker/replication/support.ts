import { Effect, Either, ExecutionStrategy, Exit, Layer, Logger, LogLevel, Random, Scope } from "effect"
import { layerTypescript as checksum } from "../../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as compression } from "../../../../adapters/compression/compression.ts"
import { layerMemory, type MemoryStreams } from "../../../../adapters/journal/memory.ts"
import { layer as journalOverLog } from "../../../../adapters/journal/over-log.ts"
import { layer as memoryLog } from "../../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import type { StoreBounds } from "../../../../adapters/log/store.ts"
import { MemoryNetwork } from "../../../../adapters/transport/memory.ts"
import { Command } from "../../../../domain/cluster/command.ts"
import { replicationEventLevel } from "../../../../domain/cluster/event-level.ts"
import { topicByName } from "../../../../domain/cluster/state.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../../domain/kernel/config.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { BrokerId } from "../../../../domain/kernel/id.ts"
import { readableBatches } from "../../../../domain/log/batch.ts"
import { decodeRecords } from "../../../../domain/log/record.ts"
import { type RunningBroker, startBroker } from "../../../../src/broker/broker.ts"
import { type RunningLeader, startLeader } from "../../../../src/leader/leader.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { connect, type Link } from "../../../../src/wire/link.ts"
import { seed } from "../../../seed.ts"
import { batch } from "../support.ts"

export const topicId = "BvXgbDGDQkqSB0fKXyZf6Q"
const name = "orders"

interface RunningReplica {
  readonly broker: RunningBroker
  readonly disk: MemoryDisk
  readonly stop: Effect.Effect<void>
}

/** A leader and brokers in virtual time, with a topic of one partition that all brokers have a replica of. */
export class ReplicatedWorld {
  readonly clock = new VirtualClock()
  readonly network = new MemoryNetwork()
  readonly disks = new Map<number, MemoryDisk>()

  /** Bounds of the brokers' stores that differ from the defaults, and the data directories of each broker. */
  constructor(
    private readonly bounds: Partial<StoreBounds> = {},
    private readonly directories: ReadonlyArray<string> = ["/data"]
  ) {}

  run<A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> {
    return this.clock.run(Effect.scoped(test).pipe(Effect.withRandom(Random.make(seed)), Logger.withMinimumLogLevel(LogLevel.Error)))
  }

  private config(more: Partial<NodeConfig>): NodeConfig {
    return { ...defaultNodeConfig, "broker.session.timeout.ms": 3000, "broker.heartbeat.interval.ms": 500, ...more }
  }
  private platform(host: string) {
    return Layer.mergeAll(checksum, compression, this.network.layer(host))
  }

  /** Starts the leader, with the id 100 by default. Its journal is a new one over a disk in memory, or in `streams`, which are trimmed entry by entry; `faulty` puts faults into it. */
  leader(
    config: Partial<NodeConfig> = {},
    streams?: MemoryStreams,
    faulty: (real: Journal["Type"]) => Journal["Type"] = (real) => real
  ): Effect.Effect<RunningLeader, unknown, Scope.Scope> {
    const real = streams === undefined ? Layer.provide(journalOverLog, Layer.provideMerge(memoryLog(new MemoryDisk()), checksum)) : layerMemory(streams)
    const journal = Layer.provide(Layer.effect(Journal, Effect.map(Journal, faulty)), real)
    const layers = Layer.provideMerge(journal, this.platform("leader"))
    return Effect.flatMap(Layer.build(layers), (context) =>
      Effect.provide(
        startLeader({ nodeId: BrokerId.make(config["node.id"] ?? 100), config: this.config(config), listen: { host: "leader", port: 9092 } }),
        context
      )
    )
  }

  /** Starts a broker over its disk, on the host `broker-ID`, or on another one. */
  broker(id: number, config: Partial<NodeConfig> = {}, host = `broker-${id}`): Effect.Effect<RunningReplica, unknown, Scope.Scope> {
    const disk = this.disks.get(id) ?? new MemoryDisk()
    this.disks.set(id, disk)
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      const start = Effect.flatMap(Layer.build(Layer.provideMerge(memoryLog(disk, this.bounds, this.directories), this.platform(host))), (context) =>
        Effect.provide(startBroker({ nodeId: id, leader: { host: "leader", port: 9092 }, config: this.config(config), listen: { host, port: 9092 } }), context)
      )
      const broker = yield* Scope.extend(start, scope)
      return { broker, disk, stop: Scope.close(scope, Exit.void) }
    })
  }

  /** The broker's disk is replaced by an empty one. */
  wipe(id: number): void {
    this.disks.set(id, new MemoryDisk())
  }

  link(id: number): Effect.Effect<Link, unknown, Scope.Scope> {
    return this.linkTo(`broker-${id}`)
  }
  linkTo(host: string): Effect.Effect<Link, unknown, Scope.Scope> {
    const options = { clientId: "test", connectTimeoutMs: 5000, requestTimeoutMs: 60_000, inFlightRequestsMax: 10, responseBytesMax: 10_000_000 }
    return Effect.provide(connect({ host, port: 9092 }, options), this.platform("client"))
  }
}

/** Waits until a condition holds, 60 s of virtual time at most. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.repeat(Effect.delay(Effect.sync(holds), 10), { until: (held) => held, times: 6000 }).pipe(
    Effect.flatMap((held) => (held ? Effect.void : Effect.die(new Error("The condition did not become true."))))
  )

export const partitionOf = ({ cluster }: Pick<RunningLeader, "cluster">, index = 0) => topicByName(cluster(), name)?.partitions.at(index)

/** Creates the topic with these replicas, once all brokers are unfenced and know replication. */
export const createReplicated = (leader: RunningLeader, replicas: ReadonlyArray<number>, configs: Readonly<Record<string, string>> = {}, partitionCount = 1) =>
  Effect.gen(function* () {
    yield* leader.writer.when((cluster) => {
      const live = [...replicas].every((id) => [...leader.cluster().brokers].some(([, broker]) => broker.id === id && !broker.fenced))
      return live && cluster.eventLevel >= replicationEventLevel ? true : undefined
    })
    const command = Command.AddTopic({
      topic: name,
      topicId: topicId as never,
      partitionCount: -1,
      replicationFactor: -1,
      replicationFactorMax: 3,
      defaultPartitionCount: 1,
      partitionsPerBrokerMax: 1000,
      assignments: Array.from({ length: partitionCount }, (_, partition) => ({ partition, replicas })),
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      validateOnly: false
    })
    yield* leader.writer.submit({ command, commandId: "create", actor: "test", cause: "test" })
  })

/** Produces a record; returns the error's name and the offset. */
export const produce = (to: Link, value: string, acks = -1, timeoutMs = 5000, index = 0) => produceBatch(to, batch([value]), { acks, timeoutMs, index })

/** Produces a batch; returns the error's name and the offset. */
export const produceBatch = (to: Link, records: Uint8Array, { acks = -1, timeoutMs = 5000, index = 0 } = {}) =>
  Effect.map(to.call(Produce, { acks, timeoutMs, topicData: [{ name, partitionData: [{ index, records }] }] }, { version: 9 }), ({ responses }) => {
    const partition = responses[0]?.partitionResponses[0]
    return [kafkaError(partition?.errorCode ?? -1), Number(partition?.baseOffset)] as const
  })

/** Fetches from an offset as a consumer: the error's name, the high watermark, the bytes of records and the replica to read from. */
export const consume = (to: Link, from: number, version = 12, { maxWaitMs = 0, rackId = "" } = {}) =>
  Effect.map(
    to.call(
      Fetch,
      {
        maxWaitMs,
        minBytes: 1,
        maxBytes: 1_000_000,
        rackId,
        topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: BigInt(from), partitionMaxBytes: 1_000_000 }] }]
      },
      { version }
    ),
    ({ responses }) => {
      const partition = responses[0]?.partitions[0]
      const error = kafkaError(partition?.errorCode ?? -1)
      const nearer = partition?.preferredReadReplica
      return { error, highWatermark: Number(partition?.highWatermark), bytes: partition?.records?.length ?? 0, nearer }
    }
  )

/** The values that a consumer reads from the beginning. */
export const valuesOn = (to: Link) =>
  Effect.map(
    to.call(
      Fetch,
      {
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 1_000_000,
        topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }] }]
      },
      { version: 12 }
    ),
    ({ responses }) =>
      Either.getOrThrow(readableBatches(responses[0]?.partitions[0]?.records ?? new Uint8Array(0)))
        .flatMap((each) => Either.getOrThrow(decodeRecords(each, each.records)))
        .map(({ value }) => new TextDecoder().decode(value ?? new Uint8Array(0)))
  )

/** Cuts a broker off from the leader and the other brokers; clients still reach it. */
export const isolate = (world: ReplicatedWorld, id: number): void => {
  for (const other of ["leader", "broker-1", "broker-2", "broker-3"]) if (other !== `broker-${id}`) world.network.cut(`broker-${id}`, other)
}
