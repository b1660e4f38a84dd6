import type { TopicId, TopicName } from "../../kernel/id.ts"
import { type Cluster, type Topic, topicById } from "../state.ts"

/** The groups' streams: of the leader's journal, or the partitions of this topic. */
export const groupMetadataTopic = "__group_metadata" as TopicName
/** The id of the topic whose partitions are the groups' streams. Kafka assigns no id below 100. */
export const groupMetadataTopicId = "AAAAAAAAAAAAAAAAAAAAAg" as TopicId

/**
 * The topic whose partitions hold the groups, once the leader has handed them over: the leader of a partition
 * coordinates the groups of its stream. Undefined while the leader of the cluster coordinates all groups.
 */
export const groupPartitions = (cluster: Cluster): Topic | undefined => topicById(cluster, groupMetadataTopicId)
