import { Either, HashMap } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { groupId } from "../../../domain/group/id.ts"
import { type Committed, committed, type Offsets } from "../../../domain/group/offset/committed.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { mapped, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import { type CoordinatorContext, groupIn } from "../context.ts"
import { type CommittableTopic, committableById, committableByName, isCurrent } from "../offset/committable-topic.ts"

type Request = RequestOf<typeof OffsetFetch>
type Response = ResponseDraft<typeof OffsetFetch>
type GroupResponse = NonNullable<Response["groups"]>[number]
type TopicResponse = GroupResponse["topics"][number]
type PartitionResponse = TopicResponse["partitions"][number]

/** From this version on many groups are asked for at once (KIP-709). */
const batchSince = 8
/** From this version on topics are named by id alone. */
const topicIdsSince = 10

interface TopicRequest {
  readonly name: string
  readonly topicId: string
  readonly partitionIndexes: ReadonlyArray<number>
}

const committedResponse = (partitionIndex: number, { leaderEpoch, metadata, offset }: Committed): PartitionResponse => ({
  partitionIndex,
  committedOffset: BigInt(offset),
  committedLeaderEpoch: leaderEpoch,
  metadata,
  errorCode: 0
})
type TopicRequests = ReadonlyArray<TopicRequest> | null

/** -1: the group has committed nothing in the partition, which is no error. */
const uncommittedResponse = (partitionIndex: number, error: KafkaError = "NONE"): PartitionResponse => ({
  partitionIndex,
  committedOffset: -1n,
  committedLeaderEpoch: -1,
  metadata: "",
  errorCode: errorCode(error)
})

/** Every offset that the group has committed, but in removed topics. */
function* everything(cluster: Cluster, offsets: Offsets, stride: Stride): Steps<ReadonlyArray<TopicResponse>> {
  const topics: Array<TopicResponse> = []
  for (const [name, held] of offsets) {
    const topic = committableByName(cluster, name)
    const partitions = Array.from(HashMap.toEntries(held))
      .filter(([, value]) => isCurrent(topic, value))
      .sort(([one], [other]) => one - other)
      .map(([partition, value]) => committedResponse(partition, value))
    if (topic !== undefined && partitions.length > 0) topics.push({ name, topicId: topic.topicId, partitions })
    if (stride.takes(1 + partitions.length)) yield
  }
  return topics
}

function* topicResponse(topic: CommittableTopic | undefined, offsets: Offsets, asked: TopicRequest, byId: boolean, stride: Stride): Steps<TopicResponse> {
  const { name, partitionIndexes, topicId } = asked
  const partitions: Array<PartitionResponse> = []
  for (const partition of partitionIndexes) {
    const held = topic === undefined && byId ? undefined : committed(offsets, (topic?.name ?? name) as TopicName, partition)
    const error = topic === undefined && byId ? "UNKNOWN_TOPIC_ID" : "NONE"
    partitions.push(held !== undefined && isCurrent(topic, held) ? committedResponse(partition, held) : uncommittedResponse(partition, error))
    if (stride.takes()) yield
  }
  return { name, topicId, partitions }
}

function* topicResponses(cluster: Cluster, offsets: Offsets, asked: TopicRequests, byId: boolean, stride: Stride): Steps<ReadonlyArray<TopicResponse>> {
  if (asked === null) return yield* everything(cluster, offsets, stride)
  const topics: Array<TopicResponse> = []
  for (const each of asked) {
    const topic = byId ? committableById(cluster, each.topicId) : committableByName(cluster, each.name)
    topics.push(yield* topicResponse(topic, offsets, each, byId, stride))
    if (stride.takes()) yield
  }
  return topics
}

/** The response for one group; an error for the whole group where this node does not coordinate it. */
function* groupResponse(coordinator: CoordinatorContext, id: string, asked: TopicRequests, byId: boolean, stride: Stride): Steps<GroupResponse> {
  const group = groupIn(coordinator, groupId(id))
  if (Either.isRight(group))
    return { groupId: id, errorCode: 0, topics: yield* topicResponses(coordinator.cluster(), group.right.offsets, asked, byId, stride) }
  const { error } = group.left
  const topics = yield* mapped(asked ?? [], ({ name, partitionIndexes, topicId }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partition) => uncommittedResponse(partition, error))
  }))
  return { groupId: id, errorCode: errorCode(error), topics }
}

function* responseTo(coordinator: CoordinatorContext, request: Request, version: number): Steps<Response> {
  const stride = new Stride()
  if (version < batchSince) {
    const asked = request.topics === null ? null : yield* mapped(request.topics, (each) => ({ ...each, topicId: "" }))
    const { errorCode: error, topics } = yield* groupResponse(coordinator, request.groupId, asked, false, stride)
    return { errorCode: error ?? 0, topics: yield* mapped(topics, ({ name, partitions }) => ({ name: name ?? "", partitions })) }
  }
  const groups: Array<GroupResponse> = []
  // A request that names a group with all its offsets twice gets them once: the response is many times as long as the request.
  const whole = new Set<string>()
  for (const { groupId: name, topics } of request.groups) {
    const isRepeated = topics === null && whole.has(name)
    if (topics === null) whole.add(name)
    if (!isRepeated) groups.push(yield* groupResponse(coordinator, name, topics, version >= topicIdsSince, stride))
    if (stride.takes()) yield
  }
  return { groups }
}

/**
 * OffsetFetch 1-10, from the durable group. A missing group has committed nothing, which is no error. There are no transactions yet that
 * `requireStable` could wait for.
 */
export const offsetFetch = (coordinator: CoordinatorContext): Route =>
  route(OffsetFetch, {}, (request: Request, { version }) => new Sliced(() => responseTo(coordinator, request, version)))
