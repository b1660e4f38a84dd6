import { HashMap } from "effect"
import type { TopicId, TopicName } from "../../kernel/id.ts"
import type { Cluster } from "../state.ts"
import { consumerOffsetsTopic, consumerOffsetsTopicId, metadataTopic, metadataTopicId } from "./name.ts"

/**
 * A topic that the leader writes and clients only read. The journal has no event about it: its content is the leader's
 * own.
 */
export interface InternalTopic {
  readonly name: TopicName
  readonly topicId: TopicId
  readonly partitionCount: number
  /** The settings that differ from a topic's defaults. */
  readonly configs: Readonly<Record<string, string>>
}
type Streams = Pick<Cluster, "groupStreams" | "topicIds">

const journal: InternalTopic = { name: metadataTopic, topicId: metadataTopicId, partitionCount: 1, configs: {} }

/**
 * The internal topics of a cluster, by name: the leader's journal, and the groups in Kafka's format with a partition
 * for each of their streams. That one is missing before the number of streams is fixed, and where an earlier version
 * let a client create a topic of the name.
 */
export const internalTopics = ({ groupStreams, topicIds }: Streams): ReadonlyArray<InternalTopic> => {
  if (groupStreams === undefined || HashMap.has(topicIds, consumerOffsetsTopic)) return [journal]
  return [journal, { name: consumerOffsetsTopic, topicId: consumerOffsetsTopicId, partitionCount: groupStreams, configs: { "cleanup.policy": "compact" } }]
}
/** The internal topic of that name, if the cluster has it. */
export const internalTopicByName = (cluster: Streams, name: string): InternalTopic | undefined =>
  name.startsWith("__") ? internalTopics(cluster).find((topic) => topic.name === name) : undefined
/** The internal topic of that id, if the cluster has it. */
export const internalTopicById = (cluster: Streams, topicId: string): InternalTopic | undefined =>
  topicId === metadataTopicId || topicId === consumerOffsetsTopicId ? internalTopics(cluster).find((topic) => topic.topicId === topicId) : undefined
