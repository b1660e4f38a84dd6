import { Effect, Either } from "effect"
import { Command } from "../../../domain/group/command.ts"
import { type GroupId, groupId, memberId } from "../../../domain/group/id.ts"
import { metadataTooLarge } from "../../../domain/group/offset/commit.ts"
import type { PartitionOffset } from "../../../domain/group/offset/committed.ts"
import { errorCode, type KafkaError, type Rejection } from "../../../domain/kernel/error-code.ts"
import type { TopicName } from "../../../domain/kernel/id.ts"
import { OffsetCommit } from "../../protocol/message/08-offset-commit.ts"
import type { RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import { forEachInSlices, nested, Sliced, type Steps, Stride } from "../../wire/sliced.ts"
import { type CoordinatorContext, groupIn, recordHeartbeat, submit } from "../context.ts"
import { type CommittableTopic, committableById, committableByName } from "../offset/committable-topic.ts"

type Request = RequestOf<typeof OffsetCommit>
type Response = ResponseDraft<typeof OffsetCommit>
type AskedTopic = Request["topics"][number]
type AskedPartition = AskedTopic["partitions"][number]

/** From this version on topics are named by id alone. */
const topicIdsSince = 10
/** From this version on a missing group has an error of its own; before, it was an illegal generation. */
const groupNotFoundSince = 9
/** Up to this version a commit says how long it is retained; -1 leaves that to the server. */
const retentionUntil = 4
const serversRetention = -1n

/** Offsets that one command commits, and one event holds: what is encoded in some milliseconds. */
const offsetsPerEvent = 1000

const safe = (value: bigint): boolean => value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER)

const expiryOf = ({ retentionTimeMs }: Request, at: number, version: number): number | null => {
  if (version > retentionUntil || retentionTimeMs === serversRetention) return null
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, at + Number(retentionTimeMs)))
}

/** Returns why a partition's offset cannot be committed, as far as that is known without the group. */
const faultOf = (coordinator: CoordinatorContext, topic: CommittableTopic | undefined, asked: AskedPartition, version: number): KafkaError | undefined => {
  if (topic === undefined) return version >= topicIdsSince ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION"
  if (asked.partitionIndex < 0 || asked.partitionIndex >= topic.partitionCount) return "UNKNOWN_TOPIC_OR_PARTITION"
  if (metadataTooLarge(coordinator.limits, { metadata: asked.committedMetadata ?? "" })) return "OFFSET_METADATA_TOO_LARGE"
  return safe(asked.committedOffset) ? undefined : "INVALID_COMMIT_OFFSET_SIZE"
}

/** The valid part of a request, and the error of each partition. */
class SortedOffsets {
  private readonly faults = new Map<AskedPartition, KafkaError>()
  /** A partition that is named twice gets the later offset. */
  private readonly byPartition = new Map<string, PartitionOffset>()
  private readonly keys = new Map<AskedPartition, string>()

  /** The offsets in parts, each small enough for one event. Without offsets there is one empty part: the group checks the generation all the same. */
  get parts(): ReadonlyArray<ReadonlyArray<readonly [key: string, offset: PartitionOffset]>> {
    const all = [...this.byPartition]
    return all.length === 0
      ? [[]]
      : Array.from({ length: Math.ceil(all.length / offsetsPerEvent) }, (_, n) => all.slice(n * offsetsPerEvent, (n + 1) * offsetsPerEvent))
  }
  /** Sorts the partitions of a request. */
  *sort(coordinator: CoordinatorContext, request: Request, version: number, at: number): Steps<void> {
    const expiresAt = expiryOf(request, at, version)
    const cluster = coordinator.cluster()
    const stride = new Stride()
    for (const topic of request.topics) {
      const committable = version >= topicIdsSince ? committableById(cluster, topic.topicId) : committableByName(cluster, topic.name)
      if (stride.takes()) yield
      for (const asked of topic.partitions) {
        if (stride.takes()) yield
        const fault = faultOf(coordinator, committable, asked, version)
        if (fault !== undefined) this.faults.set(asked, fault)
        else if (committable !== undefined) {
          const key = `${asked.partitionIndex} ${committable.name}`
          this.keys.set(asked, key)
          this.byPartition.set(key, {
            topic: committable.name,
            partition: asked.partitionIndex,
            offset: Number(asked.committedOffset),
            leaderEpoch: asked.committedLeaderEpoch,
            metadata: asked.committedMetadata ?? "",
            commitAt: at,
            expiresAt,
            topicId: committable.topicId
          })
        }
      }
    }
  }

  *answer({ topics }: Request, errorOf: (key: string | undefined) => KafkaError): Steps<Response> {
    const answers = yield* nested(
      topics,
      ({ partitions }) => partitions,
      (_, asked) => ({
        partitionIndex: asked.partitionIndex,
        errorCode: errorCode(this.faults.get(asked) ?? errorOf(this.keys.get(asked)))
      }),
      ({ name, topicId }, partitions) => ({ name, topicId, partitions })
    )
    return { topics: answers }
  }
}

const isDead = (coordinator: CoordinatorContext, id: GroupId): boolean => {
  const group = groupIn(coordinator, id)
  return Either.isRight(group) && group.right.phase === "Dead"
}

/** Topics that were removed, and perhaps created again, while the commit was on its way: their offsets must not stay. */
const removedMeanwhile = (coordinator: CoordinatorContext, offsets: ReadonlyArray<PartitionOffset>): ReadonlyArray<TopicName> => {
  const cluster = coordinator.cluster()
  const topics = new Map(offsets.map(({ topic, topicId }) => [topic, topicId]))
  return [...topics].filter(([topic, topicId]) => committableByName(cluster, topic)?.topicId !== topicId).map(([topic]) => topic)
}

/**
 * OffsetCommit 2-10: durable when it is answered (G3). Invalid partitions get their error, and the others are committed, a thousand of them together: of very many,
 * the last may be refused when the next generation of the group begins meanwhile.
 */
export const offsetCommit = (coordinator: CoordinatorContext): Route => {
  const commit = (request: Request, context: RequestContext, at: number) => {
    const id = groupId(request.groupId)
    const member = memberId(request.memberId)
    const errorOf = ({ error }: Rejection): KafkaError =>
      error === "ILLEGAL_GENERATION" && context.version >= groupNotFoundSince && isDead(coordinator, id) ? "GROUP_ID_NOT_FOUND" : error
    return (offsets: ReadonlyArray<PartitionOffset>, part: number): Effect.Effect<KafkaError> => {
      const command = Command.CommitOffsets({
        groupId: id,
        at,
        memberId: member,
        instanceId: request.groupInstanceId,
        generation: request.generationIdOrMemberEpoch,
        offsets
      })
      return Effect.match(submit(coordinator, command, context, "OffsetCommit", part === 0 ? "" : ` ${part}`), {
        onFailure: errorOf,
        onSuccess: () => {
          recordHeartbeat(coordinator, id, member)
          const removed = removedMeanwhile(coordinator, offsets)
          if (removed.length > 0) coordinator.suspect(removed)
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
        const at = coordinator.now()
        const sorted = new SortedOffsets()
        yield* sorted.sort(coordinator, request, context.version, at)
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
          const byKey = new Map(parts.flatMap((part, nth) => part.map(([key]) => [key, errors[nth] as KafkaError] as const)))
          return new Sliced(() => sorted.answer(request, (key) => byKey.get(key ?? "") ?? "NONE"))
        })
      })
  )
}
