import { Effect } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { inUse } from "../../../domain/group/commit.ts"
import { groupId } from "../../../domain/group/id.ts"
import type { TopicPartitions } from "../../../domain/group/offset.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { OffsetDelete } from "../../protocol/message/47-offset-delete.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { ask, type GroupRoom, group } from "../group/room.ts"
import { placeByName } from "../group/topic-place.ts"

type Request = RequestOf<typeof OffsetDelete>
type Response = ResponseDraft<typeof OffsetDelete>

const refused = (error: KafkaError): Response => ({ errorCode: errorCode(error), throttleTimeMs: 0, topics: [] })

/** The partitions that are there, by topic. */
const knownOf = (room: GroupRoom, { topics }: Request): ReadonlyArray<TopicPartitions> =>
  topics.flatMap(({ name, partitions }) => {
    const place = placeByName(room.cluster(), name)
    const known = partitions.map(({ partitionIndex }) => partitionIndex).filter((index) => place !== undefined && index >= 0 && index < place.partitionCount)
    return place === undefined || known.length === 0 ? [] : [{ topic: place.name, partitions: known }]
  })

/** OffsetDelete 0 (KIP-496): a group forgets single partitions. Those of topics that its members subscribe to stay. */
export const offsetDelete = (room: GroupRoom): Route => {
  const handle = (request: Request, context: RequestContext): Response | Effect.Effect<Response> => {
    if (request.groupId === "") return refused("INVALID_GROUP_ID")
    const id = groupId(request.groupId)
    const partitions = knownOf(room, request)
    const known = new Set(partitions.flatMap(({ topic, partitions }) => partitions.map((partition) => `${partition} ${topic}`)))
    const answer = (): Response => {
      const used = inUse(group(room, id), partitions)
      const errorOf = (topic: string, partition: number): KafkaError => {
        if (!known.has(`${partition} ${topic}`)) return "UNKNOWN_TOPIC_OR_PARTITION"
        return used.has(topic) ? "GROUP_SUBSCRIBED_TO_TOPIC" : "NONE"
      }
      const topics = request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: errorCode(errorOf(name, partitionIndex)) }))
      }))
      return { errorCode: 0, throttleTimeMs: 0, topics }
    }
    return ask(room, Command.DeleteOffsets({ groupId: id, at: room.now(), partitions }), context, "OffsetDelete").pipe(
      Effect.match({ onSuccess: answer, onFailure: ({ error }) => refused(error) })
    )
  }
  return route(OffsetDelete, {}, handle)
}
