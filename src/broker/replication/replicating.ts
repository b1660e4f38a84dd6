import { Effect, FiberMap, Queue, type Scope } from "effect"
import { type Cluster, topicById } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { Transport } from "../../ports/transport.ts"
import { BrokerContext } from "../broker-context.ts"
import { BrokerIdentity } from "../broker-identity.ts"
import type { BrokerSettings } from "../broker-settings.ts"
import { HostedPartitions } from "../partition/hosted/hosted-partitions.ts"
import type { Replica } from "../partition/replica/replica.ts"
import { ReplicationQuota } from "../partition/replica/replication-quota.ts"
import type { Relay } from "../relay.ts"
import { Fetcher } from "./fetcher.ts"
import { sendProposals } from "./in-sync-proposals.ts"
import { followStarts, isStartBehind } from "./log-starts-of-leaders.ts"

type Services = BrokerContext | BrokerIdentity | BrokerSettings | HostedPartitions | Relay | Transport

/**
 * A fetcher has replicas that are in sync, or replicas that catch up: so a replica that copies a terabyte delays no
 * acknowledgement, and the quota holds it alone.
 */
type Lane = "in sync" | "catching up"

/** What one fetcher copies. */
interface Followed {
  readonly leader: BrokerId
  readonly lane: Lane
  /** The same fetcher in the other lane. */
  readonly beside: string
  readonly replicas: Array<Replica>
}

/** How long a fetch of the lane in sync waits at the leader while a replica may enter the lane, ms: its first fetch there has to wait for that. */
const waitMsWhileOthersCatchUp = 50

/** How often a leader looks for replicas that lag, and sends proposals without a response again, ms. */
const lookMs = 1000

/**
 * Names the fetcher of a partition, among those of its leader's broker. With another number of fetchers all have other
 * names: the present ones end before a partition has a new one, so that no answer of the old one is used.
 */
const fetcherKey = (leader: BrokerId, { partition, topicId }: Replica, fetchers: number): string =>
  `${leader} ${fetchers === 1 ? 0 : (hashOf(topicId) + partition) % fetchers}/${fetchers}`
const hashOf = (text: string): number => {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) >>> 0
  return hash
}

const laneOf = (cluster: Cluster, { partition, topicId }: Replica, self: BrokerId): Lane =>
  topicById(cluster, topicId)?.partitions.at(partition)?.isr.includes(self) === true ? "in sync" : "catching up"

const nanosPerMs = 1_000_000n

/** Runs `num.replica.fetchers` fetchers in each lane for each broker that leads partitions of which this broker has replicas. */
const fetchFromLeaders: Effect.Effect<never, never, Services> = Effect.scoped(
  Effect.gen(function* () {
    const context = yield* BrokerContext
    const { epoch: brokerEpoch } = yield* BrokerIdentity
    const { signals, table } = yield* HostedPartitions
    const transport = yield* Transport
    const clock = yield* Effect.clock
    const fibers = yield* FiberMap.make<string, never>()
    const nowMs = () => Number(clock.unsafeCurrentTimeNanos() / nanosPerMs)
    const quota = new ReplicationQuota("follower.replication.throttled.replicas", () => context.config()["follower.replication.throttled.rate"], nowMs)
    let byFetcher = new Map<string, Followed>()
    const regroup = Effect.suspend(() => {
      const next = new Map<string, Followed>()
      const fetchers = context.config()["num.replica.fetchers"]
      const cluster = context.cluster()
      for (const replica of table.replicas()) {
        const { following } = replica
        if (following === undefined) continue
        const fetcher = fetcherKey(following.leader, replica, fetchers)
        const lane = laneOf(cluster, replica, context.nodeId)
        const key = `${fetcher} ${lane}`
        const of = next.get(key)
        const beside = `${fetcher} ${lane === "in sync" ? "catching up" : "in sync"}`
        if (of === undefined) next.set(key, { leader: following.leader, lane, beside, replicas: [replica] })
        else of.replicas.push(replica)
      }
      const gone = [...byFetcher.keys()].filter((key) => !next.has(key))
      byFetcher = next
      return Effect.zipRight(
        Effect.forEach(gone, (key) => FiberMap.remove(fibers, key), { discard: true }),
        Effect.forEach(
          next,
          ([key, { beside, lane, leader }]) => {
            const replicas = () => byFetcher.get(key)?.replicas ?? []
            const ofLane =
              lane === "catching up" ? { quota } : { waitMsMax: () => (byFetcher.has(beside) ? waitMsWhileOthersCatchUp : Number.MAX_SAFE_INTEGER) }
            const startRose = () => signals.starts.unsafeOffer(undefined)
            const fetcher = new Fetcher({ context, leader, replicas, startRose, brokerEpoch, transport, clock, ...ofLane })
            return FiberMap.run(fibers, key, fetcher.run, { onlyIfMissing: true })
          },
          { discard: true }
        )
      )
    })
    return yield* Effect.forever(Effect.zipRight(Queue.take(signals.follows), regroup))
  })
)

/** Looks after all replicas; returns whether any partition has several. `fetchers` is the number of fetchers by the look before. */
const look = (fetchers: { count: number }): Effect.Effect<boolean, never, HostedPartitions | BrokerContext> =>
  Effect.gen(function* () {
    const config = (yield* BrokerContext).config()
    const lagMsMax = Math.max(0, config["replica.lag.time.max.ms"])
    const { signals, table } = yield* HostedPartitions
    if (config["num.replica.fetchers"] !== fetchers.count) signals.follows.unsafeOffer(undefined)
    fetchers.count = config["num.replica.fetchers"]
    let isReplicated = false
    for (const replica of table.replicas()) {
      const { replication } = replica
      isReplicated ||= replica.isReplicated
      if (replication !== undefined) {
        replication.tick(lagMsMax)
        if (replication.proposal !== undefined) signals.proposing.add(replica)
      }
      // One whose start could not be stored a moment ago.
      if (isStartBehind(replica)) signals.starts.unsafeOffer(undefined)
    }
    if (signals.proposing.size > 0) signals.proposals.unsafeOffer(undefined)
    return isReplicated
  })

/** What a broker does for partitions with several replicas: fetches from partition leaders, and proposes in-sync sets. It ends with the scope. */
export const replicate: Effect.Effect<void, never, Services | Scope.Scope> = Effect.gen(function* () {
  yield* Effect.forkScoped(fetchFromLeaders)
  yield* Effect.forkScoped(sendProposals)
  yield* Effect.forkScoped(followStarts)
  const fetchers = { count: (yield* BrokerContext).config()["num.replica.fetchers"] }
  const { signals } = yield* HostedPartitions
  yield* Effect.forkScoped(signals.looks.replication.repeat(lookMs, look(fetchers)))
})
