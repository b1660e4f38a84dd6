import { internalTopicByName, internalTopics } from "../../domain/cluster/internal-topic.ts"
import { type Cluster, sortedTopics, topicByName } from "../../domain/cluster/state.ts"
import { errorCode } from "../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../domain/kernel/id.ts"
import { DescribeTopicPartitions } from "../protocol/message/75-describe-topic-partitions.ts"
import type { RequestOf, ResponseDraft } from "../protocol/type/wire.ts"
import { type Route, route } from "../wire/route.ts"
import { topicOperations } from "./authorized-operations.ts"
import { internalPartitionMetadata, partitionMetadata, reachedThrough, unknownTopicMetadata } from "./metadata.ts"
import { leaderIsListed, unreachable } from "./nodes.ts"

type Request = RequestOf<typeof DescribeTopicPartitions>
type Response = ResponseDraft<typeof DescribeTopicPartitions>
type Topic = Response["topics"][number]

/** Partitions in one answer at most, whatever the client asks for: Kafka's default of `max.request.partition.size.limit`. */
const partitionsPerAnswerMax = 2000

/** A topic's partitions from `from` on, `limit` at most; undefined for a topic that is not there. */
const slice = (cluster: Cluster, name: string, from: number, limit: number): { readonly topic: Topic; readonly left: boolean } | undefined => {
  const described = (topic: Omit<Topic, "errorCode" | "topicAuthorizedOperations">) => ({ errorCode: 0, ...topic, topicAuthorizedOperations: topicOperations })
  const own = internalTopicByName(cluster, name)
  const topic = own === undefined ? topicByName(cluster, name) : undefined
  const topicId = own?.topicId ?? topic?.topicId
  if (topicId === undefined) return undefined
  const count = own?.partitionCount ?? topic?.partitions.length ?? 0
  const end = Math.min(count, from + limit)
  const shown: Array<Topic["partitions"][number]> = []
  for (let at = from; at < end; at++) {
    const partition = topic?.partitions.at(at)
    shown.push(eligible(partition === undefined ? internalPartitionMetadata(cluster, at) : partitionMetadata(cluster, partition, at)))
  }
  return { topic: described({ name, topicId, isInternal: own !== undefined, partitions: shown }), left: end < count }
}
/** A replica outside of the in-sync set is never eligible (KIP-966 is not built). */
const eligible = (partition: ReturnType<typeof partitionMetadata>): Topic["partitions"][number] => ({
  ...partition,
  offlineReplicas: partition.offlineReplicas ?? [],
  eligibleLeaderReplicas: [],
  lastKnownElr: []
})

const unknown = (name: string): Topic => ({ ...unknownTopicMetadata(name), topicId: zeroTopicId, topicAuthorizedOperations: topicOperations, partitions: [] })

/** The names that are asked for, each once, in order; an empty request asks for all topics. */
const namesOf = (cluster: Cluster, { topics }: Request): ReadonlyArray<string> => {
  const names =
    topics.length === 0
      ? [...(leaderIsListed(cluster) ? internalTopics(cluster) : []), ...sortedTopics(cluster)].map(({ name }) => name)
      : topics.map(({ name }) => name)
  return [...new Set(names)].sort()
}

const refused = (names: ReadonlyArray<string>): Response => ({
  throttleTimeMs: 0,
  topics: names.map((name) => ({ errorCode: errorCode("INVALID_REQUEST"), name, topicId: zeroTopicId, partitions: [] }))
})

const page = (cluster: Cluster, request: Request): Response => {
  const { cursor } = request
  const names = namesOf(cluster, request)
  const start = cursor === null ? 0 : names.indexOf(cursor.topicName)
  if (cursor !== null && (start === -1 || cursor.partitionIndex < 0)) return refused(names)
  const topics: Array<Topic> = []
  let room = Math.min(partitionsPerAnswerMax, Math.max(1, request.responsePartitionLimit))
  for (let at = start; at < names.length; at++) {
    const name = names[at] as string
    const from = at === start ? (cursor?.partitionIndex ?? 0) : 0
    if (room === 0) return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: from } }
    const found = slice(cluster, name, from, room)
    topics.push(found?.topic ?? unknown(name))
    const shown = found?.topic.partitions.length ?? 0
    room -= shown
    if (found?.left) return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: from + shown } }
  }
  return { throttleTimeMs: 0, topics }
}

/**
 * DescribeTopicPartitions 0 (KIP-966): topics by name, in their order, page by page. A page has at most `responsePartitionLimit` partitions, and 2,000; the cursor of an answer
 * begins the next one. A cursor at a topic that is not asked for is INVALID_REQUEST for every topic. Errors of a topic: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION.
 */
export const describeTopicPartitions = (image: () => Cluster): Route =>
  route(DescribeTopicPartitions, {}, (request, { listener }) => {
    const cluster = image()
    const answer = page(cluster, request)
    const away = unreachable(cluster, listener)
    if (away.size === 0) return answer
    const topics = answer.topics.map((topic) => ({ ...topic, partitions: topic.partitions.map((each) => reachedThrough(each, away, "LISTENER_NOT_FOUND")) }))
    return { ...answer, topics }
  })
