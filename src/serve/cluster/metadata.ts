import { Effect, Either, HashMap } from "effect"
import { brokerOf, type Cluster, type Partition, sortedTopics, type Topic, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { type InternalTopic, internalTopicById, internalTopicByName, internalTopics } from "../../../domain/cluster/topic/internal.ts"
import { isInternalName, parseTopicName } from "../../../domain/cluster/topic/name.ts"
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
type TopicAnswer = Response["topics"][number]
type TopicAsked = NonNullable<Request["topics"]>[number]

export interface MetadataOptions {
  /** The node that answers. */
  readonly nodeId: number
  readonly cluster: () => Cluster
  /** Whether a Metadata request creates the topics that it names (`auto.create.topics.enable`). */
  readonly autoCreate: boolean
  /**
   * Has the topics created, with the defaults, as far as that is possible; bounded in time, and does not say what became of it: the image does, or the
   * client asks again. The names are legal, and each is there once.
   */
  readonly createTopics: (names: ReadonlyArray<string>, context: RequestContext) => Effect.Effect<void>
}

/** From this version on a topic can be asked for by its id (KIP-516). */
const topicIdsSince = 12
/** Names of unknown topics that one request has created; the others are left to the client's next request. */
const autoCreatedMax = 100

/** What clients are told of a partition. */
export const partitionMetadata = (cluster: Cluster, partition: Partition, partitionIndex: number): TopicAnswer["partitions"][number] => ({
  errorCode: errorCode(partition.leader === -1 ? "LEADER_NOT_AVAILABLE" : "NONE"),
  partitionIndex,
  leaderId: partition.leader,
  leaderEpoch: partition.leaderEpoch,
  replicaNodes: partition.replicas,
  isrNodes: partition.isr,
  offlineReplicas: partition.replicas.filter((id) => brokerOf(cluster, id)?.fenced !== false)
})

type PartitionAnswer = ReturnType<typeof partitionMetadata>
/** From this version on a client is told that it cannot reach the leader through its listener. */
const listenerErrorSince = 6

/** The partition for a client that cannot reach these brokers: as without a leader, where one of them leads. */
export const reachedThrough = <P extends PartitionAnswer>(partition: P, away: ReadonlySet<number>, error: KafkaError): P =>
  away.has(partition.leaderId) ? { ...partition, errorCode: errorCode(error), leaderId: -1 } : partition

/** A topic as a client sees it that cannot reach these brokers: mostly there are none. */
const seenThrough = (away: ReadonlySet<number>, version: number): ((topic: TopicAnswer) => TopicAnswer) => {
  if (away.size === 0) return (topic) => topic
  const error = version >= listenerErrorSince ? "LISTENER_NOT_FOUND" : "LEADER_NOT_AVAILABLE"
  return (topic) => ({ ...topic, partitions: topic.partitions.map((partition) => reachedThrough(partition, away, error)) })
}
type Asked = Pick<RequestContext, "listener" | "version">

const known = (cluster: Cluster, { name, topicId, partitions }: Topic): TopicAnswer => ({
  errorCode: 0,
  name,
  topicId,
  isInternal: false,
  partitions: partitions.map((partition, index) => partitionMetadata(cluster, partition, index))
})

/** A partition of an internal topic: the leader leads it. */
export const internalPartitionMetadata = ({ leader }: Cluster, partitionIndex: number): PartitionAnswer => ({
  errorCode: errorCode(leader === undefined ? "LEADER_NOT_AVAILABLE" : "NONE"),
  partitionIndex,
  leaderId: leader?.nodeId ?? -1,
  leaderEpoch: leader?.epoch ?? -1,
  replicaNodes: leader === undefined ? [] : [leader.nodeId],
  isrNodes: leader === undefined ? [] : [leader.nodeId]
})
const internal = (cluster: Cluster, { name, partitionCount, topicId }: InternalTopic): TopicAnswer => ({
  errorCode: 0,
  name,
  topicId,
  isInternal: true,
  partitions: Array.from({ length: partitionCount }, (_, index) => internalPartitionMetadata(cluster, index))
})

const unknown = (name: string | null, topicId: string, error: KafkaError): TopicAnswer => ({ errorCode: errorCode(error), name, topicId, partitions: [] })

/** A topic of that name is not there, or cannot be. */
export const unknownTopicMetadata = (name: string): TopicAnswer =>
  unknown(name, zeroTopicId, Either.isLeft(parseTopicName(name)) ? "INVALID_TOPIC_EXCEPTION" : "UNKNOWN_TOPIC_OR_PARTITION")

const named = (cluster: Cluster, name: string): TopicAnswer => {
  const own = internalTopicByName(cluster, name)
  if (own !== undefined) return internal(cluster, own)
  const topic = topicByName(cluster, name)
  if (topic !== undefined) return known(cluster, topic)
  return unknownTopicMetadata(name)
}

const answer = (cluster: Cluster, { name, topicId }: TopicAsked, version: number): TopicAnswer => {
  if (topicId === zeroTopicId) return name === null ? unknown(version >= topicIdsSince ? null : "", topicId, "INVALID_REQUEST") : named(cluster, name)
  // Versions 10 and 11 have a place for ids, but no answer by id alone.
  if (version < topicIdsSince) return unknown(name ?? "", topicId, "INVALID_REQUEST")
  const own = internalTopicById(cluster, topicId)
  if (own !== undefined) return internal(cluster, own)
  const topic = topicById(cluster, topicId)
  return topic === undefined ? unknown(null, topicId, "UNKNOWN_TOPIC_ID") : known(cluster, topic)
}

/** Null asks for all topics; in version 0, which has no null, an empty list does. */
const asksForAll = ({ topics }: Request, version: number): boolean => topics === null || (version === 0 && topics.length === 0)

/** Topics by their names, or of a cluster of very many in no order: to sort them takes long, and no client looks at the order. */
const inOrder = (cluster: Cluster): Iterable<Topic> => (HashMap.size(cluster.topics) > sortedTopicsMax ? HashMap.values(cluster.topics) : sortedTopics(cluster))
const sortedTopicsMax = 10_000

/** All topics that are asked for; one that is named twice is answered once. */
function* answers(cluster: Cluster, request: Request, { listener, version }: Asked): Steps<ReadonlyArray<TopicAnswer>> {
  const all: Array<TopicAnswer> = []
  const through = seenThrough(unreachable(cluster, listener), version)
  const stride = new Stride()
  const add = (answered: TopicAnswer): boolean => {
    const topic = through(answered)
    all.push(request.includeTopicAuthorizedOperations && topic.name !== null ? { ...topic, topicAuthorizedOperations: topicOperations } : topic)
    return stride.takes(1 + topic.partitions.length)
  }
  if (asksForAll(request, version)) {
    for (const topic of leaderIsListed(cluster) ? internalTopics(cluster) : []) add(internal(cluster, topic))
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

/** Whether an internal topic is asked for in particular. Such a client wants to read it, and a leader that is no broker is the one node that has it. */
const asksForInternal = (topics: ReadonlyArray<TopicAnswer>, { topics: asked }: Request): boolean =>
  asked !== null && topics.some(({ isInternal }) => isInternal === true)

const nodes = (cluster: Cluster, namesInternal: boolean, listener: string | undefined): ReadonlyArray<Node> => {
  const leader = namesInternal && !leaderIsListed(cluster) ? leaderNode(cluster) : undefined
  const brokers = nodesOf(cluster, listener).filter(({ nodeId }) => nodeId !== leader?.nodeId)
  return leader === undefined ? brokers : [...brokers, leader].sort((one, other) => one.nodeId - other.nodeId)
}

function* respond(cluster: Cluster, nodeId: number, request: Request, asked: Asked): Steps<Response> {
  const topics = yield* answers(cluster, request, asked)
  return {
    brokers: nodes(cluster, asksForInternal(topics, request), asked.listener),
    clusterId: cluster.clusterId ?? null,
    controllerId: controllerOf(cluster, nodeId),
    topics,
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? clusterOperations : operationsNotAsked
  }
}

/** Names that are to be created, the first hundred of them. */
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
 * Metadata: the brokers, which of them takes what the leader decides, and the topics with who leads each partition, all from the image. A leader that is no broker is told of in
 * one place alone: in an answer about an internal topic, since no broker has those.
 * Unknown topics come into being where both node and request allow it; one that is not there yet is answered UNKNOWN_TOPIC_OR_PARTITION, and the client
 * asks again. Errors of a topic: UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST (an id before version 12);
 * of a partition: LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND where its leader has no listener of the name that the request came through. Nodes are told by their addresses on that listener.
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
