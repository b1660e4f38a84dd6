import { Effect, ExecutionStrategy, Exit, Layer, Logger, LogLevel, Random, Scope } from "effect"
import { layerTypescript as checksum } from "../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as compression } from "../../../adapters/compression/compression.ts"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import { startBroker } from "../../../src/broker/broker.ts"
import { startLeader } from "../../../src/leader/leader.ts"
import type { Checksum } from "../../../src/ports/checksum.ts"
import type { Compression } from "../../../src/ports/compression.ts"
import type { Transport } from "../../../src/ports/transport.ts"

const port = 9092
export const leader = `leader:${port}`
const config: NodeConfig = { ...defaultNodeConfig, "group.initial.rebalance.delay.ms": 0, "auto.create.topics.enable": false }

/** The real leader and brokers over a memory network, each on a host of its own. */
export class RealCluster {
  readonly network = new MemoryNetwork({ delayMs: [1, 2] })
  private readonly disks = new Map<string, MemoryDisk>()
  private readonly scopes = new Map<string, Scope.CloseableScope>()
  constructor(private readonly scope: Scope.Scope) {}

  private diskOf(host: string): MemoryDisk {
    const disk = this.disks.get(host) ?? new MemoryDisk()
    this.disks.set(host, disk)
    return disk
  }
  private held<A, E>(host: string, start: Effect.Effect<A, E, Scope.Scope>) {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.scope, ExecutionStrategy.sequential)
      this.scopes.set(host, scope)
      return yield* Scope.extend(start, scope)
    })
  }
  /** Stops a node cleanly. */
  stop(host: string): Effect.Effect<void> {
    const scope = this.scopes.get(host)
    return scope === undefined ? Effect.void : Scope.close(scope, Exit.void)
  }

  readonly startLeader = Effect.suspend(() => {
    const store = Layer.provideMerge(memoryLog(this.diskOf("leader")), Layer.mergeAll(checksum, compression, this.network.layer("leader")))
    const start = Effect.flatMap(Layer.build(Layer.provideMerge(journalOverLog, store)), (context) =>
      Effect.provide(startLeader({ nodeId: BrokerId.make(100), config, listen: { host: "leader", port } }), context)
    )
    return this.held("leader", start)
  })
  startBroker(nodeId: number) {
    const host = `broker${nodeId}`
    const store = Layer.provideMerge(memoryLog(this.diskOf(host)), Layer.mergeAll(checksum, compression, this.network.layer(host)))
    const start = Effect.flatMap(Layer.build(store), (context) =>
      Effect.provide(startBroker({ nodeId, leader: { host: "leader", port }, config, listen: { host, port } }), context)
    )
    return Effect.tap(this.held(host, start), (broker) => broker.ready)
  }
}

/** The real cluster, with two brokers, and its clients, in memory and in virtual time. */
export const withCluster = <A>(
  body: (cluster: RealCluster, clock: VirtualClock) => Effect.Effect<A, unknown, Scope.Scope | Transport | Checksum | Compression>,
  seed: number | string = 1
): Promise<A> => {
  const clock = new VirtualClock(1_750_000_000_000)
  const run = Effect.gen(function* () {
    const cluster = new RealCluster(yield* Effect.scope)
    yield* cluster.startLeader
    yield* cluster.startBroker(1)
    yield* cluster.startBroker(2)
    const clients = Layer.mergeAll(cluster.network.layer("client"), checksum, compression)
    return yield* Effect.scoped(body(cluster, clock)).pipe(Effect.provide(clients))
  })
  return clock.run(run.pipe(Effect.scoped, Effect.withRandom(Random.make(seed)), Logger.withMinimumLogLevel(LogLevel.Fatal), Effect.orDie))
}
