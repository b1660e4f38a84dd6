import { Effect, Either, Logger, LogLevel, type Scope } from "effect"
import { layer as checksumLayer, layerTypescript } from "../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as compressionLayer } from "../../../adapters/compression/compression.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import type { Command } from "../../../domain/cluster/command.ts"
import { liveNodeConfig } from "../../../domain/cluster/config/node.ts"
import { decide } from "../../../domain/cluster/decide.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { type Cluster, initial } from "../../../domain/cluster/state.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import type { Codec } from "../../../domain/log/codec.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { type BatchToWrite, encodeBatch } from "../../../domain/log/record.ts"
import { BrokerContext } from "../../../src/broker/broker-context.ts"
import { BrokerSettings } from "../../../src/broker/broker-settings.ts"
import { CleanShutdown } from "../../../src/broker/clean-shutdown.ts"
import { DisownedReplicas } from "../../../src/broker/disowned-replicas.ts"
import { produce } from "../../../src/broker/handler/00-produce.ts"
import { deleteRecords } from "../../../src/broker/handler/21-delete-records.ts"
import { LostRecords } from "../../../src/broker/lost-records.ts"
import { MadeLogs } from "../../../src/broker/made-logs.ts"
import { OwnDirectories } from "../../../src/broker/own-directories.ts"
import { HostedPartitions } from "../../../src/broker/partition/hosted/hosted-partitions.ts"
import type { Checksum } from "../../../src/ports/checksum.ts"
import { Compression } from "../../../src/ports/compression.ts"
import { type LogFault, LogStore } from "../../../src/ports/log-store.ts"
import { decodeResponseFrame, requestFrame } from "../../../src/protocol/codec/frame.ts"
import { joined } from "../../../src/protocol/codec/joined.ts"
import { Produce } from "../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../src/protocol/message/02-list-offsets.ts"
import { OffsetForLeaderEpoch } from "../../../src/protocol/message/23-offset-for-leader-epoch.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../../src/protocol/type/wire.ts"
import { findLeader } from "../../../src/serve/cluster/current-leader.ts"
import { makeDeadlines } from "../../../src/serve/deadlines.ts"
import { fetch } from "../../../src/serve/fetch/fetch.ts"
import { makeFetchSessions } from "../../../src/serve/fetch/fetch-sessions.ts"
import { listOffsets } from "../../../src/serve/offsets/list-offsets.ts"
import { offsetForLeaderEpoch } from "../../../src/serve/offsets/offset-for-leader-epoch.ts"
import type { DispatchFault } from "../../../src/wire/fault.ts"
import { type Route, route } from "../../../src/wire/route.ts"
import { dispatch } from "../../../src/wire/routing/dispatch.ts"

const text = new TextEncoder()

/** Encodes a batch of records with these values, as a producer sends it. */
export const batch = (values: ReadonlyArray<string>, more: Partial<BatchToWrite> & { readonly codec?: Codec } = {}): Uint8Array =>
  encodeBatch(
    { codec: "none", records: values.map((value, i) => ({ timestamp: 1_700_000_000_000 + i, key: null, value: text.encode(value) })), ...more },
    { crc32c, compress: Effect.runSync(Effect.provide(Compression, compressionLayer)).compress }
  )
/** Encodes a batch of an idempotent producer. */
export const sequenced = (values: ReadonlyArray<string>, producerId: bigint, baseSequence: number, producerEpoch = 0): Uint8Array =>
  batch(values, { producerId, producerEpoch, baseSequence })

const origin = { clientHost: "127.0.0.1", connectionId: 1, actor: "test@127.0.0.1:1" }

/** Dispatches a request to the routes as a frame. Returns undefined where the request has no response. */
export const call = <A extends AnyApi>(
  routes: ReadonlyArray<Route>,
  api: A,
  version: number,
  draft: RequestDraft<A>,
  connectionId = origin.connectionId
): Effect.Effect<ResponseOf<A> | undefined, DispatchFault> => {
  const frame = joined(requestFrame(api, version, { correlationId: 7, clientId: "test" }, draft)).subarray(4)
  return Effect.map(dispatch(routes, frame, { ...origin, connectionId }), (chunks) =>
    chunks.length === 0 ? undefined : Either.getOrThrow(decodeResponseFrame(api, version, joined(chunks))).value
  )
}

export interface Harness {
  readonly hosted: HostedPartitions["Type"]
  readonly routes: ReadonlyArray<Route>
  readonly cluster: () => Cluster
  /** Decides the commands as the leader does, and applies their events to the broker. */
  readonly run: (...commands: ReadonlyArray<Command | ((cluster: Cluster) => Command)>) => void
  readonly reports: ReadonlyArray<string>
}

export const incarnation = "process-1"

