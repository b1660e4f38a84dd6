import { Effect, ExecutionStrategy, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import { layer as checksum } from "../../../adapters/checksum/checksum.ts"
import { layer as compression } from "../../../adapters/compression/compression.ts"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { layerBun } from "../../../adapters/transport/bun.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import { type RunningBroker, startBroker } from "../../../src/broker/broker.ts"
import { type RunningLeader, startLeader } from "../../../src/leader/leader.ts"
import type { Address, Transport } from "../../../src/ports/transport.ts"
import { CreateTopics } from "../../../src/protocol/message/19-create-topics.ts"
import { connect, type Link } from "../../../src/wire/link.ts"

const host = "127.0.0.1"

const config: NodeConfig = {
  ...defaultNodeConfig,
  "broker.session.timeout.ms": 300_000,
  "broker.heartbeat.interval.ms": 100
}

/** A leader or a broker that runs until the test stops it. */
interface Node<A> {
  readonly it: A
  readonly stop: Effect.Effect<void>
}

const held = <A, E>(start: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<Node<A>, E, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const it = yield* Scope.extend(start, scope)
    return { it, stop: Scope.close(scope, Exit.void) }
  })

/** Nodes and clients over one transport. */
interface World {
  /** A leader over `disk`, on a port that the system chooses, or on `port`: a port of `freePort` is still free when the node starts again. */
  readonly leaderOn: (disk: MemoryDisk, port?: number) => Effect.Effect<Node<RunningLeader>, unknown, Scope.Scope>
  /** A broker over `disk`. Returns when it listens, which may be long before the leader unfences it. */
  readonly brokerOn: (disk: MemoryDisk, nodeId: number, leader: Address, port?: number) => Effect.Effect<Node<RunningBroker>, unknown, Scope.Scope>
  /** A client's connection. */
  readonly linkTo: (address: Address) => Effect.Effect<Link, unknown, Scope.Scope>
}

export const worldOver = (transport: Layer.Layer<Transport>): World => {
  const platform = Layer.mergeAll(checksum, compression, transport)
  return {
    leaderOn: (disk, port = 0) =>
      held(
        Effect.flatMap(Layer.build(Layer.provideMerge(journalOverLog, Layer.provideMerge(memoryLog(disk), platform))), (context) =>
          Effect.provide(startLeader({ nodeId: BrokerId.make(100), config, listen: { host, port } }), context)
        )
      ),
    brokerOn: (disk, nodeId, leader, port = 0) =>
      held(
        Effect.flatMap(Layer.build(Layer.provideMerge(memoryLog(disk), platform)), (context) =>
          Effect.provide(startBroker({ nodeId, leader, config, listen: { host, port } }), context)
        )
      ),
    linkTo: (address) =>
      Effect.provide(
        connect(address, { clientId: "test", connectTimeoutMs: 60_000, requestTimeoutMs: 120_000, inFlightRequestsMax: 100, responseBytesMax: 10_000_000 }),
        platform
      )
  }
}
/** Real sockets, and the network in memory. */
export const worlds: ReadonlyArray<readonly [name: string, make: () => World]> = [
  ["TCP", () => worldOver(layerBun)],
  ["memory", () => worldOver(new MemoryNetwork().layer("here"))]
]

export const createTopic = (link: Link, name: string, numPartitions = 1) =>
  link
    .call(CreateTopics, { topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }], timeoutMs: 60_000 })
    .pipe(Effect.map(({ topics }) => topics[0]?.errorCode))

export const newDisk = (): MemoryDisk => new MemoryDisk()
/** Runs a test, and stops all nodes that it started at the end. */
export const running = <A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(test).pipe(Logger.withMinimumLogLevel(LogLevel.Fatal)))
