import { HashMap } from "effect"
import { type Cluster, type Topic, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { internalTopicById, internalTopicByName } from "../../../domain/cluster/topic/internal.ts"
import type { Committed, TopicOffsets } from "../../../domain/group/offset/committed.ts"
import type { TopicId, TopicName } from "../../../domain/kernel/id.ts"

/** A topic that offsets can be committed in. Internal topics are read like others, so a group may commit offsets in them, too. */
export interface CommittableTopic {
  readonly name: TopicName
  readonly topicId: TopicId
  readonly partitionCount: number
}

const committable = ({ name, partitions, topicId }: Topic): CommittableTopic => ({ name, topicId, partitionCount: partitions.length })

export const committableByName = (cluster: Cluster, name: string): CommittableTopic | undefined => {
  const topic = topicByName(cluster, name)
  return topic === undefined ? internalTopicByName(cluster, name) : committable(topic)
}
export const committableById = (cluster: Cluster, topicId: string): CommittableTopic | undefined => {
  const topic = topicById(cluster, topicId)
  return topic === undefined ? internalTopicById(cluster, topicId) : committable(topic)
}

/** Whether an offset was committed in the topic that has the name now, and not in a removed topic of that name (L10). */
export const isCurrent = (topic: CommittableTopic | undefined, { topicId }: Pick<Committed, "topicId">): boolean =>
  topic !== undefined && (topicId === null || topicId === topic.topicId)

export const allCurrent = (topic: CommittableTopic | undefined, offsets: TopicOffsets): boolean => {
  for (const held of HashMap.values(offsets)) if (!isCurrent(topic, held)) return false
  return true
}
