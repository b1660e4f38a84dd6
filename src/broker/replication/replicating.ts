import { Effect, FiberMap, Layer, Queue, Schedule } from "effect"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { Transport } from "../../ports/transport.ts"
import { BrokerContext } from "../broker-context.ts"
import { BrokerIdentity } from "../broker-identity.ts"
import type { BrokerSettings } from "../broker-settings.ts"
import { HostedPartitions } from "../partition/hosted/hosted-partitions.ts"
import type { Replica } from "../partition/replica/replica.ts"
import type { Relay } from "../relay.ts"
import { Fetcher } from "./fetcher.ts"
import { sendProposals } from "./in-sync-proposals.ts"

type Services = BrokerContext | BrokerIdentity | BrokerSettings | HostedPartitions | Relay | Transport

/** How often a leader looks for replicas that lag, sends proposals without a response again, and a follower follows the start of its leader's log, ms. */
const lookMs = 1000
/** Kafka's default of replica.lag.time.max.ms. */
const lagMsMax = 30_000

/** Runs a fetcher for each broker that leads partitions of which this broker has replicas. */
const fetchFromLeaders: Effect.Effect<never, never, Services> = Effect.scoped(
  Effect.gen(function* () {
    const context = yield* BrokerContext
    const { epoch: brokerEpoch } = yield* BrokerIdentity
    const { signals, table } = yield* HostedPartitions
    const transport = yield* Transport
    const clock = yield* Effect.clock
    const fibers = yield* FiberMap.make<BrokerId, never>()
    let byLeader = new Map<BrokerId, Array<Replica>>()
    const regroup = Effect.suspend(() => {
      const next = new Map<BrokerId, Array<Replica>>()
      for (const replica of table.replicas()) {
        const { following } = replica
        if (following === undefined) continue
        const of = next.get(following.leader)
        if (of === undefined) next.set(following.leader, [replica])
        else of.push(replica)
      }
      const gone = [...byLeader.keys()].filter((leader) => !next.has(leader))
      byLeader = next
      return Effect.zipRight(
        Effect.forEach(gone, (leader) => FiberMap.remove(fibers, leader), { discard: true }),
        Effect.forEach(
          next.keys(),
          (leader) => {
            const replicas = () => byLeader.get(leader) ?? []
            const fetcher = new Fetcher({ context, leader, replicas, brokerEpoch, transport, clock })
            return FiberMap.run(fibers, leader, fetcher.run, { onlyIfMissing: true })
          },
          { discard: true }
        )
      )
    })
    return yield* Effect.forever(Effect.zipRight(Queue.take(signals.follows), regroup))
  })
)

const look: Effect.Effect<void, never, HostedPartitions> = Effect.gen(function* () {
  const { raise, signals, table } = yield* HostedPartitions
  const behind: Array<{ readonly replica: Replica; readonly offset: number }> = []
  for (const replica of table.replicas()) {
    const { following, leaderStart, replication } = replica
    if (replication !== undefined) {
      replication.tick(lagMsMax)
      if (replication.proposal !== undefined) signals.proposing.add(replica)
    }
    if (following !== undefined && leaderStart > replica.start() && leaderStart <= replica.end()) behind.push({ replica, offset: leaderStart })
  }
  if (signals.proposing.size > 0) signals.proposals.unsafeOffer(undefined)
  if (behind.length > 0) yield* raise(behind)
})

/** What a broker does for partitions with several replicas: fetches from partition leaders, and proposes in-sync sets. It ends with the scope. */
export const layer: Layer.Layer<never, never, Services> = Layer.scopedDiscard(
  Effect.gen(function* () {
    yield* Effect.forkScoped(fetchFromLeaders)
    yield* Effect.forkScoped(sendProposals)
    yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookMs)))
  })
)
