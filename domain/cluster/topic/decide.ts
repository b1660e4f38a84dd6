import { Either, HashMap, Option } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import type { BrokerId, TopicId } from "../../kernel/id.ts"
import { partitionsPerClusterMax, partitionsPerTopicMax, replicationFactorMax } from "../bounds.ts"
import type { Assignment } from "../command.ts"
import { tooManyConfigs } from "../config/changes.ts"
import { parseTopicConfigs } from "../config/topic.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { type Event, EventLevelRaised, PartitionPlaced, TopicAdded, TopicRemoved } from "../event.ts"
import { allKnowGroupPartitions, groupPartitionsEventLevel, replicationEventLevel } from "../event-level.ts"
import { livesOf } from "../replication/partition-changes.ts"
import { type Cluster, liveBrokers, type Topic, topicById, topicByName } from "../state.ts"
import { groupMetadataTopic, groupMetadataTopicId, groupPartitions } from "./group-metadata.ts"
import { internalTopicRejection, isInternalId, isInternalName, newTopicName } from "./name.ts"
import { place } from "./placement.ts"
import { replicasFault } from "./replicas.ts"

/** The replicas of each partition, the preferred leader first. */
type Placement = Either.Either<ReadonlyArray<ReadonlyArray<BrokerId>>, Rejection>

/** The unfenced replicas are in sync, and the first of them leads: at least one is. */
const placed = (cluster: Cluster, topicId: TopicId, partition: number, replicas: ReadonlyArray<BrokerId>): Event => {
  const lifeOf = livesOf(cluster)
  const isr = replicas.filter((id) => lifeOf(id) === "unfenced")
  return new PartitionPlaced({ topicId, partition, replicas: replicas as [BrokerId, ...Array<BrokerId>], isr, leader: isr[0] as BrokerId, leaderEpoch: 0 })
}

const tooManyPartitions = (cluster: Cluster, more: number): Either.Either<never, Rejection> | undefined =>
  cluster.partitionCount + more > partitionsPerClusterMax
    ? rejected(
        "POLICY_VIOLATION",
        `${more} more partitions would make ${cluster.partitionCount + more} in the cluster, the most is ${partitionsPerClusterMax}.`
      )
    : undefined

/** `placement` if no broker of it would then hold more partitions than it may. */
const withinBrokers = (cluster: Cluster, placement: Placement, most: number): Placement =>
  Either.flatMap(placement, (brokers) => {
    const more = new Map<BrokerId, number>()
    for (const broker of brokers.flat()) more.set(broker, (more.get(broker) ?? 0) + 1)
    for (const [broker, count] of more) {
      const after = count + Option.getOrElse(HashMap.get(cluster.load, broker), () => 0)
      if (after > most)
        return rejected("POLICY_VIOLATION", `Broker ${broker} would hold ${after} partitions, the most is ${most}: see franz.broker.partitions.max.`)
    }
    return placement
  })

/** Why a partition cannot have as many replicas as a command asks for. */
const mostReplicas = ({ eventLevel }: Cluster, asked: number, most = replicationFactorMax): Rejection | undefined => {
  if (asked > 1 && eventLevel < replicationEventLevel && most > 1)
    return {
      error: "UNSUPPORTED_VERSION",
      message: `Replication factor ${asked} needs event level ${replicationEventLevel}, the cluster is at ${eventLevel}: upgrade or unregister the brokers that do not know it.`
    }
  if (asked <= most) return undefined
  return { error: "INVALID_REPLICATION_FACTOR", message: `Replication factor ${asked} is not possible: a partition has at most ${most} replicas.` }
}

