import { Effect } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { groupId, memberId } from "../../../domain/group/id.ts"
import { metadataTooLarge } from "../../../domain/group/offset/commit.ts"
import type { PartitionOffset } from "../../../domain/group/offset/committed.ts"
import { errorCode, type KafkaError, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import { OffsetCommit } from "../../protocol/message/08-offset-commit.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { forEachInSlices, nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import { ask, type GroupRoom, group, hear } from "../context.ts"
import { placeById, placeByName, type TopicPlace } from "../offset/committable-topic.ts"

type Request = RequestOf<typeof OffsetCommit>
type Response = ResponseDraft<typeof OffsetCommit>
type AskedTopic = Request["topics"][number]
type AskedPartition = AskedTopic["partitions"][number]

/** From this version on topics are named by id alone. */
const topicIdsSince = 10
/** From this version on a group that is not there has an error of its own; before, its generation was wrong. */
const groupNotFoundSince = 9
/** Up to this version a commit says how long it is kept; -1 leaves that to the server. */
const retentionUntil = 4
const serversRetention = -1n

/** Offsets that one command commits, and one event holds: what is encoded in some milliseconds. */
const offsetsPerEvent = 1000

const safe = (value: bigint): boolean => value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER)

const expiryOf = ({ retentionTimeMs }: Request, at: number, version: number): number | null => {
  if (version > retentionUntil || retentionTimeMs === serversRetention) return null
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, at + Number(retentionTimeMs)))
}

/** What speaks against one partition's offset before anything is decided. */
const faultOf = (room: GroupRoom, place: TopicPlace | undefined, asked: AskedPartition, version: number): KafkaError | undefined => {
  if (place === undefined) return version >= topicIdsSince ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION"
  if (asked.partitionIndex < 0 || asked.partitionIndex >= place.partitionCount) return "UNKNOWN_TOPIC_OR_PARTITION"
  if (metadataTooLarge(room.limits, { metadata: asked.committedMetadata ?? "" })) return "OFFSET_METADATA_TOO_LARGE"
  return safe(asked.committedOffset) ? undefined : "INVALID_COMMIT_OFFSET_SIZE"
}

/** The sound part of a request, and how each partition is answered. */
class Sorted {
  private readonly faults = new Map<AskedPartition, KafkaError>()
  /** A partition that is named twice gets the later offset. */
  private readonly byPlace = new Map<string, PartitionOffset>()
  private readonly places = new Map<AskedPartition, string>()

  /** The offsets in parts, each small enough for one event. Without any, one empty part: the group looks at the generation all the same. */
  get parts(): ReadonlyArray<ReadonlyArray<readonly [place: string, offset: PartitionOffset]>> {
    const all = [...this.byPlace]
    return all.length === 0
      ? [[]]
      : Array.from({ length: Math.ceil(all.length / offsetsPerEvent) }, (_, n) => all.slice(n * offsetsPerEvent, (n + 1) * offsetsPerEvent))
  }
  /** Looks at all partitions of a request. */
  *look(room: GroupRoom, request: Request, version: number, at: number): Steps<void> {
    const expiresAt = expiryOf(request, at, version)
    const cluster = room.cluster()
    const stride = new Stride()
    for (const topic of request.topics) {
      const place = version >= topicIdsSince ? placeById(cluster, topic.topicId) : placeByName(cluster, topic.name)
      if (stride.takes()) yield
      for (const asked of topic.partitions) {
        if (stride.takes()) yield
        const fault = faultOf(room, place, asked, version)
        if (fault !== undefined) this.faults.set(asked, fault)
        else if (place !== undefined) {
          const key = `${asked.partitionIndex} ${place.name}`
          this.places.set(asked, key)
          this.byPlace.set(key, {
            topic: place.name,
            partition: asked.partitionIndex,
            offset: Number(asked.committedOffset),
            leaderEpoch: asked.committedLeaderEpoch,
            metadata: asked.committedMetadata ?? "",
            commitAt: at,
            expiresAt,
            topicId: place.topicId
          })
        }
      }
    }
  }

  *answer({ topics }: Request, errorOf: (place: string | undefined) => KafkaError): Steps<Response> {
    const answers = yield* nested(
      topics,
      ({ partitions }) => partitions,
      (_, asked) => ({
        partitionIndex: asked.partitionIndex,
        errorCode: errorCode(this.faults.get(asked) ?? errorOf(this.places.get(asked)))
      }),
      ({ name, topicId }, partitions) => ({ name, topicId, partitions })
    )
    return { topics: answers }
  }
}

/** Topics that were removed, perhaps made anew, while the commit was on its way: their offsets must not stay. */
const removedMeanwhile = (room: GroupRoom, offsets: ReadonlyArray<PartitionOffset>): ReadonlyArray<TopicName> => {
  const cluster = room.cluster()
  const topics = new Map(offsets.map(({ topic, topicId }) => [topic, topicId]))
  return [...topics].filter(([topic, topicId]) => placeByName(cluster, topic)?.topicId !== topicId).map(([topic]) => topic)
}

/**
 * OffsetCommit 2-10: durable when it is answered (G3). Partitions that are wrong are answered so, and the others are committed: a thousand of them together, so that of very many
 * the last may be refused when the group goes on to another generation meanwhile.
 */
export const offsetCommit = (room: GroupRoom): Route => {
  const commit = (request: Request, context: RequestContext, at: number) => {
    const id = groupId(request.groupId)
    const member = memberId(request.memberId)
    const errorOf = ({ error }: Rejection): KafkaError =>
      error === "ILLEGAL_GENERATION" && context.version >= groupNotFoundSince && group(room, id).phase === "Dead" ? "GROUP_ID_NOT_FOUND" : error
    return (offsets: ReadonlyArray<PartitionOffset>, part: number): Effect.Effect<KafkaError> => {
      const command = Command.CommitOffsets({
        groupId: id,
        at,
        memberId: member,
        instanceId: request.groupInstanceId,
        generation: request.generationIdOrMemberEpoch,
        offsets
      })
      return Effect.match(ask(room, command, context, "OffsetCommit", part === 0 ? "" : ` ${part}`), {
        onFailure: errorOf,
        onSuccess: () => {
          hear(room, id, member)
          const removed = removedMeanwhile(room, offsets)
          if (removed.length > 0) room.suspect(removed)
          return "NONE"
        }
      })
    }
  }
  return route(
    OffsetCommit,
    {},
    (request, context) =>
      new Sliced(function* () {
        const at = room.now()
        const sorted = new Sorted()
        yield* sorted.look(room, request, context.version, at)
        const { parts } = sorted
        const one = commit(request, context, at)
        const outcomes = forEachInSlices(parts.entries(), ([nth, part]) =>
          one(
            part.map(([, offset]) => offset),
            nth
          )
        )
        return Effect.map(outcomes, (errors) => {
          if (errors.length === 1) return new Sliced(() => sorted.answer(request, () => errors[0] ?? "NONE"))
          const byPlace = new Map(parts.flatMap((part, nth) => part.map(([place]) => [place, errors[nth] as KafkaError] as const)))
          return new Sliced(() => sorted.answer(request, (place) => byPlace.get(place ?? "") ?? "NONE"))
        })
      })
  )
}
