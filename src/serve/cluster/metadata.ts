import { Effect, Either, HashMap } from "effect"
import { brokerOf, type Cluster, type Partition, sortedTopics, type Topic, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { groupMetadataTopicId, groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { type InternalTopic, internalTopicById, internalTopicByName, internalTopics } from "../../../domain/cluster/topic/internal.ts"
import { consumerOffsetsTopicId, isInternalName, parseTopicName } from "../../../domain/cluster/topic/name.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import type { RequestContext } from "../../wire/route.ts"
import { promptly, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import { clusterOperations, operationsNotAsked, topicOperations } from "./authorized-operations.ts"
import { controllerOf, leaderIsListed, leaderNode, type Node, nodesOf, unreachable } from "./nodes.ts"

type Request = RequestOf<typeof Metadata>
type Response = ResponseDraft<typeof Metadata>
type TopicResponse = Response["topics"][number]
type TopicRequest = NonNullable<Request["topics"]>[number]

interface MetadataOptions {
  /** The id of this node. */
  readonly nodeId: number
  readonly cluster: () => Cluster
  /** Whether a Metadata request creates the topics that it names (`auto.create.topics.enable`). */
  readonly autoCreate: boolean
  /**
   * Creates the topics, with the defaults, as far as that is possible. It is bounded in time and returns no outcome: the image shows it, or the
   * client asks again. The names are legal and distinct.
   */
  readonly createTopics: (names: ReadonlyArray<string>, context: RequestContext) => Effect.Effect<void>
}

/** The first version that names topics by id (KIP-516). */
const topicIdsSince = 12
/** Unknown topics that one request creates at most; the client's next request creates the others. */
const autoCreatedMax = 100

/** Returns the metadata of a partition. */
export const partitionMetadata = (cluster: Cluster, partition: Partition, partitionIndex: number): TopicResponse["partitions"][number] => ({
  errorCode: errorCode(partition.leader === -1 ? "LEADER_NOT_AVAILABLE" : "NONE"),
  partitionIndex,
  leaderId: partition.leader,
  leaderEpoch: partition.leaderEpoch,
  replicaNodes: partition.replicas,
  isrNodes: partition.isr,
  offlineReplicas: partition.replicas.filter((id) => brokerOf(cluster, id)?.fenced !== false)
})

type PartitionMetadata = ReturnType<typeof partitionMetadata>
/** The first version with LISTENER_NOT_FOUND: the leader has no listener of this name. */
const listenerErrorSince = 6

/** The partition for a client that cannot reach these brokers: it has no leader if one of them leads. */
export const reachedThrough = <P extends PartitionMetadata>(partition: P, away: ReadonlySet<number>, error: KafkaError): P =>
  away.has(partition.leaderId) ? { ...partition, errorCode: errorCode(error), leaderId: -1 } : partition

/** The topic for a client that cannot reach these brokers, of which there are mostly none. */
const seenThrough = (away: ReadonlySet<number>, version: number): ((topic: TopicResponse) => TopicResponse) => {
  if (away.size === 0) return (topic) => topic
  const error = version >= listenerErrorSince ? "LISTENER_NOT_FOUND" : "LEADER_NOT_AVAILABLE"
  return (topic) => ({ ...topic, partitions: topic.partitions.map((partition) => reachedThrough(partition, away, error)) })
}
type MetadataContext = Pick<RequestContext, "listener" | "version">

const known = (cluster: Cluster, { name, topicId, partitions }: Topic): TopicResponse => ({
  errorCode: 0,
  name,
  topicId,
  isInternal: topicId === groupMetadataTopicId,
  partitions: partitions.map((partition, index) => partitionMetadata(cluster, partition, index))
})

/** A partition of an internal topic: the leader leads it; of `__consumer_offsets` the coordinator of its groups, once brokers coordinate them. */
export const internalPartitionMetadata = (cluster: Cluster, topicId: string, partitionIndex: number): PartitionMetadata => {
  const groups = topicId === consumerOffsetsTopicId ? groupPartitions(cluster)?.partitions.at(partitionIndex) : undefined
  if (groups === undefined) return ledByLeader(cluster, partitionIndex)
  const replicas = groups.leader === -1 ? [] : [groups.leader]
  return { ...partitionMetadata(cluster, { ...groups, replicas, isr: replicas }, partitionIndex), offlineReplicas: [] }
}
const ledByLeader = ({ leader }: Cluster, partitionIndex: number): PartitionMetadata => ({
  errorCode: errorCode(leader === undefined ? "LEADER_NOT_AVAILABLE" : "NONE"),
  partitionIndex,
  leaderId: leader?.nodeId ?? -1,
  leaderEpoch: leader?.epoch ?? -1,
  replicaNodes: leader === undefined ? [] : [leader.nodeId],
  isrNodes: leader === undefined ? [] : [leader.nodeId]
})
const internal = (cluster: Cluster, { name, partitionCount, topicId }: InternalTopic): TopicResponse => ({
  errorCode: 0,
  name,
  topicId,
  isInternal: true,
  partitions: Array.from({ length: partitionCount }, (_, index) => internalPartitionMetadata(cluster, topicId, index))
})

/** Whether clients reach the nodes that have the topic: a leader in a process of its own is listed for no client that does not ask for its topics. */
export const isReachable = (cluster: Cluster, { topicId }: Pick<InternalTopic, "topicId">): boolean =>
  leaderIsListed(cluster) || (topicId === consumerOffsetsTopicId && groupPartitions(cluster) !== undefined)

const unknown = (name: string | null, topicId: string, error: KafkaError): TopicResponse => ({ errorCode: errorCode(error), name, topicId, partitions: [] })

/** The response for an unknown or illegal topic name. */
export const unknownTopicMetadata = (name: string): TopicResponse =>
  unknown(name, zeroTopicId, Either.isLeft(parseTopicName(name)) ? "INVALID_TOPIC_EXCEPTION" : "UNKNOWN_TOPIC_OR_PARTITION")

const named = (cluster: Cluster, name: string): TopicResponse => {
  const own = internalTopicByName(cluster, name)
  if (own !== undefined) return internal(cluster, own)
  const topic = topicByName(cluster, name)
  if (topic !== undefined) return known(cluster, topic)
  return unknownTopicMetadata(name)
}

const answer = (cluster: Cluster, { name, topicId }: TopicRequest, version: number): TopicResponse => {
  if (topicId === zeroTopicId) return name === null ? unknown(version >= topicIdsSince ? null : "", topicId, "INVALID_REQUEST") : named(cluster, name)
  // Versions 10 and 11 have a field for ids, but no lookup by id alone.
  if (version < topicIdsSince) return unknown(name ?? "", topicId, "INVALID_REQUEST")
  const own = internalTopicById(cluster, topicId)
  if (own !== undefined) return internal(cluster, own)
  const topic = topicById(cluster, topicId)
  return topic === undefined ? unknown(null, topicId, "UNKNOWN_TOPIC_ID") : known(cluster, topic)
}

/** Null requests all topics; in version 0, which has no null, an empty list does. */
const asksForAll = ({ topics }: Request, version: number): boolean => topics === null || (version === 0 && topics.length === 0)

/** Topics by name; in a cluster of very many in no order: sorting takes long, and no client depends on the order. */
const inOrder = (cluster: Cluster): Iterable<Topic> => (HashMap.size(cluster.topics) > sortedTopicsMax ? HashMap.values(cluster.topics) : sortedTopics(cluster))
const sortedTopicsMax = 10_000

/** All requested topics, a duplicate once. */
function* answers(cluster: Cluster, request: Request, { listener, version }: MetadataContext): Steps<ReadonlyArray<TopicResponse>> {
  const all: Array<TopicResponse> = []
  const through = seenThrough(unreachable(cluster, listener), version)
  const stride = new Stride()
  const add = (answered: TopicResponse): boolean => {
    const topic = through(answered)
    all.push(request.includeTopicAuthorizedOperations && topic.name !== null ? { ...topic, topicAuthorizedOperations: topicOperations } : topic)
    return stride.takes(1 + topic.partitions.length)
  }
  if (asksForAll(request, version)) {
    for (const topic of internalTopics(cluster)) if (isReachable(cluster, topic)) add(internal(cluster, topic))
    for (const topic of inOrder(cluster)) if (add(known(cluster, topic))) yield
    return all
  }
  const seen = new Set<string>()
  for (const asked of request.topics ?? []) {
    const key = asked.topicId === zeroTopicId ? `name ${asked.name}` : asked.topicId
    const isRepeated = seen.has(key)
    seen.add(key)
    if (isRepeated ? stride.takes() : add(answer(cluster, asked, version))) yield
  }
  return all
}

/** Whether the request names an internal topic. Such a client reads the topic, and a leader that is no broker is the only node that has it. */
const asksForInternal = (topics: ReadonlyArray<TopicResponse>, { topics: asked }: Request): boolean =>
  asked !== null && topics.some(({ isInternal }) => isInternal === true)

const nodes = (cluster: Cluster, namesInternal: boolean, listener: string | undefined): ReadonlyArray<Node> => {
  const leader = namesInternal && !leaderIsListed(cluster) ? leaderNode(cluster) : undefined
  const brokers = nodesOf(cluster, listener).filter(({ nodeId }) => nodeId !== leader?.nodeId)
  return leader === undefined ? brokers : [...brokers, leader].sort((one, other) => one.nodeId - other.nodeId)
}

function* respond(cluster: Cluster, nodeId: number, request: Request, asked: MetadataContext): Steps<Response> {
  const topics = yield* answers(cluster, request, asked)
  return {
    brokers: nodes(cluster, asksForInternal(topics, request), asked.listener),
    clusterId: cluster.clusterId ?? null,
    controllerId: controllerOf(cluster, nodeId),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations : operationsNotAsked
  }
}

/** The topics to create, at most a hundred. */
function* missing(cluster: Cluster, request: Request, version: number): Steps<ReadonlyArray<string>> {
  const absent = new Set<string>()
  if (asksForAll(request, version) || !request.allowAutoTopicCreation) return []
  const stride = new Stride()
  for (const { name, topicId } of request.topics ?? []) {
    if (absent.size === autoCreatedMax) break
    if (stride.takes()) yield
    if (name === null || topicId !== zeroTopicId || isInternalName(name)) continue
    if (topicByName(cluster, name) === undefined && Either.isRight(parseTopicName(name))) absent.add(name)
  }
  return [...absent]
}

/**
 * Metadata: the brokers, the controller that clients use, and the topics with the leader of each partition, all from the image. A response has a leader that is no broker only if the
 * request names an internal topic, since no broker has those.
 * The leader creates unknown topics if both node and request allow it; a topic that does not exist yet is UNKNOWN_TOPIC_OR_PARTITION, and the client
 * asks again. Errors of a topic: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST (an id before version 12);
 * of a partition: LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND if its leader has no listener with the name of the request's listener. Nodes have their addresses on that listener.
 */
export const metadata =
  ({ cluster, autoCreate, createTopics, nodeId }: MetadataOptions) =>
  (request: Request, context: RequestContext): Response | Effect.Effect<Sliced<Response>> | Sliced<Response | Effect.Effect<Sliced<Response>>> =>
    promptly(
      (function* () {
        const absent = autoCreate ? yield* missing(cluster(), request, context.version) : []
        if (absent.length === 0) return yield* respond(cluster(), nodeId, request, context)
        return Effect.map(createTopics(absent, context), () => new Sliced(() => respond(cluster(), nodeId, request, context)))
      })()
    )
