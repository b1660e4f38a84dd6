import { HashMap, Schema } from "effect"
import type { ResourceKind } from "../kernel/config.ts"
import { BrokerId, TopicId, TopicName } from "../kernel/id.ts"
import { Vector } from "../kernel/vector.ts"
import { BrokerListener, baseEventLevel } from "./event.ts"
import { replicationEventLevel } from "./event-level.ts"
import { hasCollisionCharacters, unifiedName } from "./evolve.ts"
import { type Cluster, charactersOf, noBrokers, type Partition, resourceCharactersOf, sortedTopics, type Topic } from "./state.ts"

const LeaderId = Schema.Union(BrokerId, Schema.Literal(-1))
const Brokers = Schema.Array(BrokerId)
/**
 * [replicas, in-sync set, leader, leader epoch, partition epoch], and where one of them is not empty [ELR, adding,
 * removing]: a snapshot of 200,000 partitions should not repeat their names.
 */
const PartitionRow = Schema.Union(
  Schema.Tuple(Brokers, Brokers, LeaderId, Schema.Int, Schema.Int),
  Schema.Tuple(Brokers, Brokers, LeaderId, Schema.Int, Schema.Int, Brokers, Brokers, Brokers)
)

/** A topic in a snapshot. */
export const TopicRow = Schema.Struct({
  name: TopicName,
  topicId: TopicId,
  configs: Schema.Record({ key: Schema.String, value: Schema.String }),
  partitions: Schema.Array(PartitionRow)
})
export type TopicRow = typeof TopicRow.Type

/**
 * A cluster in a snapshot: what events said, without what is derived from it. Version 2 has the longer rows of
 * partitions, and is written from the event level on that allows them, so that an older version never reads it.
 */
export const ClusterSnapshot = Schema.Struct({
  v: Schema.Literal(1, 2),
  index: Schema.Int,
  clusterId: Schema.optional(Schema.String),
  groupStreams: Schema.optional(Schema.Int),
  /** Absent: the base level. */
  eventLevel: Schema.optional(Schema.Int),
  leader: Schema.optional(Schema.Struct({ nodeId: BrokerId, host: Schema.String, port: Schema.Int, epoch: Schema.Int })),
  brokers: Schema.Array(
    Schema.Struct({
      id: BrokerId,
      incarnationId: Schema.String,
      epoch: Schema.Int,
      host: Schema.String,
      port: Schema.Int,
      rack: Schema.NullOr(Schema.String),
      fenced: Schema.Boolean,
      listeners: Schema.optional(Schema.Array(BrokerListener)),
      eventLevel: Schema.optional(Schema.Int),
      leavingAt: Schema.optional(Schema.Int),
      directories: Schema.optional(Schema.Array(Schema.String))
    })
  ),
  topics: Schema.Array(TopicRow),
  nodeConfigs: Schema.optional(
    Schema.Array(Schema.Struct({ nodeId: Schema.NullOr(BrokerId), configs: Schema.Record({ key: Schema.String, value: Schema.String }) }))
  ),
  resourceConfigs: Schema.optional(
    Schema.Array(
      Schema.Struct({
        kind: Schema.Literal("group", "client-metrics"),
        name: Schema.String,
        configs: Schema.Record({ key: Schema.String, value: Schema.String })
      })
    )
  ),
  nextProducerId: Schema.BigInt
})
export type ClusterSnapshot = typeof ClusterSnapshot.Type

/** By node, all nodes first. */
const nodeConfigRows = (cluster: Cluster) =>
  [...cluster.nodeConfigs].map(([nodeId, configs]) => ({ nodeId, configs })).sort((one, other) => (one.nodeId ?? -1) - (other.nodeId ?? -1))

/** By kind and name. */
const resourceConfigRows = ({ resourceConfigs }: Cluster) =>
  (["client-metrics", "group"] as const).flatMap((kind) =>
    [...resourceConfigs[kind]].map(([name, configs]) => ({ kind, name, configs })).sort((one, other) => (one.name < other.name ? -1 : 1))
  )
const resourceConfigsOfRows = (rows: ClusterSnapshot["resourceConfigs"] = []): Cluster["resourceConfigs"] => {
  const of = (kind: ResourceKind) => HashMap.fromIterable(rows.filter((row) => row.kind === kind).map(({ configs, name }) => [name, configs] as const))
  return { group: of("group"), "client-metrics": of("client-metrics") }
}

const rowOfPartition = ({ adding, elr, isr, leader, leaderEpoch, partitionEpoch, removing, replicas }: Partition): typeof PartitionRow.Type =>
  elr.length + adding.length + removing.length === 0
    ? [replicas, isr, leader, leaderEpoch, partitionEpoch]
    : [replicas, isr, leader, leaderEpoch, partitionEpoch, elr, adding, removing]
