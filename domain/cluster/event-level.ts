import { Either, HashMap } from "effect"
import { type CommandOf, type Decision, rejected } from "./decision.ts"
import { baseEventLevel, type Event, EventLevelRaised } from "./event.ts"
import type { Broker, Cluster } from "./state.ts"
import { groupMetadataTopicId, groupPartitions } from "./topic/group-metadata.ts"

/** From this level on a partition may have more than one replica, which older versions cannot fold. */
export const replicationEventLevel = 2
/**
 * From this level on the partitions of `__group_metadata` may hold the groups: an older broker that leads one would not
 * coordinate them. The event that makes the partitions raises the cluster to it, and nothing before: a cluster that its
 * leader coordinates can go back to an older version.
 */
export const groupPartitionsEventLevel = 3
/**
 * A broker that knows this level can begin its image with the leader's snapshot: an older one would find events missing
 * in a journal that was trimmed. No event has it; a leader raises to it only where the brokers coordinate the groups.
 */
const snapshotEventLevel = 4

/**
 * The level at which each kind of event was introduced. A kind above the base level is written only after
 * EventLevelRaised has raised the cluster to it: an older node stops at an event that it does not know. A new kind gets
 * the next level; so does a higher `v` that an older node could not fold.
 *
 * Exported for tests. EventLevelRaised has the base level, since it is written below the level that it raises to. It is written only when
 * every registered broker knows that level, and a node that knows a level above the base knows this event.
 */
export const eventLevels: { readonly [Tag in Event["_tag"]]: number } = {
  ClusterFounded: baseEventLevel,
  GroupStreamsFixed: baseEventLevel,
  LeaderElected: baseEventLevel,
  BrokerRegistered: baseEventLevel,
  BrokerUnfenced: baseEventLevel,
  BrokerFenced: baseEventLevel,
  BrokerRemoved: baseEventLevel,
  TopicAdded: baseEventLevel,
  PartitionPlaced: baseEventLevel,
  PartitionLeaderChanged: baseEventLevel,
  TopicConfigsChanged: baseEventLevel,
  NodeConfigsChanged: baseEventLevel,
  ResourceConfigsChanged: baseEventLevel,
  TopicRemoved: baseEventLevel,
  ProducerIdsAllocated: baseEventLevel,
  EventLevelRaised: baseEventLevel,
  LeadersElected: replicationEventLevel,
  InSyncSetsChanged: replicationEventLevel,
  LeaderElectedUncleanly: replicationEventLevel,
  RecordsLost: replicationEventLevel,
  ReassignmentBegan: replicationEventLevel,
  ReassignmentEnded: replicationEventLevel,
  BrokerLeaving: replicationEventLevel,
  ReplicasDisowned: replicationEventLevel
}

/** Returns the level of an event: a higher version of a kind may need a higher level than the kind. */
export const levelOfEvent = (event: Event): number => {
  if (event._tag === "BrokerRegistered" && event.v === 2) return replicationEventLevel
  if (event._tag === "TopicAdded" && event.topicId === groupMetadataTopicId) return groupPartitionsEventLevel
  return eventLevels[event._tag]
}

/** The highest level that this version knows: it can read and write every kind of event up to it. */
export const knownEventLevel: number = Math.max(groupPartitionsEventLevel, snapshotEventLevel, ...Object.values(eventLevels))

/** The feature of BrokerRegistration by which a broker names the levels that it knows. */
export const eventLevelFeature = "franz.event.level"

/** Returns the highest event level that a registered broker knows. */
export const eventLevelOf = ({ eventLevel = baseEventLevel }: Pick<Broker, "eventLevel">): number => eventLevel

const brokersBelow = ({ brokers }: Cluster, level: number): ReadonlyArray<Broker> =>
  [...HashMap.values(brokers)].filter((broker) => eventLevelOf(broker) < level).sort((one, other) => one.id - other.id)

/** Whether every registered broker, fenced ones included, can begin its image with the leader's snapshot: then the journal may be trimmed. */
export const allBeginWithSnapshots = (cluster: Cluster): boolean => brokersBelow(cluster, snapshotEventLevel).length === 0

/** Whether the cluster is at the level of `__group_metadata`, or every registered broker, fenced ones included, knows it. */
export const allKnowGroupPartitions = (cluster: Cluster): boolean =>
  cluster.eventLevel >= groupPartitionsEventLevel || brokersBelow(cluster, groupPartitionsEventLevel).length === 0

/** Returns the highest level that a leader raises the cluster to by itself, before a command needs a higher one. */
export const unaskedEventLevel = (cluster: Cluster): number => (groupPartitions(cluster) === undefined ? replicationEventLevel : knownEventLevel)

/**
 * Returns the level to which a leader that knows `known` can raise the cluster; undefined where it can raise nothing:
 * without a registered broker, or while one of them, fenced ones included, does not know a higher level.
 */
export const raisableEventLevel = (cluster: Cluster, known: number): number | undefined => {
  if (known <= cluster.eventLevel || HashMap.isEmpty(cluster.brokers)) return undefined
  let level = known
  for (const broker of HashMap.values(cluster.brokers)) level = Math.min(level, eventLevelOf(broker))
  return level > cluster.eventLevel ? level : undefined
}

/**
 * Raises the event level. No event where the cluster has it already; FEATURE_UPDATE_FAILED names a broker that does not
 * know it.
 */
export const raiseEventLevel = (cluster: Cluster, { level }: CommandOf<"RaiseEventLevel">): Decision => {
  if (level <= cluster.eventLevel) return Either.right([])
  const [first, ...others] = brokersBelow(cluster, level)
  if (first === undefined) return Either.right([new EventLevelRaised({ level })])
  return rejected(
    "FEATURE_UPDATE_FAILED",
    `The event level stays ${cluster.eventLevel}: ${others.length + 1} registered brokers do not know level ${level}, broker ${first.id} at ${first.host}:${first.port} among them. Upgrade or unregister them.`
  )
}
