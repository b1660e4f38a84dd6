import { brokerOf, type Cluster, type Partition, topicByName } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { AlterPartitionReassignments } from "../../protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../protocol/message/46-list-partition-reassignments.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"

type Topic = RequestOf<typeof AlterPartitionReassignments>["topics"][number]
type Fault = readonly [error: KafkaError, message: string]

const unknownTopic: Fault = ["UNKNOWN_TOPIC_OR_PARTITION", "Unable to find a topic of that name."]
const unknownPartition: Fault = ["UNKNOWN_TOPIC_OR_PARTITION", "The topic has no such partition."]
const notMoving: Fault = ["NO_REASSIGNMENT_IN_PROGRESS", "The partition is not being reassigned."]
const invalid = (message: string): Fault => ["INVALID_REPLICA_ASSIGNMENT", message]

/** Validates the replicas before they are compared with the current ones. A list longer than the number of brokers has a duplicate or an unknown broker. */
const replicasFault = (cluster: Cluster, replicas: ReadonlyArray<number>): Fault | undefined => {
  if (replicas.length === 0) return invalid("The manual partition assignment includes an empty replica list.")
  const seen = new Set<number>()
  for (const id of replicas) {
    if (id < 0) return invalid(`The manual partition assignment includes the invalid broker id ${id}.`)
    if (seen.has(id)) return invalid(`The manual partition assignment includes the broker ${id} more than once.`)
    if (brokerOf(cluster, id) === undefined) return invalid(`The manual partition assignment includes broker ${id}, but no such broker is registered.`)
    seen.add(id)
  }
  return undefined
}

const faultOf = (cluster: Cluster, partition: Partition | undefined, replicas: ReadonlyArray<number> | null): Fault | undefined => {
  if (partition === undefined) return unknownPartition
  if (replicas === null) return notMoving
  const fault = replicasFault(cluster, replicas)
  if (fault !== undefined) return fault
  const same = replicas.length === partition.replicas.length && replicas.every((id, at) => id === partition.replicas[at])
  return same ? undefined : invalid(`Partitions cannot be reassigned: replication is not built. This one stays on broker ${partition.replicas.join(", ")}.`)
}

const alter = (cluster: Cluster, { name, partitions }: Topic) => {
  const topic = topicByName(cluster, name)
  return {
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => {
      const fault = topic === undefined ? unknownTopic : faultOf(cluster, topic.partitions.at(partitionIndex), replicas)
      return { partitionIndex, errorCode: errorCode(fault?.[0] ?? "NONE"), errorMessage: fault?.[1] ?? null }
    })
  }
}

/**
 * AlterPartitionReassignments 0-1 and ListPartitionReassignments 0 (KIP-455) where a partition has one replica and stays where it is. No reassignment is ever in progress: cancelling one is
 * NO_REASSIGNMENT_IN_PROGRESS. The replicas that a partition has already are a success without effect; any others are INVALID_REPLICA_ASSIGNMENT.
 */
export const reassignmentRoutes = (image: () => Cluster): ReadonlyArray<Route> => [
  route(AlterPartitionReassignments, {}, ({ allowReplicationFactorChange, topics }) => {
    const cluster = image()
    return { allowReplicationFactorChange, errorCode: 0, errorMessage: null, responses: topics.map((topic) => alter(cluster, topic)) }
  }),
  route(ListPartitionReassignments, {}, () => ({ errorCode: 0, errorMessage: null, topics: [] }))
]
