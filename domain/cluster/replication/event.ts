import { Schema } from "effect"
import { BrokerId, PartitionIndex, TopicId } from "../../kernel/id.ts"

/**
 * Facts about partitions with more than one replica. Each row raises the partition epoch by one. An event has at most
 * `rowsMax` rows: a broker with 10,000 partitions that is fenced makes ten events of some 30 KB.
 */
const v = Schema.propertySignature(Schema.Literal(1)).pipe(Schema.withConstructorDefault(() => 1 as const))
/** -1: the partition has no leader. */
const LeaderId = Schema.Union(BrokerId, Schema.Literal(-1))
const Brokers = Schema.Array(BrokerId)

/** Rows that one event has at most. */
export const rowsMax = 1000

/** Partitions of a topic have these leaders, in-sync sets and ELRs from here on. */
export class LeadersElected extends Schema.TaggedClass<LeadersElected>()("LeadersElected", {
  v,
  topicId: TopicId,
  reason: Schema.Literal("fenced", "unfenced", "leaving", "preferred", "reassigned", "disowned"),
  /** [partition, leader or -1, leader epoch, in-sync set, ELR]. */
  rows: Schema.Array(Schema.Tuple(PartitionIndex, LeaderId, Schema.Int, Brokers, Brokers))
}) {}
/** Partitions of a topic have these in-sync sets and ELRs from here on; their leaders stay. */
export class InSyncSetsChanged extends Schema.TaggedClass<InSyncSetsChanged>()("InSyncSetsChanged", {
  v,
  topicId: TopicId,
  reason: Schema.Literal("caught up", "lagging", "fenced", "unfenced", "leaving", "disowned", "min ISR"),
  /** The broker that asked for it; null: the cluster's leader. */
  by: Schema.NullOr(BrokerId),
  /** [partition, in-sync set, ELR]. */
  rows: Schema.Array(Schema.Tuple(PartitionIndex, Brokers, Brokers))
}) {}
/** A replica that may lack committed records leads (R8): only an operator's command or setting causes it. */
export class LeaderElectedUncleanly extends Schema.TaggedClass<LeaderElectedUncleanly>()("LeaderElectedUncleanly", {
  v,
  topicId: TopicId,
  partition: PartitionIndex,
  leader: BrokerId,
  leaderEpoch: Schema.Int,
  /** The leader alone. */
  isr: Brokers,
  /** The replicas that have all committed records: the in-sync set and the ELR before. */
  lastInSync: Brokers,
  /** The client that asked, or the setting that allows it. */
  commandedBy: Schema.String
}) {}
/** A replica had to remove records below its own high watermark: the offsets `from` to `to - 1` are lost. */
export class RecordsLost extends Schema.TaggedClass<RecordsLost>()("RecordsLost", {
  v,
  topicId: TopicId,
  partition: PartitionIndex,
  brokerId: BrokerId,
  leaderEpoch: Schema.Int,
  from: Schema.Int,
  to: Schema.Int
}) {}
/** A partition has these replicas until its reassignment ends. */
export class ReassignmentBegan extends Schema.TaggedClass<ReassignmentBegan>()("ReassignmentBegan", {
  v,
  topicId: TopicId,
  partition: PartitionIndex,
  replicas: Schema.NonEmptyArray(BrokerId),
  adding: Brokers,
  removing: Brokers
}) {}
/** A reassignment was completed or cancelled; the partition has these replicas. */
export class ReassignmentEnded extends Schema.TaggedClass<ReassignmentEnded>()("ReassignmentEnded", {
  v,
  topicId: TopicId,
  partition: PartitionIndex,
  outcome: Schema.Literal("completed", "cancelled"),
  replicas: Schema.NonEmptyArray(BrokerId),
  isr: Brokers,
  elr: Brokers,
  leader: LeaderId,
  leaderEpoch: Schema.Int
}) {}
/** A broker announced its shutdown: other brokers lead its partitions, and no in-sync set takes it up again. */
export class BrokerLeaving extends Schema.TaggedClass<BrokerLeaving>()("BrokerLeaving", { v, brokerId: BrokerId, brokerEpoch: Schema.Int }) {}
/** The logs of a broker for these partitions do not have what the broker acknowledged. The sets follow as rows. */
export class ReplicasDisowned extends Schema.TaggedClass<ReplicasDisowned>()("ReplicasDisowned", {
  v,
  brokerId: BrokerId,
  brokerEpoch: Schema.Int,
  reason: Schema.Literal("disk", "damage", "missing"),
  /** [topic id, partition]. */
  rows: Schema.Array(Schema.Tuple(TopicId, PartitionIndex))
}) {}
