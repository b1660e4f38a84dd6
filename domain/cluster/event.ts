import { Schema } from "effect"
import { BrokerId, PartitionIndex, TopicId, TopicName } from "../kernel/id.ts"
import * as R from "./replication/event.ts"

/**
 * Facts about the cluster, as the journal (`__cluster_metadata`) holds them. A field is never removed or given another
 * meaning; a new meaning is a new event, or a higher `v` that `evolve` still reads.
 */
const v = Schema.propertySignature(Schema.Literal(1)).pipe(Schema.withConstructorDefault(() => 1 as const))
/**
 * Version 2 of an event that moves a broker's partitions by itself; version 1 was followed by one
 * PartitionLeaderChanged for each of them.
 */
const vWithPartitions = Schema.propertySignature(Schema.Literal(1, 2)).pipe(Schema.withConstructorDefault((): 1 | 2 => 2))
/** Version 2 of a registration says what the broker's logs hold: it is written from event level 2 on. */
const vWithLogs = Schema.propertySignature(Schema.Literal(1, 2)).pipe(Schema.withConstructorDefault((): 1 | 2 => 1))
const Epoch = Schema.Int
/** The level of a journal without EventLevelRaised, and of a broker that names no level when it registers. */
export const baseEventLevel = 1
/** A named address of a broker. */
export const BrokerListener = Schema.Struct({ name: Schema.String, host: Schema.String, port: Schema.Int })
export type BrokerListener = typeof BrokerListener.Type
/** -1: the partition has no leader. */
const LeaderId = Schema.Union(BrokerId, Schema.Literal(-1))

/** The first event of every journal: the cluster has its id (a UUID as Kafka writes it). */
export class ClusterFounded extends Schema.TaggedClass<ClusterFounded>()("ClusterFounded", { v, clusterId: Schema.String }) {}
/**
 * The groups are spread over so many streams for good: a group is found by the hash of its name, which another number
 * would send elsewhere.
 */
export class GroupStreamsFixed extends Schema.TaggedClass<GroupStreamsFixed>()("GroupStreamsFixed", { v, count: Schema.Int.pipe(Schema.positive()) }) {}
/** A node took the leadership under a new epoch, and is reached there. */
export class LeaderElected extends Schema.TaggedClass<LeaderElected>()("LeaderElected", {
  v,
  nodeId: BrokerId,
  host: Schema.String,
  port: Schema.Int,
  epoch: Epoch
}) {}
/**
 * A broker process registered with its addresses. It stays fenced until its heartbeat shows that it has caught up.
 * `brokerEpoch` fences the earlier process of the broker.
 */
export class BrokerRegistered extends Schema.TaggedClass<BrokerRegistered>()("BrokerRegistered", {
  v: vWithLogs,
  brokerId: BrokerId,
  incarnationId: Schema.String,
  brokerEpoch: Epoch,
  host: Schema.String,
  port: Schema.Int,
  rack: Schema.NullOr(Schema.String),
  /**
   * All its listeners, the one between nodes first, which `host` and `port` repeat. Absent: that one alone, by the name
   * PLAINTEXT, as before there were others.
   */
  listeners: Schema.optional(Schema.Array(BrokerListener)),
  /**
   * The highest event level that the broker knows. Absent: the base level, as every version before there were levels.
   */
  eventLevel: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** The ids of its log directories, since version 2. */
  directories: Schema.optional(Schema.Array(Schema.String)),
  /**
   * Whether its logs have every record that it acknowledged before it stopped, since version 2. Where they may not, the
   * same command removed the broker from every in-sync set and ELR.
   */
  keepsWhatItAcknowledged: Schema.optional(Schema.Boolean)
}) {}
/**
 * A broker is unfenced. Since version 2 it leads each partition from here on that has no leader and whose only replica
 * is on the broker, under the partition's next leader epoch. Partitions with more replicas have rows of LeadersElected.
 */
export class BrokerUnfenced extends Schema.TaggedClass<BrokerUnfenced>()("BrokerUnfenced", {
  v: vWithPartitions,
  brokerId: BrokerId,
  brokerEpoch: Epoch
}) {}
/**
 * A broker was silent for too long, or shut down cleanly. Since version 2 the partitions whose only replica is on the
 * broker have no leader from here on, under their next leader epochs. Partitions with more replicas have rows of
 * LeadersElected and InSyncSetsChanged.
 */
