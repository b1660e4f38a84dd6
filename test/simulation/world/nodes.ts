import { Context, Effect, Layer } from "effect"
import { layer as journalOverLog } from "../../../adapters/journal/over-log.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import { Broker, layer as layerBroker } from "../../../src/broker/broker.ts"
import { Leader, layer as layerLeader } from "../../../src/leader/leader.ts"
import { Journal } from "../../../src/ports/journal.ts"
import { LogStore } from "../../../src/ports/log-store.ts"
import { type Address, Transport } from "../../../src/ports/transport.ts"
import { serveOptions } from "../../../src/serve/serve-options.ts"
import type { Route } from "../../../src/wire/route.ts"
import { serve } from "../../../src/wire/server.ts"
import type { Mutant } from "../mutant/mutant.ts"
import type { Options } from "../options.ts"
import { groupStreamCount } from "./folds.ts"
import type { Program } from "./host.ts"

export const leaderName = "leader"
export const leaderAddress: Address = { host: leaderName, port: 9092 }
const leaderNodeId = 100
export const brokerName = (id: number): string => `broker-${id}`
export const brokerAddress = (id: number): Address => ({ host: brokerName(id), port: 9092 })

/** What a running node believes. */
export interface Believer {
  readonly cluster: () => Cluster
  /** The replicas of a broker. */
  readonly replicas?: Broker["Type"]["replicas"]
  /** The leader's groups. */
  readonly coordinator?: Leader["Type"]["coordinator"]
}

/** Brokers are spread over racks in turn. */
const rackOf = ({ replicated }: Options, id: number): Partial<NodeConfig> =>
  replicated === undefined || replicated.racks === 0 ? {} : { "broker.rack": `rack-${id % replicated.racks}` }

/** How often preferred leaders are elected, where brokers may hold several replicas. */
const imbalanceCheckSeconds = 5

const configOf = (options: Options, engine: NodeConfig["franz.groups.engine"] = "leader"): NodeConfig => ({
  ...defaultNodeConfig,
  "log.segment.bytes": options.segmentBytes,
  "log.index.interval.bytes": 256,
  "broker.session.timeout.ms": options.brokerSessionMs,
  "broker.heartbeat.interval.ms": Math.floor(options.brokerSessionMs / 4),
  "group.initial.rebalance.delay.ms": 500,
  "group.min.session.timeout.ms": 1000,
  "offsets.topic.num.partitions": groupStreamCount,
  "metadata.snapshot.interval.events": options.snapshotEvents,
  "auto.create.topics.enable": false,
  ...(options.replicated === undefined
    ? {}
    : {
        "franz.broker.replacement.delay.ms": options.replicated.replacementMs,
        "leader.imbalance.check.interval.seconds": imbalanceCheckSeconds,
        "replica.lag.time.max.ms": options.replicated.lagMs
      }),
  ...(options.groupPartitions === undefined
    ? { "franz.groups.engine": "leader" }
    : {
        "franz.groups.engine": engine,
        "offsets.topic.replication.factor": options.groupPartitions.replicationFactor,
        "min.insync.replicas": options.replicated?.minIsr ?? 1
      }),
  ...(options.compaction === undefined ? {} : { "log.cleaner.backoff.ms": options.compaction.backoffMs })
})

/** The real leader, as its program puts it together. `began` is called when it serves. */
export const leaderProgram = (options: Options, mutant: Mutant, engine: NodeConfig["franz.groups.engine"], began: (leader: Believer) => void): Program => {
  const journal = Layer.effect(
    Journal,
    Effect.map(Journal, (real) => mutant.journal?.(real) ?? real)
  ).pipe(Layer.provide(journalOverLog))
  return Effect.gen(function* () {
    const config = configOf(options, engine)
    const store = yield* LogStore
    yield* store.claim({ clusterId: undefined, nodeId: leaderNodeId })
    // The journal closes behind the leader, as in the program: the leader's writers end first.
    const role = Layer.provide(layerLeader({ nodeId: BrokerId.make(leaderNodeId), config }), journal)
    const leader = Context.get(yield* Layer.build(role), Leader)
    yield* store.claim({ clusterId: leader.clusterId, nodeId: leaderNodeId })
    const routes = mutant.leaderRoutes?.(leader.routes, leader) ?? leader.routes
    yield* serve(leaderAddress, routes, serveOptions(config))
    yield* leader.elect(leaderAddress)
    began(leader)
    return yield* leader.stopped
  })
}

/** A real broker, as its program puts it together. */
export const brokerProgram = (
  id: number,
  options: Options,
  mutant: Mutant,
  began: (broker: Believer) => void,
  watched: (routes: ReadonlyArray<Route>) => ReadonlyArray<Route>
): Program =>
  Effect.gen(function* () {
    // Fetches of every second broker may overlap.
    const config = { ...configOf(options), ...rackOf(options, id), "franz.replica.fetch.overlap": id % 2 === 0 }
    const transport = yield* Transport
    const broker = Context.get(yield* Layer.build(layerBroker({ nodeId: id, leader: leaderAddress, config })), Broker)
    const own = mutant.brokerRoutes?.(broker.routes) ?? broker.routes
    yield* serve(brokerAddress(id), [...watched(own), ...broker.relayed], serveOptions(config)).pipe(Effect.provideService(Transport, transport))
    yield* broker.join(brokerAddress(id))
    began(broker)
    return yield* broker.failed
  })
