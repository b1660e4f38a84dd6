import { Context, Effect } from "effect"
import type { Event } from "../../../domain/cluster/event.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import { ClusterImage } from "../../groups/cluster-image.ts"
import { RateLimitedLog } from "../../ports/rate-limited-log.ts"
import { type EventTable, lookUp } from "../../stream/event-table.ts"
import { LeaderSettings } from "../settings.ts"
import { BrokerLinks } from "./broker-links.ts"
import { BrokerPace } from "./broker-pace.ts"
import { BrokerProbes } from "./broker-probes.ts"
import { Sessions } from "./broker-sessions.ts"
import { Observers } from "./observers.ts"
import { SpareIds } from "./spare-ids.ts"

/** The broker whose registration an event removes. */
const unregistered: EventTable<Event, BrokerId | undefined> = {
  ClusterFounded: () => undefined,
  GroupStreamsFixed: () => undefined,
  LeaderElected: () => undefined,
  EventLevelRaised: () => undefined,
  BrokerRegistered: () => undefined,
  BrokerUnfenced: () => undefined,
  BrokerFenced: () => undefined,
  BrokerRemoved: ({ brokerId }) => brokerId,
  TopicAdded: () => undefined,
  PartitionPlaced: () => undefined,
  PartitionLeaderChanged: () => undefined,
  TopicConfigsChanged: () => undefined,
  NodeConfigsChanged: () => undefined,
  ResourceConfigsChanged: () => undefined,
  TopicRemoved: () => undefined,
  ProducerIdsAllocated: () => undefined,
  LeadersElected: () => undefined,
  InSyncSetsChanged: () => undefined,
  LeaderElectedUncleanly: () => undefined,
  RecordsLost: () => undefined,
  ReassignmentBegan: () => undefined,
  ReassignmentEnded: () => undefined,
  BrokerLeaving: () => undefined,
  ReplicasDisowned: () => undefined
}

/** What the leader knows about its brokers that is not in the journal: it begins anew with each leader. */
export interface Brokers {
  readonly sessions: Sessions
  readonly observers: Observers
  readonly links: BrokerLinks
  readonly probes: BrokerProbes
  readonly pace: BrokerPace
  readonly spareIds: SpareIds
  /** Brokers that change their state, by broker: a broker may do so again and again. */
  readonly changes: RateLimitedLog
  /** Refusals of brokers, and of clients that claim to be brokers. */
  readonly refusals: RateLimitedLog
  /** Forgets the brokers whose registrations events of the cluster remove. */
  readonly follow: (events: ReadonlyArray<Event>) => void
}

/** Lines about one broker, and brokers that have lines of their own, in a minute. */
const linesPerBrokerMax = 3
const loggedBrokersMax = 10

const nanosPerMs = 1_000_000n

const makeBrokers = (cluster: () => Cluster, sessionTimeoutMs: number): Effect.Effect<Brokers> =>
  Effect.map(Effect.all([Effect.clock, BrokerProbes.make]), ([clock, probes]): Brokers => {
    const sessions = new Sessions(clock, sessionTimeoutMs)
    const observers = new Observers(clock, cluster)
    return {
      sessions,
      observers,
      links: new BrokerLinks(probes),
      probes,
      pace: new BrokerPace(() => Number(clock.unsafeCurrentTimeNanos() / nanosPerMs)),
      spareIds: new SpareIds(clock),
      changes: new RateLimitedLog({ linesPerKeyMax: linesPerBrokerMax, keysMax: loggedBrokersMax }),
      refusals: new RateLimitedLog(),
      follow: (events) => {
        for (const event of events) {
          const broker = lookUp(unregistered, event)
          if (broker === undefined) continue
          sessions.forget(broker)
          observers.forget(broker)
          probes.forget(broker)
        }
      }
    }
  })

/** The tag of Brokers. */
export class LeaderBrokers extends Context.Tag("comanche-franz/LeaderBrokers")<LeaderBrokers, Brokers>() {}

export const makeLeaderBrokers: Effect.Effect<Brokers, never, ClusterImage | LeaderSettings> = Effect.gen(function* () {
  const { cluster } = yield* ClusterImage
  const { config } = yield* LeaderSettings
  return yield* makeBrokers(cluster, config["broker.session.timeout.ms"])
})