export class BrokerFenced extends Schema.TaggedClass<BrokerFenced>()("BrokerFenced", {
  v: vWithPartitions,
  brokerId: BrokerId,
  brokerEpoch: Epoch,
  reason: Schema.Literal("session timeout", "shutdown", "restarted")
}) {}
/**
 * A registration was removed. Partitions with a replica on the broker keep it and have no leader; when the broker
 * registers again, it leads them again. "unregistered": by an operator; "idle": it had no partition and sent no
 * heartbeat for long; "replaced": it had no partition, and the cluster was full when another broker registered.
 */
export class BrokerRemoved extends Schema.TaggedClass<BrokerRemoved>()("BrokerRemoved", {
  v,
  brokerId: BrokerId,
  brokerEpoch: Epoch,
  reason: Schema.Literal("unregistered", "idle", "replaced")
}) {}
/** Followed by one PartitionPlaced a partition, in the same command. */
export class TopicAdded extends Schema.TaggedClass<TopicAdded>()("TopicAdded", {
  v,
  topic: TopicName,
  topicId: TopicId,
  configs: Schema.Record({ key: Schema.String, value: Schema.String })
}) {}
export class PartitionPlaced extends Schema.TaggedClass<PartitionPlaced>()("PartitionPlaced", {
  v,
  topicId: TopicId,
  partition: PartitionIndex,
  replicas: Schema.NonEmptyArray(BrokerId),
  isr: Schema.Array(BrokerId),
  leader: LeaderId,
  leaderEpoch: Epoch
}) {}
export class PartitionLeaderChanged extends Schema.TaggedClass<PartitionLeaderChanged>()("PartitionLeaderChanged", {
  v,
  topicId: TopicId,
  partition: PartitionIndex,
  leader: LeaderId,
  leaderEpoch: Epoch,
  isr: Schema.Array(BrokerId)
}) {}
/** The topic's own settings are these from now on, and no others. */
export class TopicConfigsChanged extends Schema.TaggedClass<TopicConfigsChanged>()("TopicConfigsChanged", {
  v,
  topicId: TopicId,
  configs: Schema.Record({ key: Schema.String, value: Schema.String })
}) {}
/** What is set for a node while the cluster runs, or by null for all of them, is this from now on and nothing else. */
export class NodeConfigsChanged extends Schema.TaggedClass<NodeConfigsChanged>()("NodeConfigsChanged", {
  v,
  nodeId: Schema.NullOr(BrokerId),
  configs: Schema.Record({ key: Schema.String, value: Schema.String })
}) {}
/** What is set for a group or a subscription to clients' metrics is this from now on and nothing else. */
export class ResourceConfigsChanged extends Schema.TaggedClass<ResourceConfigsChanged>()("ResourceConfigsChanged", {
  v,
  kind: Schema.Literal("group", "client-metrics"),
  name: Schema.String,
  configs: Schema.Record({ key: Schema.String, value: Schema.String })
}) {}
/** The topic, its partitions and its settings were removed. The id is never used again. */
export class TopicRemoved extends Schema.TaggedClass<TopicRemoved>()("TopicRemoved", { v, topic: TopicName, topicId: TopicId }) {}
/** A broker may assign the producer ids `first` to `first + count - 1` to producers; no other broker ever will. */
export class ProducerIdsAllocated extends Schema.TaggedClass<ProducerIdsAllocated>()("ProducerIdsAllocated", {
  v,
  brokerId: BrokerId,
  first: Schema.BigInt,
  count: Schema.Int
}) {}
/**
 * Every registered broker knows the kinds of events up to this level, so that the leader writes them from now on (see
 * `event-level.ts`). A version that does not know the level cannot join the cluster any more.
 */
export class EventLevelRaised extends Schema.TaggedClass<EventLevelRaised>()("EventLevelRaised", { v, level: Schema.Int.pipe(Schema.positive()) }) {}

export const Event = Schema.Union(
  ClusterFounded,
  GroupStreamsFixed,
  LeaderElected,
  BrokerRegistered,
  BrokerUnfenced,
  BrokerFenced,
  BrokerRemoved,
  TopicAdded,
  PartitionPlaced,
  PartitionLeaderChanged,
  TopicConfigsChanged,
  NodeConfigsChanged,
  ResourceConfigsChanged,
  TopicRemoved,
  ProducerIdsAllocated,
  EventLevelRaised,
  R.LeadersElected,
  R.InSyncSetsChanged,
  R.LeaderElectedUncleanly,
  R.RecordsLost,
  R.ReassignmentBegan,
  R.ReassignmentEnded,
  R.BrokerLeaving,
  R.ReplicasDisowned
)
export type Event = typeof Event.Type
