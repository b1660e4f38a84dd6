import { HashMap } from "effect"
import { groupId } from "../../../domain/group/id.ts"
import { type Committed, committed, type Offsets } from "../../../domain/group/offset/committed.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { mapped, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import { type GroupRoom, group } from "../context.ts"
import { isCurrent, placeById, placeByName, type TopicPlace } from "../offset/committable-topic.ts"

type Request = RequestOf<typeof OffsetFetch>
type Response = ResponseDraft<typeof OffsetFetch>
type TopicAnswer = NonNullable<Response["groups"]>[number]["topics"][number]
type PartitionAnswer = TopicAnswer["partitions"][number]

/** From this version on many groups are asked for at once (KIP-709). */
const batchSince = 8
/** From this version on topics are named by id alone. */
const topicIdsSince = 10

interface AskedTopic {
  readonly name: string
  readonly topicId: string
  readonly partitionIndexes: ReadonlyArray<number>
}

const found = (partitionIndex: number, { leaderEpoch, metadata, offset }: Committed): PartitionAnswer => ({
  partitionIndex,
  committedOffset: BigInt(offset),
  committedLeaderEpoch: leaderEpoch,
  metadata,
  errorCode: 0
})
/** -1: the group has committed nothing there, which is no error. */
const none = (partitionIndex: number, error: KafkaError = "NONE"): PartitionAnswer => ({
  partitionIndex,
  committedOffset: -1n,
  committedLeaderEpoch: -1,
  metadata: "",
  errorCode: errorCode(error)
})

/** All that the group has committed, but in topics that are gone. */
function* everything(room: GroupRoom, offsets: Offsets, stride: Stride): Steps<ReadonlyArray<TopicAnswer>> {
  const cluster = room.cluster()
  const topics: Array<TopicAnswer> = []
  for (const [name, held] of offsets) {
    const place = placeByName(cluster, name)
    const partitions = Array.from(HashMap.toEntries(held))
      .filter(([, value]) => isCurrent(place, value))
      .sort(([one], [other]) => one - other)
      .map(([partition, value]) => found(partition, value))
    if (place !== undefined && partitions.length > 0) topics.push({ name, topicId: place.topicId, partitions })
    if (stride.takes(1 + partitions.length)) yield
  }
  return topics
}

function* topic(place: TopicPlace | undefined, offsets: Offsets, asked: AskedTopic, byId: boolean, stride: Stride): Steps<TopicAnswer> {
  const { name, partitionIndexes, topicId } = asked
  const partitions: Array<PartitionAnswer> = []
  for (const partition of partitionIndexes) {
    const held = place === undefined && byId ? undefined : committed(offsets, (place?.name ?? name) as TopicName, partition)
    const error = place === undefined && byId ? "UNKNOWN_TOPIC_ID" : "NONE"
    partitions.push(held !== undefined && isCurrent(place, held) ? found(partition, held) : none(partition, error))
    if (stride.takes()) yield
  }
  return { name, topicId, partitions }
}

function* topicsOf(room: GroupRoom, name: string, asked: ReadonlyArray<AskedTopic> | null, byId: boolean, stride: Stride): Steps<ReadonlyArray<TopicAnswer>> {
  const { offsets } = group(room, groupId(name))
  if (asked === null) return yield* everything(room, offsets, stride)
  const cluster = room.cluster()
  const topics: Array<TopicAnswer> = []
  for (const each of asked) {
    topics.push(yield* topic(byId ? placeById(cluster, each.topicId) : placeByName(cluster, each.name), offsets, each, byId, stride))
    if (stride.takes()) yield
  }
  return topics
}

function* answered(room: GroupRoom, request: Request, version: number): Steps<Response> {
  const stride = new Stride()
  if (version < batchSince) {
    const asked = request.topics === null ? null : yield* mapped(request.topics, (each) => ({ ...each, topicId: "" }))
    const topics = yield* topicsOf(room, request.groupId, asked, false, stride)
    return { errorCode: 0, topics: yield* mapped(topics, ({ name, partitions }) => ({ name: name ?? "", partitions })) }
  }
  const groups: Array<NonNullable<Response["groups"]>[number]> = []
  // Who asks for all of a group twice is answered once: the answer is many times as long as the question.
  const whole = new Set<string>()
  for (const { groupId: name, topics } of request.groups) {
    const isRepeated = topics === null && whole.has(name)
    if (topics === null) whole.add(name)
    if (!isRepeated) groups.push({ groupId: name, errorCode: 0, topics: yield* topicsOf(room, name, topics, version >= topicIdsSince, stride) })
    if (stride.takes()) yield
  }
  return { groups }
}

/**
 * OffsetFetch 1-10, from the durable group. A group that is not there has committed nothing, which is no error. There are no transactions yet that
 * `requireStable` could wait for.
 */
export const offsetFetch = (room: GroupRoom): Route =>
  route(OffsetFetch, {}, (request: Request, { version }) => new Sliced(() => answered(room, request, version)))
