import { Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { OffsetCommit } from "../../protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import { expectNone } from "../cluster/client.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { type CallError, CommitRefused, failure, type NotAuthorized } from "../error.ts"
import type { Coordinator } from "./coordinator.ts"

/** Who commits: the member in its generation, or nobody in particular (an empty group takes that). */
export interface Committer {
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | null
}
export const nobody: Committer = { generation: -1, memberId: "", instanceId: null }

export interface OffsetToCommit extends TopicPartition {
  /** The topic that the offset belongs to; all zero where the cluster has no topic ids. */
  readonly topicId: string
  readonly offset: number
}
export interface CommittedOffset {
  readonly offset: number
  /** The topic that it was committed for; undefined where the commit does not say. */
  readonly topicId: string | undefined
}

/**
 * Offsets are committed by topic names here, and a topic that is made again has the same name: what is committed beside the offset says which topic was meant. Other clients
 * leave this text as they find it, or write their own.
 */
const metadataOf = (topicId: string): string => (topicId === zeroTopicId ? "" : `topic-id=${topicId}`)
const topicIdOf = (metadata: string | null): string | undefined => /^topic-id=([A-Za-z0-9_-]{22})$/.exec(metadata ?? "")?.[1]

/** The last versions that name topics by name: offsets belong to names here, as in the consumer protocol. */
const commitVersionMax = 9
const fetchVersionMax = 7

/** The commit came too late: the partitions are, or are about to be, another's. */
const refusals: ReadonlySet<KafkaError> = new Set<KafkaError>(["ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "FENCED_INSTANCE_ID"])

export type CommitError = CallError | CommitRefused | NotAuthorized

const grouped = <P extends TopicPartition, T>(
  places: ReadonlyArray<P>,
  each: (place: P) => T
): ReadonlyArray<{ readonly name: string; readonly partitions: ReadonlyArray<T> }> => {
  const topics = new Map<string, Array<T>>()
  for (const place of places) {
    const there = topics.get(place.topic)
    if (there === undefined) topics.set(place.topic, [each(place)])
    else there.push(each(place))
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}

/** Writes offsets down for the group. All or, with the first error, an unknown part. */
export const commitOffsets = (coordinator: Coordinator, by: Committer, offsets: ReadonlyArray<OffsetToCommit>): Effect.Effect<void, CommitError> => {
  if (offsets.length === 0) return Effect.void
  const request = {
    groupId: coordinator.group,
    generationIdOrMemberEpoch: by.generation,
    memberId: by.memberId,
    groupInstanceId: by.instanceId,
    topics: grouped(offsets, ({ offset, partition, topicId }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedMetadata: metadataOf(topicId)
    }))
  }
  return coordinator.persistently(
    Effect.gen(function* () {
      const answer = yield* coordinator.call(OffsetCommit, request, { versionMax: commitVersionMax })
      for (const topic of answer.topics)
        for (const { errorCode, partitionIndex } of topic.partitions) {
          const error = kafkaError(errorCode)
          if (refusals.has(error)) return yield* new CommitRefused({ group: coordinator.group, error })
          if (error !== "NONE") return yield* failure(error, `The commit of ${topic.name}-${partitionIndex} for the group '${coordinator.group}'`)
        }
    })
  )
}

/** The group's offsets at these places, by place; absent where it has none. Waits for transactions that are about to decide them. */
export const fetchOffsets = (
  coordinator: Coordinator,
  places: ReadonlyArray<TopicPartition>
): Effect.Effect<ReadonlyMap<string, CommittedOffset>, CallError | NotAuthorized> => {
  if (places.length === 0) return Effect.succeed(new Map())
  const topics = grouped(places, ({ partition }) => partition).map(({ name, partitions }) => ({ name, partitionIndexes: partitions }))
  return coordinator.persistently(
    Effect.gen(function* () {
      const answer = yield* coordinator.call(OffsetFetch, { groupId: coordinator.group, topics, requireStable: true }, { versionMax: fetchVersionMax })
      const what = `The offsets of the group '${coordinator.group}'`
      yield* expectNone(kafkaError(answer.errorCode), what)
      const found = new Map<string, CommittedOffset>()
      for (const topic of answer.topics)
        for (const { committedOffset, errorCode, metadata, partitionIndex } of topic.partitions) {
          const error = kafkaError(errorCode)
          if (error !== "NONE") return yield* failure(error, what)
          if (committedOffset < 0n) continue
          found.set(topicPartitionKey({ topic: topic.name, partition: partitionIndex }), { offset: Number(committedOffset), topicId: topicIdOf(metadata) })
        }
      return found
    })
  )
}