/** Makes the partitions of broker 1 over a store; the test applies the events. `past` is the cluster before the broker started. */
export const harness = (past: Cluster = initial, config: NodeConfig = defaultNodeConfig): Effect.Effect<Harness, never, LogStore | Checksum | Scope.Scope> =>
  Effect.gen(function* () {
    let cluster = past
    const reports: Array<string> = []
    const packing = yield* Effect.provide(Compression, compressionLayer)
    const context = BrokerContext.of({
      nodeId: BrokerId.make(1),
      config: liveNodeConfig(config, () => cluster, 1),
      cluster: () => cluster,
      isSelf: (broker) => broker.incarnationId === incarnation,
      warn: (line) => void reports.push(line),
      bug: (message) => {
        throw new Error(message)
      }
    })
    const disowned = DisownedReplicas.of({
      whenAdded: () => undefined,
      add: () => undefined,
      forget: () => undefined,
      isForgotten: () => true,
      cannotWrite: () => undefined,
      canWrite: () => undefined,
      isUnwritable: () => false,
      due: () => ({ replicas: [], hasMore: false })
    })
    const hosted = yield* HostedPartitions.make.pipe(
      Effect.provideService(BrokerContext, context),
      Effect.provideService(DisownedReplicas, disowned),
      Effect.provideService(CleanShutdown, { keepsWhatItAcknowledged: true, ended: Effect.void }),
      Effect.provideServiceEffect(LostRecords, LostRecords.make),
      Effect.provideServiceEffect(MadeLogs, MadeLogs.make),
      Effect.provideService(BrokerSettings, { nodeId: 1, leader: { host: "leader", port: 9092 }, config }),
      Effect.provideService(OwnDirectories, { clusterId: undefined, empty: [] }),
      Effect.provideService(Compression, packing)
    )
    const run: Harness["run"] = (...commands) => {
      for (const next of commands) {
        const events = Either.getOrThrowWith(decide(cluster, typeof next === "function" ? next(cluster) : next), ({ message }) => new Error(message))
        cluster = fold(evolve, cluster, events)
        hosted.apply(events)
      }
    }
    const clock = yield* Effect.clock
    const { decompress, sizeBound } = packing
    const deadlines = yield* makeDeadlines
    const leaders = findLeader(() => cluster)
    const routes = [
      produce({
        table: hosted.table,
        findLeader: leaders,
        now: () => clock.unsafeCurrentTimeMillis(),
        deadlines,
        sizeBound,
        answersUnsynced: config["log.flush.policy"] === "interval"
      }),
      route(
        Fetch,
        {},
        fetch({
          find: (ref, partition) => hosted.table.find(ref, partition),
          findLeader: leaders,
          clusterId: () => cluster.clusterId,
          deadlines,
          sessions: yield* makeFetchSessions(config["max.incremental.fetch.session.cache.slots"]),
          fetchBytesMax: 10_000_000
        })
      ),
      route(ListOffsets, {}, listOffsets({ find: (ref, partition) => hosted.table.find(ref, partition), decompress })),
      route(
        OffsetForLeaderEpoch,
        {},
        offsetForLeaderEpoch((ref, partition) => hosted.table.find(ref, partition))
      ),
      deleteRecords({ table: hosted.table, raise: hosted.raise, deadlines, elapsed: () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n) })
    ]
    return { hosted, routes, cluster: () => cluster, run, reports }
  })

/** Runs a test over a store on `disk`. */
export const over = <A, E>(disk: MemoryDisk, test: Effect.Effect<A, E, LogStore | Checksum | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(test).pipe(Effect.provide(memoryLog(disk)), Effect.provide(checksumLayer)))
/** Runs a test over a store on `disk` in virtual time: a slow disk takes no time. */
export const overInTime = <A, E>(disk: MemoryDisk, test: Effect.Effect<A, E, LogStore | Checksum | Scope.Scope>): Promise<A> =>
  new VirtualClock().run(Effect.scoped(test).pipe(Effect.provide(memoryLog(disk)), Effect.provide(layerTypescript), Logger.withMinimumLogLevel(LogLevel.None)))
/** Runs a test over any store in virtual time. */
export const overInTimeOn = <A, E>(
  store: Effect.Effect<LogStore["Type"], LogFault, Checksum | Scope.Scope>,
  test: Effect.Effect<A, E, LogStore | Checksum | Scope.Scope>
): Promise<A> =>
  new VirtualClock().run(
    Effect.scoped(Effect.flatMap(store, (made) => Effect.provideService(test, LogStore, made))).pipe(
      Effect.provide(layerTypescript),
      Logger.withMinimumLogLevel(LogLevel.None)
    )
  )
export const newDisk = (): MemoryDisk => new MemoryDisk()

/** Waits for a condition, with a generous deadline. */
export const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.repeat(Effect.delay(Effect.sync(holds), 1), { until: (held) => held, times: 20_000 }).pipe(
    Effect.flatMap((held) => (holds() ? Effect.void : Effect.die(new Error(`The condition did not become true (${held}).`))))
  )

/** Sends a Produce of `records` to one partition. Returns the partition's response. */
export const send = (
  routes: ReadonlyArray<Route>,
  records: Uint8Array,
  more: { acks?: number; version?: number; topic?: string; partition?: number; timeoutMs?: number; connectionId?: number } = {}
) =>
  call(
    routes,
    Produce,
    more.version ?? 9,
    {
      acks: more.acks ?? 1,
      timeoutMs: more.timeoutMs ?? 5000,
      topicData: [{ name: more.topic ?? "orders", partitionData: [{ index: more.partition ?? 0, records }] }]
    },
    more.connectionId
  ).pipe(Effect.map((answer) => answer?.responses[0]?.partitionResponses[0]))

/** Sends a Fetch to one partition. Returns the partition's response. */
export const receive = (
  routes: ReadonlyArray<Route>,
  from: number,
  more: {
    version?: number
    maxWaitMs?: number
    minBytes?: number
    maxBytes?: number
    partitionBytes?: number
    epoch?: number
    topic?: string
    partition?: number
  } = {}
) =>
  call(routes, Fetch, more.version ?? 12, {
    maxWaitMs: more.maxWaitMs ?? 0,
    minBytes: more.minBytes ?? 1,
    maxBytes: more.maxBytes ?? 1_000_000,
    topics: [
      {
        topic: more.topic ?? "orders",
        partitions: [
          {
            partition: more.partition ?? 0,
            fetchOffset: BigInt(from),
            partitionMaxBytes: more.partitionBytes ?? 1_000_000,
            currentLeaderEpoch: more.epoch ?? -1
          }
        ]
      }
    ]
  }).pipe(Effect.map((answer) => answer?.responses[0]?.partitions[0]))