const partitionOfRow = (row: typeof PartitionRow.Type): Partition => {
  const [replicas, isr, leader, leaderEpoch, partitionEpoch, elr = noBrokers, adding = noBrokers, removing = noBrokers] = row
  return { replicas, isr, elr, adding, removing, leader, leaderEpoch, partitionEpoch }
}

/** Returns the row of a topic. */
export const rowOfTopic = ({ configs, name, partitions, topicId }: Topic): TopicRow => ({
  name,
  topicId,
  configs,
  partitions: partitions.map(rowOfPartition)
})
/** Returns the topic of a row. */
export const topicOfRow = ({ configs, name, partitions, topicId }: TopicRow): Topic => ({
  name,
  topicId,
  configs,
  partitions: Vector.from(partitions.map(partitionOfRow))
})

/** Returns the snapshot of a state. Equal states have equal snapshots, in the order of ids and names. */
export const toSnapshot = (cluster: Cluster): ClusterSnapshot => ({ ...withoutTopics(cluster), topics: sortedTopics(cluster).map(rowOfTopic) })

/** Returns the snapshot of a state without its topics, for a caller that reads or writes these one by one. */
export const withoutTopics = (cluster: Cluster): ClusterSnapshot => ({
  v: cluster.eventLevel < replicationEventLevel ? 1 : 2,
  index: cluster.index,
  ...(cluster.clusterId === undefined ? {} : { clusterId: cluster.clusterId }),
  ...(cluster.groupStreams === undefined ? {} : { groupStreams: cluster.groupStreams }),
  ...(cluster.leader === undefined ? {} : { leader: cluster.leader }),
  ...(cluster.eventLevel === baseEventLevel ? {} : { eventLevel: cluster.eventLevel }),
  brokers: [...HashMap.values(cluster.brokers)].sort((one, other) => one.id - other.id),
  topics: [],
  ...(HashMap.isEmpty(cluster.nodeConfigs) ? {} : { nodeConfigs: nodeConfigRows(cluster) }),
  ...(resourceConfigRows(cluster).length === 0 ? {} : { resourceConfigs: resourceConfigRows(cluster) }),
  nextProducerId: cluster.nextProducerId
})

/** Returns the state of a snapshot (M2). What is derived is counted anew. */
export const fromSnapshot = (snapshot: ClusterSnapshot): Cluster => withTopics(snapshot, snapshot.topics.map(topicOfRow))

/** Returns the state of a snapshot with these topics instead of its own. */
export const withTopics = (snapshot: ClusterSnapshot, topics: ReadonlyArray<Topic>): Cluster => {
  const load = new Map<BrokerId, number>()
  for (const { partitions } of topics) for (const { replicas } of partitions) for (const broker of replicas) load.set(broker, (load.get(broker) ?? 0) + 1)
  return {
    index: snapshot.index,
    clusterId: snapshot.clusterId,
    groupStreams: snapshot.groupStreams,
    leader: snapshot.leader,
    eventLevel: snapshot.eventLevel ?? baseEventLevel,
    brokers: HashMap.fromIterable(snapshot.brokers.map((broker) => [broker.id, broker])),
    topics: HashMap.fromIterable(topics.map((topic) => [topic.topicId, topic])),
    topicIds: HashMap.fromIterable(topics.map(({ name, topicId }) => [name, topicId])),
    nodeConfigs: HashMap.fromIterable((snapshot.nodeConfigs ?? []).map(({ configs, nodeId }) => [nodeId, configs])),
    resourceConfigs: resourceConfigsOfRows(snapshot.resourceConfigs),
    nextProducerId: snapshot.nextProducerId,
    configCharacters:
      [...topics, ...(snapshot.nodeConfigs ?? [])].reduce((sum, { configs }) => sum + charactersOf(configs), 0) +
      (snapshot.resourceConfigs ?? []).reduce((sum, { configs, name }) => sum + resourceCharactersOf(name, configs), 0),
    partitionCount: topics.reduce((count, { partitions }) => count + partitions.length, 0),
    load: HashMap.fromIterable(load),
    unifiedNames: HashMap.fromIterable(topics.filter(({ name }) => hasCollisionCharacters(name)).map(({ name }) => [unifiedName(name), name]))
  }
}

/** A whole cluster to JSON and back. */
export const ClusterState: Schema.Schema<Cluster, typeof ClusterSnapshot.Encoded> = Schema.transform(
  ClusterSnapshot,
  Schema.declare((input: unknown): input is Cluster => typeof input === "object" && input !== null && "unifiedNames" in input),
  { strict: true, decode: fromSnapshot, encode: toSnapshot }
)
