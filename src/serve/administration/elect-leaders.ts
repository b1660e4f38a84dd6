import { HashMap } from "effect"
import { type Cluster, type Partition, topicByName } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { ElectLeaders } from "../../protocol/message/43-elect-leaders.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { nested, Sliced, type Steps } from "../../wire/sliced.ts"

type Request = RequestOf<typeof ElectLeaders>
type Result = ResponseDraft<typeof ElectLeaders>["replicaElectionResults"][number]
type Fault = readonly [error: KafkaError, message: string]

/** The election types (KIP-460): the preferred replica, or any replica if none is in sync. */
const electionType = { preferred: 0, unclean: 1 }

const wrongType = (type: number): Fault => ["INVALID_REQUEST", `There is no election type ${type}: 0 is preferred, 1 is unclean.`]
const unknownTopic: Fault = ["UNKNOWN_TOPIC_OR_PARTITION", "No such topic."]
const unknownPartition: Fault = ["UNKNOWN_TOPIC_OR_PARTITION", "No such partition."]
const notNeeded: Fault = ["ELECTION_NOT_NEEDED", "Leader election not needed for topic partition."]
const noPreferred: Fault = ["PREFERRED_LEADER_NOT_AVAILABLE", "The preferred leader, the partition's one replica, is fenced."]
const noEligible: Fault = ["ELIGIBLE_LEADERS_NOT_AVAILABLE", "The partition has one replica, and its broker is fenced."]

/** The partition's one replica is on a fenced broker: it leads again as soon as the broker is unfenced, and no election can help before that. */
const outcome = ({ leader }: Partition, type: number): Fault => {
  if (leader !== -1) return notNeeded
  return type === electionType.preferred ? noPreferred : noEligible
}
const resultOf = (partitionId: number, [error, errorMessage]: Fault) => ({ partitionId, errorCode: errorCode(error), errorMessage })

const named = (cluster: Cluster, type: number, asked: NonNullable<Request["topicPartitions"]>, refused: Fault | undefined): Steps<Array<Result>> => {
  const faultOf = (name: string, partitionId: number): Fault => {
    if (refused !== undefined) return refused
    const topic = topicByName(cluster, name)
    const partition = topic?.partitions.at(partitionId)
    if (partition !== undefined) return outcome(partition, type)
    return topic === undefined ? unknownTopic : unknownPartition
  }
  return nested(
    asked,
    ({ partitions }) => partitions,
    ({ topic }, partitionId) => resultOf(partitionId, faultOf(topic, partitionId)),
    ({ topic }, partitionResult) => ({ topic, partitionResult })
  )
}

/** A request for all partitions gets only those that need a leader. */
const everywhere = (cluster: Cluster, type: number): Steps<Array<Result>> =>
  nested(
    HashMap.values(cluster.topics),
    ({ partitions }) => partitions.map((partition, at) => (partition.leader === -1 ? [resultOf(at, outcome(partition, type))] : [])),
    (_, result) => result,
    ({ name }, results) => ({ topic: name, partitionResult: results.flat() })
  )

/**
 * ElectLeaders 0-2 (KIP-460). A partition has one replica: ELECTION_NOT_NEEDED while it leads, PREFERRED_LEADER_NOT_AVAILABLE or ELIGIBLE_LEADERS_NOT_AVAILABLE while its broker is
 * fenced. INVALID_REQUEST for an election type that Kafka does not have.
 */
export const electLeaders = (image: () => Cluster): Route =>
  route(
    ElectLeaders,
    {},
    ({ electionType: type, topicPartitions }) =>
      new Sliced(function* () {
        const refused = type === electionType.preferred || type === electionType.unclean ? undefined : wrongType(type)
        const head = { errorCode: errorCode(refused?.[0] ?? "NONE") }
        if (topicPartitions !== null) return { ...head, replicaElectionResults: yield* named(image(), type, topicPartitions, refused) }
        return { ...head, replicaElectionResults: refused === undefined ? yield* everywhere(image(), type) : [] }
      })
  )
