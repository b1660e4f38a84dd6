import { HashMap } from "effect"
import type { BrokerId } from "../../kernel/id.ts"
import type { Cluster, Partition } from "../state.ts"

const ledBy = (partition: Partition, leader: Partition["leader"]): Partition => ({
  ...partition,
  leader,
  leaderEpoch: partition.leaderEpoch + 1,
  partitionEpoch: partition.partitionEpoch + 1
})

/** The topics after `change` to each partition; a partition that is returned unchanged costs nothing. */
const withPartitions = (topics: Cluster["topics"], change: (partition: Partition) => Partition): Cluster["topics"] =>
  HashMap.mutate(topics, (changed) => {
    for (const [topicId, topic] of topics) {
      const partitions = topic.partitions.change(change)
      if (partitions !== topic.partitions) HashMap.set(changed, topicId, { ...topic, partitions })
    }
  })

/**
 * The partitions that `broker` leads as their only replica lose their leader. Their in-sync set stays: its copy is the
 * only one, and is complete. Partitions with more replicas have rows of their own (`replication/event.ts`).
 */
export const leadersLost = (topics: Cluster["topics"], broker: BrokerId): Cluster["topics"] =>
  withPartitions(topics, (partition) => (partition.leader === broker && partition.replicas.length === 1 ? ledBy(partition, -1) : partition))

/** The broker leads the partitions again that have no leader and whose only copy is on it. */
export const leadersFound = (topics: Cluster["topics"], broker: BrokerId): Cluster["topics"] =>
  withPartitions(topics, (partition) =>
    partition.leader === -1 && partition.replicas.length === 1 && partition.isr.includes(broker) ? ledBy(partition, broker) : partition
  )
