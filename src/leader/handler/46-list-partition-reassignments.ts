import { type Cluster, sortedTopics, type Topic, topicByName } from "../../../domain/cluster/state.ts"
import { ListPartitionReassignments } from "../../protocol/message/46-list-partition-reassignments.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { filtered, nested, Sliced, type Steps } from "../../wire/sliced.ts"

type Request = RequestOf<typeof ListPartitionReassignments>
type TopicResponse = ResponseDraft<typeof ListPartitionReassignments>["topics"][number]
type PartitionResponse = TopicResponse["partitions"][number]

const inProgress = ({ partitions }: Topic, partitionIndex: number): ReadonlyArray<PartitionResponse> => {
  const partition = partitions.at(partitionIndex)
  if (partition === undefined || partition.adding.length + partition.removing.length === 0) return []
  const { adding: addingReplicas, removing: removingReplicas, replicas } = partition
  return [{ partitionIndex, replicas, addingReplicas, removingReplicas }]
}

interface Looked {
  readonly topic: Topic | undefined
  readonly indexes: Iterable<number>
}

function* lookedAt(cluster: Cluster, { topics }: Request): Generator<Looked> {
  if (topics === null) for (const topic of sortedTopics(cluster)) yield { topic, indexes: Array(topic.partitions.length).keys() }
  else for (const { name, partitionIndexes } of topics) yield { topic: topicByName(cluster, name), indexes: partitionIndexes }
}

function* reassignments(cluster: Cluster, request: Request): Steps<ReadonlyArray<TopicResponse>> {
  const all = yield* nested(
    lookedAt(cluster, request),
    ({ indexes }) => indexes,
    ({ topic }, index) => (topic === undefined ? [] : inProgress(topic, index)),
    ({ topic }, found) => ({ name: topic?.name ?? "", partitions: found.flat() })
  )
  return yield* filtered(all, ({ partitions }) => partitions.length > 0)
}

/** ListPartitionReassignments 0 (KIP-455): the reassignments that are in progress, of all partitions or of those that are named. What does not exist is not listed, as in Kafka. */
export const listPartitionReassignments = (cluster: () => Cluster): Route =>
  route(
    ListPartitionReassignments,
    {},
    (request) =>
      new Sliced(function* () {
        return { errorCode: 0, errorMessage: null, topics: yield* reassignments(cluster(), request) }
      })
  )
