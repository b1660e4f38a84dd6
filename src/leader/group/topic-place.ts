import { HashMap } from "effect"
import { type Cluster, topicById, topicByName } from "../../../domain/cluster/state.ts"
import { metadataTopic, metadataTopicId } from "../../../domain/cluster/topic-name.ts"
import type { Committed, TopicOffsets } from "../../../domain/group/offset.ts"
import type { TopicId, TopicName } from "../../../domain/kernel/id.ts"

/** A topic that offsets can be committed in. */
export interface TopicPlace {
  readonly name: TopicName
  readonly topicId: TopicId
  readonly partitionCount: number
}

/** The leader's journal is read like a topic, so a group may say how far it is in it. */
const journal: TopicPlace = { name: metadataTopic as TopicName, topicId: metadataTopicId, partitionCount: 1 }

export const placeByName = (cluster: Cluster, name: string): TopicPlace | undefined => {
  if (name === metadataTopic) return journal
  const topic = topicByName(cluster, name)
  return topic === undefined ? undefined : { name: topic.name, topicId: topic.topicId, partitionCount: topic.partitions.length }
}
export const placeById = (cluster: Cluster, topicId: string): TopicPlace | undefined => {
  if (topicId === metadataTopicId) return journal
  const topic = topicById(cluster, topicId)
  return topic === undefined ? undefined : { name: topic.name, topicId: topic.topicId, partitionCount: topic.partitions.length }
}

/** Whether what was committed belongs to the topic that now has the name, and not to one of that name that was removed (L10). */
export const isCurrent = (place: TopicPlace | undefined, { topicId }: Pick<Committed, "topicId">): boolean =>
  place !== undefined && (topicId === null || topicId === place.topicId)

export const allCurrent = (place: TopicPlace | undefined, offsets: TopicOffsets): boolean => {
  for (const held of HashMap.values(offsets)) if (!isCurrent(place, held)) return false
  return true
}
