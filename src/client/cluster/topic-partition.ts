/** A partition of a topic, by the topic's name. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** The key of a partition in a map: two partitions have the same key if and only if they are the same. */
export const topicPartitionKey = ({ partition, topic }: TopicPartition): string => `${partition} ${topic}`