/** Sentences of Kafka: a fenced broker counts, since it follows as soon as it is unfenced. */
const checkReplicationFactor = (cluster: Cluster, replicationFactor: number, most: number | undefined): Either.Either<void, Rejection> => {
  if (replicationFactor < 1)
    return rejected("INVALID_REPLICATION_FACTOR", `Replication factor must be larger than 0, or -1 to use the default value; it is ${replicationFactor}.`)
  const why = `Unable to replicate the partition ${replicationFactor} time(s):`
  // A broker that shuts down leads only what it led before: a partition on such brokers alone would have no leader.
  if (!liveBrokers(cluster).some(({ leavingAt }) => leavingAt === undefined))
    return rejected("INVALID_REPLICATION_FACTOR", `${why} All brokers are currently fenced or shut down.`)
  const registered = HashMap.size(cluster.brokers)
  if (replicationFactor > registered)
    return rejected(
      "INVALID_REPLICATION_FACTOR",
      `${why} The target replication factor of ${replicationFactor} cannot be reached because only ${registered} broker(s) are registered.`
    )
  const tooMany = mostReplicas(cluster, replicationFactor, most)
  return tooMany === undefined ? Either.void : Either.left(tooMany)
}

const automatic = (cluster: Cluster, partitionCount: number, replicationFactor: number, most: number | undefined): Placement => {
  if (partitionCount < 1) return rejected("INVALID_PARTITIONS", `Number of partitions must be larger than 0, or -1 for the default; it is ${partitionCount}.`)
  if (partitionCount > partitionsPerTopicMax)
    return rejected("INVALID_PARTITIONS", `${partitionCount} partitions are too many: a topic has at most ${partitionsPerTopicMax}.`)
  const fault = checkReplicationFactor(cluster, replicationFactor, most)
  if (Either.isLeft(fault)) return Either.left(fault.left)
  const lifeOf = livesOf(cluster)
  const brokers = [...HashMap.values(cluster.brokers)].map(({ id, rack }) => ({ id, rack, life: lifeOf(id) }))
  return tooManyPartitions(cluster, partitionCount) ?? Either.right(place(brokers, cluster, partitionCount, replicationFactor))
}

/** The brokers that one manual assignment names, if they can hold the partition. */
const assignedBrokers = (
  cluster: Cluster,
  partition: number,
  replicas: ReadonlyArray<number>,
  most: number | undefined
): Either.Either<ReadonlyArray<BrokerId>, Rejection> => {
  const fault = replicasFault(cluster, partition, replicas)
  if (fault !== undefined) return Either.left(fault)
  const tooMany = mostReplicas(cluster, replicas.length, most)
  if (tooMany !== undefined) return Either.left(tooMany)
  const lifeOf = livesOf(cluster)
  if (replicas.every((id) => lifeOf(id as BrokerId) !== "unfenced"))
    return rejected("INVALID_REPLICA_ASSIGNMENT", `All brokers in the assignment of partition ${partition} are fenced or shut down.`)
  return Either.right(replicas as ReadonlyArray<BrokerId>)
}

/** Assignments of a client, each with as many replicas as `replicationFactor`, or as the first where that is undefined. */
const manual = (
  cluster: Cluster,
  from: number,
  assignments: ReadonlyArray<ReadonlyArray<number>>,
  most: number | undefined,
  replicationFactor = assignments[0]?.length ?? 1
): Placement => {
  if (from + assignments.length > partitionsPerTopicMax)
    return rejected("INVALID_PARTITIONS", `${from + assignments.length} partitions are too many: a topic has at most ${partitionsPerTopicMax}.`)
  const all: Array<ReadonlyArray<BrokerId>> = []
  for (const replicas of assignments) {
    const brokers = assignedBrokers(cluster, from + all.length, replicas, most)
    if (Either.isLeft(brokers)) return Either.left(brokers.left)
    if (replicas.length !== replicationFactor)
      return rejected(
        "INVALID_REPLICA_ASSIGNMENT",
        `The assignment of partition ${from + all.length} has ${replicas.length} replica(s), the topic's other partitions have ${replicationFactor}: all need as many.`
      )
    all.push(brokers.right)
  }
  return tooManyPartitions(cluster, all.length) ?? Either.right(all)
}

