import { brokerOf, type Partition, type Topic, topicById } from "../../../../domain/cluster/state.ts"
import { type PartitionImage, partitionImage } from "../../../../domain/partition/image.ts"
import type { BrokerContext } from "../../broker-context.ts"
import type { Replica } from "../replica/replica.ts"
import type { TopicIdPartition } from "../topic-id-partition.ts"

/** A partition that the image places on this broker. */
export interface Placed {
  readonly topic: Topic
  readonly partition: Partition
}

/** Which replicas this broker has by the image, and what it is for each of them. */
export class Roles {
  /** False until the logs may be opened, and after the broker has begun to stop: no replica leads then, whatever the image says. */
  private mayLead = false

  constructor(private readonly context: BrokerContext["Type"]) {}

  begin(): void {
    this.mayLead = true
  }
  end(): void {
    this.mayLead = false
  }
  get hasBegun(): boolean {
    return this.mayLead
  }

  /** The partition if the image places a replica of it on this broker. */
  placedHere({ topicId, partition }: TopicIdPartition): Placed | undefined {
    const topic = topicById(this.context.cluster(), topicId)
    const found = topic?.partitions.at(partition)
    return topic !== undefined && found?.replicas.includes(this.context.nodeId) ? { topic, partition: found } : undefined
  }

  /** Whether the image has the partition, and all its replicas on other brokers. */
  isElsewhere({ topicId, partition }: TopicIdPartition): boolean {
    const found = topicById(this.context.cluster(), topicId)?.partitions.at(partition)
    return found !== undefined && !found.replicas.includes(this.context.nodeId)
  }

  /** Gives the replica the role that the image has for it. `partition` is undefined where the image does not place it here. */
  assign(replica: Replica, partition: Partition | undefined): void {
    if (!this.mayLead || partition === undefined) return replica.stopLeading()
    if (!this.isLeader(partition)) return this.follow(replica, partition)
    if (replica.followed.defersLeading()) return replica.stopLeading()
    // Epochs never go back. If they do, the cluster's leader has lost events, and records that are written later would look older than those before them.
    if ((replica.lastEpoch ?? -1) <= partition.leaderEpoch) return replica.becomeLeader(partition.leaderEpoch, this.imageOf(replica, partition))
    const { topic, partition: index, lastEpoch } = replica
    this.context.warn(
      `${topic}-${index} is not served: its log has leader epoch ${lastEpoch}, the cluster's leader says ${partition.leaderEpoch}. Events of the leader's journal are missing.`
    )
    replica.stopLeading()
  }

  /** Follows the broker that leads, also while this one is fenced: it joins the in-sync set sooner. */
  private follow(replica: Replica, { leader, leaderEpoch, replicas }: Partition): void {
    if (replicas.length === 1 || leader === -1 || leader === this.context.nodeId) replica.stopLeading()
    else replica.becomeFollower(leader, leaderEpoch)
  }

  /** The image of a partition with several replicas; undefined for one with a single replica. */
  private imageOf({ partition, topicId }: Replica, { replicas }: Partition): PartitionImage | undefined {
    return replicas.length === 1 ? undefined : partitionImage(this.context.cluster(), topicId, partition)
  }

  /** Whether the image names this very process as the leader of the partition, and the broker as unfenced. */
  private isLeader(partition: Partition): boolean {
    const { nodeId, cluster, isSelf } = this.context
    const self = brokerOf(cluster(), nodeId)
    return partition.leader === nodeId && self !== undefined && !self.fenced && isSelf(self)
  }
}
