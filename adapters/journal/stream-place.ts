import { groupMetadataTopic, metadataTopic, metadataTopicId } from "../../domain/cluster/topic/name.ts"
import type { TopicId } from "../../domain/kernel/id.ts"

/** Where a stream lies in a log store: it is a partition of a topic like any other. */
export interface StreamPlace {
  readonly topicId: TopicId
  readonly partition: number
  /** What its checkpoints are called after. */
  readonly name: string
}

/** The id of the topic whose partitions are the groups' streams. Kafka gives ids below 100 to nobody. */
export const groupMetadataTopicId = "AAAAAAAAAAAAAAAAAAAAAg" as TopicId

const groupStream = new RegExp(`^${groupMetadataTopic}-(0|[1-9]\\d{0,5})$`)

/** `__cluster_metadata`, or `__group_metadata-N`; undefined for any other name. */
export const placeOf = (stream: string): StreamPlace | undefined => {
  if (stream === metadataTopic) return { topicId: metadataTopicId, partition: 0, name: "journal-cluster" }
  const partition = groupStream.exec(stream)?.[1]
  return partition === undefined ? undefined : { topicId: groupMetadataTopicId, partition: Number(partition), name: `journal-group-${partition}` }
}
