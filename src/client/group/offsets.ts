import { Effect } from "effect"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { OffsetCommit } from "../../protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import { expectNone } from "../cluster/client.ts"
import { type TopicPartition, topicPartitionKey } from "../cluster/topic-partition.ts"
import { type CallError, CommitRefused, failure, type NotAuthorized } from "../error.ts"
import type { Coordinator } from "./coordinator.ts"

/** The member that commits, in its generation. */
export interface MemberIdentity {
  readonly generation: number
  readonly memberId: string
  readonly instanceId: string | null
}
/** Commits without a member, which a group without members accepts. */
export const withoutMember: MemberIdentity = { generation: -1, memberId: "", instanceId: null }

interface OffsetToCommit extends TopicPartition {
  /** The topic of the offset; all zero where the cluster has no topic ids. */
  readonly topicId: string
  readonly offset: number
}
interface CommittedOffset {
  readonly offset: number
  /** The topic of the commit; undefined where the commit does not name it. */
  readonly topicId: string | undefined
}

/**
 * The metadata of a commit names the id of the topic, since offsets are committed by topic names, and a topic that is
 * deleted and created again has the same name. Other clients keep this text unchanged, or write their own.
 */
const metadataOf = (topicId: string): string => (topicId === zeroTopicId ? "" : `topic-id=${topicId}`)
const topicIdOf = (metadata: string | null): string | undefined => /^topic-id=([A-Za-z0-9_-]{22})$/.exec(metadata ?? "")?.[1]

/** The last versions that name topics by their names, as the consumer protocol does. */
const commitVersionMax = 9
const fetchVersionMax = 7

/** The commit is too late: the group has assigned the partitions to other members, or is about to. */
const refusals: ReadonlySet<KafkaError> = new Set<KafkaError>(["ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "FENCED_INSTANCE_ID"])

export type CommitError = CallError | CommitRefused | NotAuthorized

const byTopic = <P extends TopicPartition, T>(
  partitions: ReadonlyArray<P>,
  each: (partition: P) => T
): ReadonlyArray<{ readonly name: string; readonly partitions: ReadonlyArray<T> }> => {
  const topics = new Map<string, Array<T>>()
  for (const one of partitions) {
    const ofTopic = topics.get(one.topic)
    if (ofTopic === undefined) topics.set(one.topic, [each(one)])
    else ofTopic.push(each(one))
  }
  return [...topics].map(([name, ofTopic]) => ({ name, partitions: ofTopic }))
}

/** Commits offsets for the group. After an error some of them may be committed. */
export const commitOffsets = (coordinator: Coordinator, member: MemberIdentity, offsets: ReadonlyArray<OffsetToCommit>): Effect.Effect<void, CommitError> => {
  if (offsets.length === 0) return Effect.void
  const request = {
    groupId: coordinator.group,
    generationIdOrMemberEpoch: member.generation,
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    topics: byTopic(offsets, ({ offset, partition, topicId }) => ({
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedMetadata: metadataOf(topicId)
    }))
  }
  return coordinator.persistently(
    Effect.gen(function* () {
      const response = yield* coordinator.call(OffsetCommit, request, { versionMax: commitVersionMax })
      for (const topic of response.topics)
        for (const { errorCode, partitionIndex } of topic.partitions) {
          const error = kafkaError(errorCode)
          if (refusals.has(error)) return yield* new CommitRefused({ group: coordinator.group, error })
          if (error !== "NONE") return yield* failure(error, `The commit of ${topic.name}-${partitionIndex} for the group '${coordinator.group}'`)
        }
    })
  )
}

/**
 * Returns the committed offsets of these partitions, by `topicPartitionKey`, without those that the group has none for.
 * Waits for transactions with pending offsets (KIP-447).
 */
export const fetchOffsets = (
  coordinator: Coordinator,
  partitions: ReadonlyArray<TopicPartition>
): Effect.Effect<ReadonlyMap<string, CommittedOffset>, CallError | NotAuthorized> => {
  if (partitions.length === 0) return Effect.succeed(new Map())
  const topics = byTopic(partitions, ({ partition }) => partition).map(({ name, partitions: indexes }) => ({ name, partitionIndexes: indexes }))
  return coordinator.persistently(
    Effect.gen(function* () {
      const response = yield* coordinator.call(OffsetFetch, { groupId: coordinator.group, topics, requireStable: true }, { versionMax: fetchVersionMax })
      const what = `The offsets of the group '${coordinator.group}'`
      yield* expectNone(kafkaError(response.errorCode), what)
      const committed = new Map<string, CommittedOffset>()
      for (const topic of response.topics)
        for (const { committedOffset, errorCode, metadata, partitionIndex } of topic.partitions) {
          const error = kafkaError(errorCode)
          if (error !== "NONE") return yield* failure(error, what)
          if (committedOffset < 0n) continue
          committed.set(topicPartitionKey({ topic: topic.name, partition: partitionIndex }), { offset: Number(committedOffset), topicId: topicIdOf(metadata) })
        }
      return committed
    })
  )
}
