import { Context, Effect, Layer } from "effect"
import type { EtcdClient } from "../../../adapters/journal/etcd/client.ts"
import { layerEtcd } from "../../../adapters/journal/etcd/journal.ts"
import { defaultNodeConfig, type NodeConfig } from "../../../domain/kernel/config.ts"
import { BrokerId } from "../../../domain/kernel/id.ts"
import { beCandidate, type CandidateRole } from "../../../src/leader/candidacy.ts"
import { Leader, layer as layerLeader } from "../../../src/leader/leader.ts"
import { Journal } from "../../../src/ports/journal.ts"
import type { Address } from "../../../src/ports/transport.ts"
import { serveOptions } from "../../../src/serve/serve-options.ts"
import { RouteSwitch } from "../../../src/wire/routing/route-switch.ts"
import { serve } from "../../../src/wire/server.ts"
import type { Program } from "../world/host.ts"
import type { CandidateMutant } from "./mutants.ts"
import type { CandidateOptions } from "./options.ts"

export const candidateName = (nth: number): string => `candidate-${nth}`
export const candidateAddress = (nth: number): Address => ({ host: candidateName(nth), port: 9092 })
export const prefix = "/franz"

/** A candidate as it runs: its role, and the coordinator of the groups while it leads. */
export interface RunningCandidate {
  role: CandidateRole | undefined
  leader: Leader["Type"] | undefined
}

const configOf = (nth: number, options: CandidateOptions): NodeConfig => ({
  ...defaultNodeConfig,
  "node.id": 100 + nth,
  "broker.session.timeout.ms": options.brokerSessionMs,
  "broker.heartbeat.interval.ms": 500,
  "group.initial.rebalance.delay.ms": 500,
  "group.min.session.timeout.ms": 1000,
  "offsets.topic.num.partitions": options.groupStreams,
  "metadata.snapshot.interval.events": options.snapshotEvents,
  "auto.create.topics.enable": false,
  // The checkers read the groups in the journal.
  "franz.groups.engine": "leader",
  "franz.leader.lease.ms": options.leaseMs
})

/** A real candidate, as its program puts it together. `running` is kept up to date. */
export const candidateProgram = (
  nth: number,
  options: CandidateOptions,
  mutant: CandidateMutant,
  client: Effect.Effect<EtcdClient>,
  running: RunningCandidate
): Program =>
  Effect.gen(function* () {
    const config = configOf(nth, options)
    const etcd = yield* client
    const journal = Layer.effect(
      Journal,
      Effect.map(Journal, (real) => mutant.journal?.(real) ?? real)
    ).pipe(Layer.provide(layerEtcd({ client: mutant.client?.(etcd) ?? etcd, prefix, leaseMs: options.leaseMs })))
    const services = yield* Layer.build(journal)
    const routes = new RouteSwitch([])
    const address = candidateAddress(nth)
    const settings = { nodeId: BrokerId.make(100 + nth), config }
    yield* serve(address, routes, serveOptions(config))
    const life = beCandidate({
      options: settings,
      listeners: [{ name: "PLAINTEXT", ...address }],
      ready: Effect.void,
      become: (next) => {
        routes.become(next.routes, running.role?.isLeading === true && !next.isLeading)
        running.role = next
        if (!next.isLeading) running.leader = undefined
      },
      lead: (standby) =>
        Effect.map(Layer.build(layerLeader({ ...settings, standby })), (context) => {
          const leader = Context.get(context, Leader)
          running.leader = leader
          return leader
        })
    })
    return yield* Effect.provide(life, services)
  })
