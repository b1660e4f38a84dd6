import { effectiveMinIsr } from "../cluster/election.ts"
import { minIsrOf } from "../cluster/replication/partition-changes.ts"
import { brokerOf, type Cluster, topicById } from "../cluster/state.ts"
import type { BrokerId, Epoch } from "../kernel/id.ts"

/** A replica of a partition, by the image of the broker that leads it. */
export interface ReplicaImage {
  readonly id: BrokerId
  /** The broker epoch of its registration; -1: it is not registered. */
  readonly brokerEpoch: Epoch
  /** Whether it may join the in-sync set: it is unfenced, and does not shut down (KIP-841). */
  readonly mayJoin: boolean
}

/** What the image of a broker says about one partition: it may be older than the journal. */
export interface PartitionImage {
  readonly leader: BrokerId | -1
  readonly leaderEpoch: Epoch
  readonly partitionEpoch: Epoch
  /** The committed in-sync set. */
  readonly isr: ReadonlyArray<BrokerId>
  readonly elr: ReadonlyArray<BrokerId>
  /** The effective `min.insync.replicas`: never more than there are replicas. */
  readonly minIsr: number
  readonly replicas: ReadonlyArray<ReplicaImage>
}

/** Returns what the image says about a partition; undefined where it has none of that index. Exported for tests and brokers. */
export const partitionImage = (cluster: Cluster, topicId: string, index: number): PartitionImage | undefined => {
  const topic = topicById(cluster, topicId)
  const partition = topic?.partitions.at(index)
  if (topic === undefined || partition === undefined) return undefined
  const { elr, isr, leader, leaderEpoch, partitionEpoch, replicas } = partition
  return {
    leader,
    leaderEpoch,
    partitionEpoch,
    isr,
    elr,
    minIsr: effectiveMinIsr(minIsrOf(cluster, topic.configs), replicas.length),
    replicas: replicas.map((id) => {
      const broker = brokerOf(cluster, id)
      return { id, brokerEpoch: broker?.epoch ?? -1, mayJoin: broker !== undefined && !broker.fenced && broker.leavingAt === undefined }
    })
  }
}
