import { HashMap } from "effect"
import { groupId } from "../../../domain/group/id.ts"
import { type Committed, committed, type Offsets } from "../../../domain/group/offset.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import { type GroupRoom, group } from "../group/room.ts"
import { isCurrent, placeById, placeByName, type TopicPlace } from "../group/topic-place.ts"

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
const everything = (room: GroupRoom, offsets: Offsets): ReadonlyArray<TopicAnswer> => {
  const cluster = room.cluster()
  const topics: Array<TopicAnswer> = []
  for (const [name, held] of offsets) {
    const place = placeByName(cluster, name)
    const partitions = Array.from(HashMap.toEntries(held))
      .filter(([, value]) => isCurrent(place, value))
      .sort(([one], [other]) => one - other)
      .map(([partition, value]) => found(partition, value))
    if (place !== undefined && partitions.length > 0) topics.push({ name, topicId: place.topicId, partitions })
  }
  return topics
}

const topic = (place: TopicPlace | undefined, offsets: Offsets, asked: AskedTopic, byId: boolean): TopicAnswer => {
  const { name, partitionIndexes, topicId } = asked
  if (place === undefined && byId) return { name, topicId, partitions: partitionIndexes.map((partition) => none(partition, "UNKNOWN_TOPIC_ID")) }
  const answer = (partition: number): PartitionAnswer => {
    const held = committed(offsets, (place?.name ?? name) as TopicName, partition)
    return held !== undefined && isCurrent(place, held) ? found(partition, held) : none(partition)
  }
  return { name, topicId, partitions: partitionIndexes.map(answer) }
}

const topicsOf = (room: GroupRoom, name: string, asked: ReadonlyArray<AskedTopic> | null, byId: boolean): ReadonlyArray<TopicAnswer> => {
  const { offsets } = group(room, groupId(name))
  if (asked === null) return everything(room, offsets)
  const cluster = room.cluster()
  return asked.map((each) => topic(byId ? placeById(cluster, each.topicId) : placeByName(cluster, each.name), offsets, each, byId))
}

type AskedGroup = Request["groups"][number]
/** Who asks for all of a group twice is answered once: the answer is many times as long as the question. */
const withoutRepeats = (groups: ReadonlyArray<AskedGroup>): ReadonlyArray<AskedGroup> => {
  const seen = new Set<string>()
  return groups.filter(({ groupId, topics }) => topics !== null || (!seen.has(groupId) && seen.add(groupId)))
}

/**
 * OffsetFetch 1-10, from the durable group. A group that is not there has committed nothing, which is no error. There are no transactions yet that
 * `requireStable` could wait for.
 */
export const offsetFetch = (room: GroupRoom): Route =>
  route(OffsetFetch, {}, (request: Request, { version }): Response => {
    if (version < batchSince) {
      const asked = request.topics === null ? null : request.topics.map((each) => ({ ...each, topicId: "" }))
      const topics = topicsOf(room, request.groupId, asked, false)
      return { throttleTimeMs: 0, errorCode: 0, topics: topics.map(({ name, partitions }) => ({ name: name ?? "", partitions })) }
    }
    const groups = withoutRepeats(request.groups).map(({ groupId: name, topics }) => ({
      groupId: name,
      errorCode: 0,
      topics: topicsOf(room, name, topics, version >= topicIdsSince)
    }))
    return { throttleTimeMs: 0, groups }
  })
