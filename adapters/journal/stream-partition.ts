import { groupMetadataTopic, groupMetadataTopicId } from "../../domain/cluster/topic/group-metadata.ts"
import { metadataTopic, metadataTopicId } from "../../domain/cluster/topic/name.ts"
import type { TopicId } from "../../domain/kernel/id.ts"

/** The log of a stream in a log store: a partition of an internal topic. */
export interface StreamPartition {
  readonly topicId: TopicId
  readonly partition: number
  /** The prefix of its checkpoints' names. */
  readonly name: string
}

const groupStream = new RegExp(`^${groupMetadataTopic}-(0|[1-9]\\d{0,5})$`)

/** Returns the log of `__cluster_metadata` or of `__group_metadata-N`; undefined for any other name. */
export const partitionOfStream = (stream: string): StreamPartition | undefined => {
  if (stream === metadataTopic) return { topicId: metadataTopicId, partition: 0, name: "journal-cluster" }
  const partition = groupStream.exec(stream)?.[1]
  return partition === undefined ? undefined : { topicId: groupMetadataTopicId, partition: Number(partition), name: `journal-group-${partition}` }
}

/** The name of the checkpoint that holds a stream's newest epoch. */
export const epochName = ({ name }: StreamPartition): string => `${name}.epoch`
