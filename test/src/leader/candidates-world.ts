import { Context, Effect, Fiber, Layer, Logger, LogLevel, Random, Schedule, type Scope } from "effect"
import { layerTypescript as checksum } from "../../../adapters/checksum/checksum.ts"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerTypescript as compression } from "../../../adapters/compression/compression.ts"
import { layerEtcd } from "../../../adapters/journal/etcd/journal.ts"
import { SimulatedEtcd } from "../../../adapters/journal/etcd/simulated.ts"
import { layer as memoryLog } from "../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { MemoryNetwork } from "../../../adapters/transport/memory.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { beCandidate, type CandidateRole } from "../../../src/leader/candidacy.ts"
import { Leader, layer as layerLeader } from "../../../src/leader/leader.ts"
import type { Address } from "../../../src/ports/transport.ts"
import { serveOptions } from "../../../src/serve/serve-options.ts"
import { connect, type Link } from "../../../src/wire/link.ts"
import { RouteSwitch } from "../../../src/wire/routing/route-switch.ts"
import { serve } from "../../../src/wire/server.ts"
import { seed } from "../../seed.ts"

export const leaseMs = 4000

/** A candidate that runs. */
interface RunningCandidate {
  readonly address: Address
  readonly role: () => CandidateRole
  readonly stopped: Effect.Effect<unknown, unknown>
}

/** Candidates over one simulated etcd, in a time that the test lets pass. */
export class CandidatesWorld {
  readonly clock = new VirtualClock()
  readonly etcd = new SimulatedEtcd()
  private readonly network = new MemoryNetwork()
  private readonly disks = new Map<number, MemoryDisk>()

  private readonly config: NodeConfig

  /** Settings of the candidates that differ from the defaults. */
  constructor(more: Partial<NodeConfig> = {}) {
    this.config = { ...defaultNodeConfig, "offsets.topic.num.partitions": 1, ...more }
  }

  run<A, E>(test: Effect.Effect<A, E, Scope.Scope>): Promise<A> {
    return this.clock.run(Effect.scoped(test).pipe(Effect.withRandom(Random.make(seed)), Logger.withMinimumLogLevel(LogLevel.Fatal)))
  }
  get now(): number {
    return this.clock.unsafeCurrentTimeMillis()
  }

  candidate(nodeId: number): Effect.Effect<RunningCandidate, unknown, Scope.Scope> {
    const { config } = this
    const host = `candidate-${nodeId}`
    const disk = this.disks.get(nodeId) ?? new MemoryDisk()
    this.disks.set(nodeId, disk)
    const platform = Layer.mergeAll(checksum, compression, this.network.layer(host))
    const journal = layerEtcd({ client: this.etcd.client(host), prefix: "/franz", leaseMs }).pipe(
      Layer.provideMerge(Layer.provideMerge(memoryLog(disk), platform))
    )
    return Effect.gen(function* () {
      const services = yield* Layer.build(journal)
      const routes = new RouteSwitch([])
      const options = { nodeId: nodeId as BrokerId, config }
      let role: CandidateRole | undefined
      const address = { host, port: 9092 }
      yield* Effect.provide(serve(address, routes, serveOptions(config)), services)
      const life = beCandidate({
        options,
        listeners: [{ name: "PLAINTEXT", ...address }],
        ready: Effect.void,
        become: (next) => {
          routes.become(next.routes, role?.isLeading === true && !next.isLeading)
          role = next
        },
        lead: (standby) => Effect.map(Layer.build(layerLeader({ ...options, standby })), (context) => Context.get(context, Leader))
      })
      const fiber = yield* Effect.forkScoped(Effect.provide(life, services))
      return { address, role: () => role as CandidateRole, stopped: Fiber.join(fiber) }
    })
  }

  /** The process of a candidate ends without a word: its connections and its listener are gone, and etcd hears it no more. */
  kill(nodeId: number): void {
    const host = `candidate-${nodeId}`
    this.etcd.stop(host)
    this.network.crash(host)
  }

  link(address: Address, clientId = "test"): Effect.Effect<Link, unknown, Scope.Scope> {
    const options = { clientId, connectTimeoutMs: 5000, requestTimeoutMs: 60_000, inFlightRequestsMax: 10, responseBytesMax: 100_000_000 }
    return Effect.provide(connect(address, options), this.network.layer("client"))
  }

  /** Waits until `holds`, for a minute at most. */
  until(what: string, holds: () => boolean): Effect.Effect<void, Error> {
    const look = Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error(`not in a minute: ${what}`))))
    return Effect.retry(look, Schedule.intersect(Schedule.spaced(10), Schedule.recurs(6000)))
  }
}
