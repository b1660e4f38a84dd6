import { Either, HashMap, Option } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import type { BrokerId, TopicId } from "../../kernel/id.ts"
import { partitionsPerClusterMax, partitionsPerTopicMax } from "../bounds.ts"
import type { Assignment } from "../command.ts"
import { tooManyConfigs } from "../config/changes.ts"
import { parseTopicConfigs } from "../config/topic.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { type Event, PartitionPlaced, TopicAdded, TopicRemoved } from "../event.ts"
import { brokerOf, type Cluster, liveBrokers, topicById, topicByName } from "../state.ts"
import { internalTopicRejection, isInternalId, isInternalName, newTopicName } from "./name.ts"
import { place } from "./placement.ts"

type Placement = Either.Either<ReadonlyArray<BrokerId>, Rejection>

const placed = (topicId: TopicId, partition: number, broker: BrokerId): Event =>
  new PartitionPlaced({ topicId, partition, replicas: [broker], isr: [broker], leader: broker, leaderEpoch: 0 })

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
    for (const broker of brokers) more.set(broker, (more.get(broker) ?? 0) + 1)
    for (const [broker, count] of more) {
      const after = count + Option.getOrElse(HashMap.get(cluster.load, broker), () => 0)
      if (after > most)
        return rejected("POLICY_VIOLATION", `Broker ${broker} would hold ${after} partitions, the most is ${most}: see franz.broker.partitions.max.`)
    }
    return placement
  })

const checkReplicationFactor = (replicationFactor: number, live: number): Either.Either<void, Rejection> => {
  if (replicationFactor !== -1 && replicationFactor < 1)
    return rejected("INVALID_REPLICATION_FACTOR", `Replication factor must be larger than 0, or -1 for the default; it is ${replicationFactor}.`)
  if (live === 0) return rejected("INVALID_REPLICATION_FACTOR", "No broker is unfenced: a topic needs one for its partitions.")
  if (replicationFactor > live)
    return rejected("INVALID_REPLICATION_FACTOR", `Replication factor: ${replicationFactor} larger than available brokers: ${live}.`)
  if (replicationFactor > 1)
    return rejected("INVALID_REPLICATION_FACTOR", `Replication factor ${replicationFactor} is not possible: this version keeps one copy of each partition.`)
  return Either.void
}

const automatic = (cluster: Cluster, partitionCount: number, replicationFactor: number): Placement => {
  if (partitionCount < 1) return rejected("INVALID_PARTITIONS", `Number of partitions must be larger than 0, or -1 for the default; it is ${partitionCount}.`)
  if (partitionCount > partitionsPerTopicMax)
    return rejected("INVALID_PARTITIONS", `${partitionCount} partitions are too many: a topic has at most ${partitionsPerTopicMax}.`)
  const live = liveBrokers(cluster).map(({ id }) => id)
  const fault = checkReplicationFactor(replicationFactor, live.length)
  if (Either.isLeft(fault)) return Either.left(fault.left)
  return tooManyPartitions(cluster, partitionCount) ?? Either.right(place(live, cluster.load, partitionCount))
}

/** The broker that one manual assignment names, if it can hold the partition. */
const assignedBroker = (cluster: Cluster, partition: number, replicas: ReadonlyArray<number>): Either.Either<BrokerId, Rejection> => {
  const [first] = replicas
  if (first === undefined) return rejected("INVALID_REPLICA_ASSIGNMENT", `The assignment of partition ${partition} includes an empty replica list.`)
  if (new Set(replicas).size !== replicas.length)
    return rejected("INVALID_REPLICA_ASSIGNMENT", `The assignment of partition ${partition} includes a broker more than once.`)
  const unknown = replicas.find((id) => brokerOf(cluster, id) === undefined)
  if (unknown !== undefined)
    return rejected("INVALID_REPLICA_ASSIGNMENT", `The assignment of partition ${partition} includes broker ${unknown}, but no such broker is registered.`)
  if (replicas.length > 1)
    return rejected("INVALID_REPLICATION_FACTOR", `Partition ${partition} has ${replicas.length} replicas: this version keeps one copy of each partition.`)
  if (brokerOf(cluster, first)?.fenced === true)
    return rejected("INVALID_REPLICA_ASSIGNMENT", `All brokers in the assignment of partition ${partition} are fenced or shut down.`)
  return Either.right(first as BrokerId)
}

const manual = (cluster: Cluster, from: number, assignments: ReadonlyArray<ReadonlyArray<number>>): Placement => {
  if (from + assignments.length > partitionsPerTopicMax)
    return rejected("INVALID_PARTITIONS", `${from + assignments.length} partitions are too many: a topic has at most ${partitionsPerTopicMax}.`)
  const brokers: Array<BrokerId> = []
  for (const replicas of assignments) {
    const broker = assignedBroker(cluster, from + brokers.length, replicas)
    if (Either.isLeft(broker)) return Either.left(broker.left)
    brokers.push(broker.right)
  }
  return tooManyPartitions(cluster, brokers.length) ?? Either.right(brokers)
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
  const { assignments, partitionCount, replicationFactor, defaultPartitionCount } = command
  if (assignments.length === 0) return automatic(cluster, partitionCount === -1 ? defaultPartitionCount : partitionCount, replicationFactor)
  if (partitionCount !== -1) return rejected("INVALID_REQUEST", "A manual partition assignment was specified, but the number of partitions was not set to -1.")
  if (replicationFactor !== -1) return rejected("INVALID_REQUEST", "A manual partition assignment was specified, but the replication factor was not set to -1.")
  return Either.flatMap(inOrder(assignments), (replicas) => manual(cluster, 0, replicas))
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
    return [new TopicAdded({ topic, topicId, configs }), ...brokers.map((broker, partition) => placed(topicId, partition, broker))]
  })

/** There is no event about a topic of that name: the topic is internal, or does not exist. */
const missing = (name: string): Either.Either<never, Rejection> =>
  isInternalName(name) ? Either.left(internalTopicRejection(name)) : rejected("UNKNOWN_TOPIC_OR_PARTITION", `There is no topic '${name.slice(0, 60)}'.`)

export const addPartitions = (cluster: Cluster, command: CommandOf<"AddPartitions">): Decision =>
  Either.gen(function* () {
    const { assignments, count } = command
    const topic = topicByName(cluster, command.topic)
    if (topic === undefined) return yield* missing(command.topic)
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
    const placement = assignments === null ? automatic(cluster, more, 1) : manual(cluster, now, assignments)
    const brokers = yield* withinBrokers(cluster, placement, command.partitionsPerBrokerMax)
    return command.validateOnly ? [] : brokers.map((broker, index) => placed(topic.topicId, now + index, broker))
  })

/** M7: partitions, settings and index entries of the topic go with the one event. */
export const removeTopic = (cluster: Cluster, command: CommandOf<"RemoveTopic">): Decision => {
  const asked = command.topic
  if ("name" in asked) {
    const topic = topicByName(cluster, asked.name)
    return topic === undefined ? missing(asked.name) : Either.right([new TopicRemoved({ topic: topic.name, topicId: topic.topicId })])
  }
  if (isInternalId(asked.topicId)) return Either.left(internalTopicRejection(asked.topicId))
  const topic = topicById(cluster, asked.topicId)
  return topic === undefined
    ? rejected("UNKNOWN_TOPIC_ID", `There is no topic with id ${asked.topicId}.`)
    : Either.right([new TopicRemoved({ topic: topic.name, topicId: topic.topicId })])
}