/** The replicas by partition, if the partitions are 0 to n - 1, each once. */
const inOrder = (assignments: ReadonlyArray<Assignment>): Either.Either<ReadonlyArray<ReadonlyArray<number>>, Rejection> => {
  const byPartition = new Map(assignments.map(({ partition, replicas }) => [partition, replicas]))
  const ordered: Array<ReadonlyArray<number>> = []
  for (let partition = 0; partition < assignments.length; partition++) {
    const replicas = byPartition.get(partition)
    if (replicas === undefined)
      return rejected("INVALID_REPLICA_ASSIGNMENT", `The assigned partitions must be 0 to ${assignments.length - 1}, each once: ${partition} is missing.`)
    ordered.push(replicas)
  }
  return Either.right(ordered)
}

const newTopicPlacement = (cluster: Cluster, command: CommandOf<"AddTopic">): Placement => {
  const { assignments, partitionCount, replicationFactor, defaultPartitionCount, defaultReplicationFactor = 1 } = command
  if (assignments.length === 0)
    return automatic(
      cluster,
      partitionCount === -1 ? defaultPartitionCount : partitionCount,
      replicationFactor === -1 ? defaultReplicationFactor : replicationFactor,
      command.replicationFactorMax
    )
  if (partitionCount !== -1) return rejected("INVALID_REQUEST", "A manual partition assignment was specified, but the number of partitions was not set to -1.")
  if (replicationFactor !== -1) return rejected("INVALID_REQUEST", "A manual partition assignment was specified, but the replication factor was not set to -1.")
  return Either.flatMap(inOrder(assignments), (replicas) => manual(cluster, 0, replicas, command.replicationFactorMax))
}

export const addTopic = (cluster: Cluster, command: CommandOf<"AddTopic">): Decision =>
  Either.gen(function* () {
    const topic = yield* newTopicName(cluster, command.topic)
    const configs = yield* parseTopicConfigs(command.configs)
    const tooMany = tooManyConfigs(cluster, {}, configs)
    if (tooMany !== undefined) return yield* Either.left(tooMany)
    const brokers = yield* withinBrokers(cluster, newTopicPlacement(cluster, command), command.partitionsPerBrokerMax)
    if (command.validateOnly) return []
    const { topicId } = command
    // An id of 122 random bits was drawn twice: the random source is broken, and the data of the older topic would be
    // read as that of the new one.
    if (topicById(cluster, topicId) !== undefined) return yield* rejected("UNKNOWN_SERVER_ERROR", `Topic id ${topicId} is taken; ask again.`)
    return [new TopicAdded({ topic, topicId, configs }), ...brokers.map((replicas, partition) => placed(cluster, topicId, partition, replicas))]
  })

/** No compaction: a record's key is the kind of its event. What the coordinator has in a snapshot it deletes itself. */
const groupConfigs = (segmentBytes: number): Readonly<Record<string, string>> => ({
  "cleanup.policy": "delete",
  "compression.type": "producer",
  "max.message.bytes": "104857600",
  "message.timestamp.type": "CreateTime",
  "retention.bytes": "-1",
  "retention.ms": "-1",
  "segment.bytes": `${segmentBytes}`,
  "unclean.leader.election.enable": "false"
})

