import { Effect } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { groupId } from "../../../domain/group/id.ts"
import { inUse } from "../../../domain/group/offset/commit.ts"
import type { TopicPartitions } from "../../../domain/group/offset/committed.ts"
import type { Group } from "../../../domain/group/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import { OffsetDelete } from "../../protocol/message/47-offset-delete.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { mapped, nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import { type CoordinatorContext, groupIn, submit } from "../context.ts"
import { committableByName } from "../offset/committable-topic.ts"

type Request = RequestOf<typeof OffsetDelete>
type Response = ResponseDraft<typeof OffsetDelete>

/** A topic may have ten thousand partitions. */
const topicsPerStep = 4

const refused = (error: KafkaError): Response => ({ errorCode: errorCode(error), topics: [] })

/** The partitions that exist, by topic, each once. */
function* knownOf(coordinator: CoordinatorContext, { topics }: Request): Steps<ReadonlyMap<string, ReadonlySet<number>>> {
  const known = new Map<string, Set<number>>()
  const stride = new Stride()
  for (const { name, partitions } of topics) {
    const topic = committableByName(coordinator.cluster(), name)
    if (stride.takes()) yield
    if (topic === undefined) continue
    const of = known.get(topic.name) ?? new Set<number>()
    known.set(topic.name, of)
    for (const { partitionIndex } of partitions) {
      if (partitionIndex >= 0 && partitionIndex < topic.partitionCount) of.add(partitionIndex)
      if (stride.takes()) yield
    }
  }
  return known
}

function* responseTo(
  group: Group,
  request: Request,
  known: ReadonlyMap<string, ReadonlySet<number>>,
  partitions: ReadonlyArray<TopicPartitions>
): Steps<Response> {
  const used = inUse(group, partitions)
  const errorOf = (topic: string, partition: number): KafkaError => {
    if (known.get(topic)?.has(partition) !== true) return "UNKNOWN_TOPIC_OR_PARTITION"
    return used.has(topic) ? "GROUP_SUBSCRIBED_TO_TOPIC" : "NONE"
  }
  const topics = yield* nested(
    request.topics,
    (asked) => asked.partitions,
    ({ name }, { partitionIndex }) => ({ partitionIndex, errorCode: errorCode(errorOf(name, partitionIndex)) }),
    ({ name }, answers) => ({ name, partitions: answers })
  )
  return { errorCode: 0, topics }
}

/** OffsetDelete 0 (KIP-496): deletes a group's offsets of single partitions. The offsets of topics that its members subscribe to stay. */
export const offsetDelete = (coordinator: CoordinatorContext): Route => {
  const handle = (request: Request, context: RequestContext) => {
    if (request.groupId === "") return refused("INVALID_GROUP_ID")
    return new Sliced(function* () {
      const known = yield* knownOf(coordinator, request)
      const partitions = yield* mapped(known, ([topic, of]): TopicPartitions => ({ topic: topic as TopicName, partitions: [...of] }), topicsPerStep)
      const command = Command.DeleteOffsets({ groupId: groupId(request.groupId), at: coordinator.now(), partitions })
      const deleted = Effect.flatMap(submit(coordinator, command, context, "OffsetDelete"), () => groupIn(coordinator, command.groupId))
      return Effect.match(deleted, {
        onSuccess: (group) => new Sliced(() => responseTo(group, request, known, partitions)),
        onFailure: ({ error }) => refused(error)
      })
    })
  }
  return route(OffsetDelete, {}, handle)
}
