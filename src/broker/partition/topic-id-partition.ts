import type { TopicId } from "../../../domain/kernel/id.ts"

/** A partition by the id of its topic, which is never used again for another topic. */
export interface TopicIdPartition {
  readonly topicId: TopicId
  readonly partition: number
}

export const keyOf = ({ partition, topicId }: TopicIdPartition): string => `${topicId}-${partition}`