export const addGroupPartitions = (cluster: Cluster, command: CommandOf<"AddGroupPartitions">): Decision =>
  Either.gen(function* () {
    const { eventLevel, groupStreams } = cluster
    if (groupPartitions(cluster) !== undefined) return []
    if (groupStreams === undefined) return yield* rejected("INVALID_REQUEST", "The number of the groups' streams is not fixed yet.")
    if (topicByName(cluster, groupMetadataTopic) !== undefined)
      return yield* rejected(
        "TOPIC_ALREADY_EXISTS",
        `A client of an earlier version created a topic '${groupMetadataTopic}': remove it, so that the groups can have theirs.`
      )
    if (!allKnowGroupPartitions(cluster))
      return yield* rejected(
        "UNSUPPORTED_VERSION",
        `Groups on partitions need event level ${groupPartitionsEventLevel}, the cluster is at ${eventLevel}: upgrade or unregister the brokers that do not know it.`
      )
    const placement = automatic(cluster, groupStreams, command.replicationFactor, undefined)
    const brokers = yield* withinBrokers(cluster, placement, command.partitionsPerBrokerMax)
    const topicId = groupMetadataTopicId
    const configs = groupConfigs(command.segmentBytes)
    return [
      ...(eventLevel < groupPartitionsEventLevel ? [new EventLevelRaised({ level: groupPartitionsEventLevel })] : []),
      new TopicAdded({ topic: groupMetadataTopic, topicId, configs }),
      ...brokers.map((replicas, partition) => placed(cluster, topicId, partition, replicas))
    ]
  })

/** There is no event about a topic of that name: the topic is internal, or does not exist. */
const missing = (name: string): Either.Either<never, Rejection> =>
  isInternalName(name) ? Either.left(internalTopicRejection(name)) : rejected("UNKNOWN_TOPIC_OR_PARTITION", `There is no topic '${name.slice(0, 60)}'.`)

/** Replicas of a topic's first partition, without those that a reassignment adds: new partitions get as many. */
const replicationFactorOf = ({ partitions }: Topic): number => {
  const first = partitions.at(0)
  return first === undefined ? 1 : first.replicas.length - first.adding.length
}

export const addPartitions = (cluster: Cluster, command: CommandOf<"AddPartitions">): Decision =>
  Either.gen(function* () {
    const { assignments, count } = command
    const topic = topicByName(cluster, command.topic)
    if (topic === undefined || topic.topicId === groupMetadataTopicId) return yield* missing(command.topic)
    const now = topic.partitions.length
    if (count === now) return yield* rejected("INVALID_PARTITIONS", `Topic already has ${now} partition(s).`)
    if (count < now)
      return yield* rejected("INVALID_PARTITIONS", `The topic ${topic.name} currently has ${now} partition(s); ${count} would not be an increase.`)
    if (count > partitionsPerTopicMax)
      return yield* rejected("INVALID_PARTITIONS", `${count} partitions are too many: a topic has at most ${partitionsPerTopicMax}.`)
    const more = count - now
    if (assignments !== null && assignments.length !== more)
      return yield* rejected(
        "INVALID_REPLICA_ASSIGNMENT",
        `Attempted to add ${more} additional partition(s), but ${assignments.length} assignment(s) were specified.`
      )
    const most = command.replicationFactorMax
    const replicationFactor = replicationFactorOf(topic)
    const placement =
      assignments === null
        ? automatic(cluster, more, replicationFactor, Math.max(replicationFactor, most ?? replicationFactorMax))
        : manual(cluster, now, assignments, most, replicationFactor)
    const brokers = yield* withinBrokers(cluster, placement, command.partitionsPerBrokerMax)
    return command.validateOnly ? [] : brokers.map((replicas, index) => placed(cluster, topic.topicId, now + index, replicas))
  })

/** M7: partitions, settings and index entries of the topic go with the one event. */
export const removeTopic = (cluster: Cluster, command: CommandOf<"RemoveTopic">): Decision => {
  const asked = command.topic
  if ("name" in asked) {
    const topic = topicByName(cluster, asked.name)
    return topic === undefined || topic.topicId === groupMetadataTopicId
      ? missing(asked.name)
      : Either.right([new TopicRemoved({ topic: topic.name, topicId: topic.topicId })])
  }
  if (isInternalId(asked.topicId)) return Either.left(internalTopicRejection(asked.topicId))
  const topic = topicById(cluster, asked.topicId)
  return topic === undefined
    ? rejected("UNKNOWN_TOPIC_ID", `There is no topic with id ${asked.topicId}.`)
    : Either.right([new TopicRemoved({ topic: topic.name, topicId: topic.topicId })])
}
