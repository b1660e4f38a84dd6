import { Effect, type Layer, Logger, LogLevel, type Scope } from "effect"
import { layer as layerCompression } from "../../../adapters/compression/compression.ts"
import { layerBun } from "../../../adapters/transport/bun.ts"
import { eventLevelFeature, replicationEventLevel } from "../../../domain/cluster/event-level.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { type RunningLeader, startLeader } from "../../../src/leader/leader.ts"
import type { Compression } from "../../../src/ports/compression.ts"
import type { Journal } from "../../../src/ports/journal.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { BrokerRegistration } from "../../../src/protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../../src/protocol/message/63-broker-heartbeat.ts"
import { connect, type Link } from "../../../src/wire/link.ts"

type World = Journal | Compression | Transport | Scope.Scope
export const run = <A, E>(journal: Layer.Layer<Journal>, work: Effect.Effect<A, E, World>): Promise<A> =>
  Effect.runPromise(
    work.pipe(Effect.scoped, Logger.withMinimumLogLevel(LogLevel.Fatal), Effect.provide(journal), Effect.provide(layerCompression), Effect.provide(layerBun))
  )

/** The brokers of these tests send one heartbeat: an hour of real time passes before one is fenced. */
const inSession = { "broker.session.timeout.ms": 3_600_000 }
export const start = (config: Partial<NodeConfig> = {}): Effect.Effect<RunningLeader, unknown, World> =>
  startLeader({ nodeId: 100 as BrokerId, config: { ...defaultNodeConfig, ...inSession, ...config }, listen: { host: "127.0.0.1", port: 0 } })

export const link = (address: Address, clientId = "test") =>
  connect(address, { clientId, connectTimeoutMs: 60_000, requestTimeoutMs: 60_000, inFlightRequestsMax: 10, responseBytesMax: 100_000_000 })

const incarnation = (n: number): string => `I${String(n).padStart(20, "0")}A`
export const register = (to: Link, brokerId: number, process = brokerId, clusterId = "", port = 9000 + process, incarnationId = incarnation(process)) =>
  to.call(BrokerRegistration, {
    brokerId,
    clusterId,
    incarnationId,
    listeners: [{ name: "PLAINTEXT", host: "127.0.0.1", port, securityProtocol: 0 }],
    features: [],
    rack: null
  })
export const heartbeat = (to: Link, brokerId: number, brokerEpoch: bigint, wantShutDown = false) =>
  to.call(BrokerHeartbeat, { brokerId, brokerEpoch, currentMetadataOffset: brokerEpoch, wantFence: false, wantShutDown })

/** Registers a broker and has it unfenced; returns its epoch. */
export const join = (to: Link, brokerId: number, process = brokerId) =>
  Effect.gen(function* () {
    const { brokerEpoch } = yield* register(to, brokerId, process)
    yield* heartbeat(to, brokerId, brokerEpoch)
    return brokerEpoch
  })

/** Registers a broker that knows replication, and has it unfenced; returns its epoch. */
export const joined = (to: Link, brokerId: number) =>
  Effect.gen(function* () {
    const { brokerEpoch } = yield* to.call(BrokerRegistration, {
      brokerId,
      clusterId: "",
      incarnationId: `I${String(brokerId).padStart(20, "0")}A`,
      listeners: [{ name: "PLAINTEXT", host: "127.0.0.1", port: 9000 + brokerId, securityProtocol: 0 }],
      features: [{ name: eventLevelFeature, minSupportedVersion: 1, maxSupportedVersion: replicationEventLevel }],
      rack: null
    })
    yield* heartbeat(to, brokerId, brokerEpoch)
    return brokerEpoch
  })
