import { type Cluster, type Partition, sortedTopics, topicByName } from "../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../domain/kernel/error-code.ts"
import { ElectLeaders } from "../protocol/message/43-elect-leaders.ts"
import type { RequestOf, ResponseDraft } from "../protocol/type/wire.ts"
import { type Route, route } from "../wire/route.ts"

type Request = RequestOf<typeof ElectLeaders>
type Result = ResponseDraft<typeof ElectLeaders>["replicaElectionResults"][number]
type Fault = readonly [error: KafkaError, message: string]

/** Which leader is asked for (KIP-460): the first replica, or any replica where none in sync is left. */
const electionType = { preferred: 0, unclean: 1 }

const wrongType = (type: number): Fault => ["INVALID_REQUEST", `There is no election type ${type}: 0 stands for preferred, 1 for unclean.`]
const unknownTopic: Fault = ["UNKNOWN_TOPIC_OR_PARTITION", "No such topic."]
const unknownPartition: Fault = ["UNKNOWN_TOPIC_OR_PARTITION", "No such partition."]
const notNeeded: Fault = ["ELECTION_NOT_NEEDED", "Leader election not needed for topic partition."]
const noPreferred: Fault = ["PREFERRED_LEADER_NOT_AVAILABLE", "The preferred leader, the partition's one replica, is fenced."]
const noEligible: Fault = ["ELIGIBLE_LEADERS_NOT_AVAILABLE", "The partition has one replica, and its broker is fenced."]

/** Without a leader the partition's one replica is on a broker that is fenced: it leads again as soon as the broker is back, and no election can help before that. */
const outcome = ({ leader }: Partition, type: number): Fault => {
  if (leader !== -1) return notNeeded
  return type === electionType.preferred ? noPreferred : noEligible
}
const resultOf = (partitionId: number, [error, errorMessage]: Fault) => ({ partitionId, errorCode: errorCode(error), errorMessage })

const named = (cluster: Cluster, type: number, asked: NonNullable<Request["topicPartitions"]>, refused: Fault | undefined): ReadonlyArray<Result> =>
  asked.map(({ partitions, topic: name }) => {
    const topic = topicByName(cluster, name)
    const of = (partitionId: number): Fault => {
      if (refused !== undefined) return refused
      const partition = topic?.partitions.at(partitionId)
      if (partition !== undefined) return outcome(partition, type)
      return topic === undefined ? unknownTopic : unknownPartition
    }
    return { topic: name, partitionResult: partitions.map((partitionId) => resultOf(partitionId, of(partitionId))) }
  })

/** Of all partitions only those are named that need a leader. */
const everywhere = (cluster: Cluster, type: number): ReadonlyArray<Result> =>
  sortedTopics(cluster).map(({ name, partitions }) => ({
    topic: name,
    partitionResult: [...partitions].flatMap((partition, at) => (partition.leader === -1 ? [resultOf(at, outcome(partition, type))] : []))
  }))

/**
 * ElectLeaders 0-2 (KIP-460). A partition has one replica: ELECTION_NOT_NEEDED while it leads, PREFERRED_LEADER_NOT_AVAILABLE or ELIGIBLE_LEADERS_NOT_AVAILABLE while its broker is
 * fenced. INVALID_REQUEST for an election type that Kafka does not have.
 */
export const electLeaders = (image: () => Cluster): Route =>
  route(ElectLeaders, {}, ({ electionType: type, topicPartitions }) => {
    const refused = type === electionType.preferred || type === electionType.unclean ? undefined : wrongType(type)
    const cluster = image()
    const all = () => (refused === undefined ? everywhere(cluster, type) : [])
    return {
      throttleTimeMs: 0,
      errorCode: errorCode(refused?.[0] ?? "NONE"),
      replicaElectionResults: topicPartitions === null ? all() : named(cluster, type, topicPartitions, refused)
    }
  })
