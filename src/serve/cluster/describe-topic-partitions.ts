import { HashMap } from "effect"
import { type Cluster, topicByName } from "../../../domain/cluster/state.ts"
import { groupMetadataTopicId } from "../../../domain/cluster/topic/group-metadata.ts"
import { internalTopicByName, internalTopics } from "../../../domain/cluster/topic/internal.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { type BrokerId, zeroTopicId } from "../../../domain/kernel/id.ts"
import { DescribeTopicPartitions } from "../../protocol/message/75-describe-topic-partitions.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import { topicOperations } from "./authorized-operations.ts"
import { internalPartitionMetadata, isReachable, partitionMetadata, reachedThrough, unknownTopicMetadata } from "./metadata.ts"
import { unreachable } from "./nodes.ts"

type Request = RequestOf<typeof DescribeTopicPartitions>
type Response = ResponseDraft<typeof DescribeTopicPartitions>
type Topic = Response["topics"][number]

/** Partitions in one response at most, whatever the client's limit: Kafka's default of `max.request.partition.size.limit`. */
const partitionsPerAnswerMax = 2000

/** A topic's partitions from `from` on, `limit` at most; undefined for an unknown topic. */
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
    shown.push(
      partition === undefined
        ? withEligible(internalPartitionMetadata(cluster, topicId, at), [])
        : withEligible(partitionMetadata(cluster, partition, at), partition.elr)
    )
  }
  return { topic: described({ name, topicId, isInternal: own !== undefined || topicId === groupMetadataTopicId, partitions: shown }), left: end < count }
}
/** With the eligible replicas outside the ISR (KIP-966); the last known ones are not kept, as no election needs them here. */
const withEligible = (partition: ReturnType<typeof partitionMetadata>, elr: ReadonlyArray<BrokerId>): Topic["partitions"][number] => ({
  ...partition,
  // As in Kafka, a partition without a leader is no error here: its leader is -1.
  errorCode: 0,
  offlineReplicas: partition.offlineReplicas ?? [],
  eligibleLeaderReplicas: elr,
  lastKnownElr: []
})

const unknown = (name: string): Topic => ({ ...unknownTopicMetadata(name), topicId: zeroTopicId, topicAuthorizedOperations: topicOperations, partitions: [] })

/** All topics; internal ones only if the client can reach the node that has them. */
function* everyName(cluster: Cluster): Generator<string> {
  for (const topic of internalTopics(cluster)) if (isReachable(cluster, topic)) yield topic.name
  yield* HashMap.keys(cluster.topicIds)
}

/** The first `count` of the names from `first` on, in order. Few are kept at a time, so that very many are never sorted at once. */
function* firstNames(names: Iterable<string>, first: string, count: number): Steps<ReadonlyArray<string>> {
  let kept: Array<string> = []
  let last: string | undefined
  const stride = new Stride()
  for (const name of names) {
    if (stride.takes()) yield
    if (name < first || (last !== undefined && name > last)) continue
    if (kept.push(name) < 2 * count) continue
    kept = kept.sort().slice(0, count)
    last = kept.at(-1)
  }
  return kept.sort().slice(0, count)
}

const refused = (names: Iterable<string>): Response => ({
  topics: [...names].map((name) => ({ errorCode: errorCode("INVALID_REQUEST"), name, topicId: zeroTopicId, partitions: [] }))
})

/** The topics of a page and the cursor of the next page. Every topic has a partition, so a page has no more topics than partitions. */
function* page(cluster: Cluster, request: Request): Steps<Response> {
  const { cursor } = request
  const asked = new Set(request.topics.map(({ name }) => name))
  const isWrong = cursor !== null && (cursor.partitionIndex < 0 || (asked.size > 0 && !asked.has(cursor.topicName)))
  if (isWrong) return refused(asked)
  const first = cursor?.topicName ?? ""
  const names = asked.size > 0 ? yield* firstNames(asked, first, asked.size) : yield* firstNames(everyName(cluster), first, partitionsPerAnswerMax + 1)
  const topics: Array<Topic> = []
  let room = Math.min(partitionsPerAnswerMax, Math.max(1, request.responsePartitionLimit))
  const stride = new Stride()
  for (const name of names) {
    const from = name === cursor?.topicName ? cursor.partitionIndex : 0
    if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: from } }
    const found = slice(cluster, name, from, room)
    topics.push(found?.topic ?? unknown(name))
    const shown = found?.topic.partitions.length ?? 0
    room -= shown
    if (found?.left) return { topics, nextCursor: { topicName: name, partitionIndex: from + shown } }
    if (stride.takes(1 + shown)) yield
  }
  return { topics }
}

/**
 * DescribeTopicPartitions 0 (KIP-966): topics by name, in their order, page by page. A page has at most `responsePartitionLimit` partitions, and 2,000; the cursor of a response
 * begins the next one. A cursor at a topic that the request does not name is INVALID_REQUEST for every topic. In a request for all topics the page continues with the next topic. Errors of a topic: UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION.
 */
export const describeTopicPartitions = (image: () => Cluster): Route =>
  route(
    DescribeTopicPartitions,
    {},
    (request, { listener }) =>
      new Sliced(function* () {
        const cluster = image()
        const answer = yield* page(cluster, request)
        const away = unreachable(cluster, listener)
        if (away.size === 0) return answer
        const topics = answer.topics.map((topic) => ({
          ...topic,
          partitions: topic.partitions.map((each) => reachedThrough(each, away, "LISTENER_NOT_FOUND"))
        }))
        return { ...answer, topics }
      })
  )
