import { HashMap } from "effect"
import { type Cluster, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { internalTopicById, internalTopicByName } from "../../../domain/cluster/topic/internal.ts"
import type { Committed, TopicOffsets } from "../../../domain/group/offset/committed.ts"
import type { TopicId, TopicName } from "../../../domain/kernel/id.ts"

/** A topic that offsets can be committed in. */
export interface TopicPlace {
  readonly name: TopicName
  readonly topicId: TopicId
  readonly partitionCount: number
}

export const placeByName = (cluster: Cluster, name: string): TopicPlace | undefined => {
  const topic = topicByName(cluster, name)
  // Internal topics are read like others, so a group may commit how far it is in them.
  return topic === undefined ? internalTopicByName(cluster, name) : { name: topic.name, topicId: topic.topicId, partitionCount: topic.partitions.length }
}
export const placeById = (cluster: Cluster, topicId: string): TopicPlace | undefined => {
  const topic = topicById(cluster, topicId)
  return topic === undefined ? internalTopicById(cluster, topicId) : { name: topic.name, topicId: topic.topicId, partitionCount: topic.partitions.length }
}

/** Whether what was committed belongs to the topic that now has the name, and not to one of that name that was removed (L10). */
export const isCurrent = (place: TopicPlace | undefined, { topicId }: Pick<Committed, "topicId">): boolean =>
  place !== undefined && (topicId === null || topicId === place.topicId)

export const allCurrent = (place: TopicPlace | undefined, offsets: TopicOffsets): boolean => {
  for (const held of HashMap.values(offsets)) if (!isCurrent(place, held)) return false
  return true
}
