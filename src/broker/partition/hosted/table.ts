import type { Cluster } from "../../../../domain/cluster/state.ts"
import type { TopicId } from "../../../../domain/kernel/id.ts"
import { type TopicRef, topicOf } from "../../../serve/cluster/current-leader.ts"
import type { Leading } from "../leading/leading.ts"
import type { FollowerView } from "../replica/follower-view.ts"
import type { Replica } from "../replica/replica.ts"
import type { ReplicaView } from "../replica/replica-view.ts"

/** A partition's replica, or the mark that its log could not be opened. Absent while the log is being opened. */
type Slot = Replica | "failed" | undefined

interface HostedTopic {
  readonly name: string
  readonly topicId: TopicId
  readonly slots: Array<Slot>
}

/** Why this broker does not serve a partition. */
export type NotHere = "UNKNOWN_TOPIC_OR_PARTITION" | "UNKNOWN_TOPIC_ID" | "NOT_LEADER_OR_FOLLOWER" | "KAFKA_STORAGE_ERROR"

/**
 * The partitions whose logs this broker holds, found in two look-ups: Produce and Fetch come here for every partition that they name.
 * For a partition that is not held the image decides, since it has every topic of the cluster.
 */
export class PartitionTable {
  private readonly byId = new Map<string, HostedTopic>()
  private readonly byName = new Map<string, HostedTopic>()

  constructor(private readonly cluster: () => Cluster) {}

  /** The replica of a partition that this broker leads, or why there is none. */
  find(ref: TopicRef, partition: number): Replica | NotHere {
    const slot = this.at(ref, partition)
    if (slot === undefined) return this.missing(ref, partition)
    if (slot === "failed" || slot.isOffline) return "KAFKA_STORAGE_ERROR"
    return slot.leading === undefined ? "NOT_LEADER_OR_FOLLOWER" : slot
  }

  /**
   * The replica of a partition that a consumer may read from, whether this broker leads it or follows (KIP-392). A
   * follower does not know what is committed until its leader has said so in the present leader epoch.
   */
  findForConsumer(ref: TopicRef, partition: number): Replica | FollowerView | NotHere | "OFFSET_NOT_AVAILABLE" {
    const slot = this.at(ref, partition)
    if (slot === undefined || slot === "failed" || slot.isOffline || slot.following === undefined) return this.find(ref, partition)
    return slot.following.view ?? "OFFSET_NOT_AVAILABLE"
  }

  /** The replica of a partition on this broker, whether it leads or not, or why there is none. */
  findHosted(ref: TopicRef, partition: number): Replica | NotHere {
    const slot = this.at(ref, partition)
    if (slot === undefined) return this.missing(ref, partition)
    return slot === "failed" || slot.isOffline ? "KAFKA_STORAGE_ERROR" : slot
  }

  /** The same as `find`, as a replica of another broker reads it. */
  findAsReplica(ref: TopicRef, partition: number): ReplicaView | NotHere {
    const found = this.find(ref, partition)
    return typeof found === "string" ? found : found.asReplica
  }

  /** The leadership of a partition, to produce to it, or why there is none. The broker alone writes to an internal topic. */
  findLeading(ref: TopicRef, partition: number): Leading | NotHere {
    const found = this.find(ref, partition)
    if (typeof found === "string") return found
    return (found.isInternal ? undefined : found.leading) ?? "NOT_LEADER_OR_FOLLOWER"
  }

  private at(ref: TopicRef, partition: number): Slot {
    return ("topicId" in ref ? this.byId.get(ref.topicId) : this.byName.get(ref.name))?.slots[partition]
  }

  private missing(ref: TopicRef, partition: number): NotHere {
    const topic = topicOf(this.cluster(), ref)
    if (topic === undefined) return "topicId" in ref ? "UNKNOWN_TOPIC_ID" : "UNKNOWN_TOPIC_OR_PARTITION"
    return topic.partitions.at(partition) === undefined ? "UNKNOWN_TOPIC_OR_PARTITION" : "NOT_LEADER_OR_FOLLOWER"
  }

  slot(topicId: TopicId, partition: number): Slot {
    return this.byId.get(topicId)?.slots[partition]
  }

  set(name: string, topicId: TopicId, partition: number, slot: Slot): void {
    let topic = this.byId.get(topicId)
    if (topic === undefined) {
      topic = { name, topicId, slots: [] }
      this.byId.set(topicId, topic)
    }
    // The newest topic has the name: an older one of that name is being removed (L10).
    this.byName.set(name, topic)
    topic.slots[partition] = slot
  }

  /** Forgets a partition whose log is removed: if it is placed here again, another log is opened. */
  clear(topicId: TopicId, partition: number): void {
    const topic = this.byId.get(topicId)
    if (topic !== undefined) topic.slots[partition] = undefined
  }

  /** Removes a topic from the table. The caller closes the returned replicas. */
  drop(topicId: TopicId): ReadonlyArray<Slot> {
    const topic = this.byId.get(topicId)
    if (topic === undefined) return []
    this.byId.delete(topicId)
    if (this.byName.get(topic.name) === topic) this.byName.delete(topic.name)
    return topic.slots
  }

  /** The replicas of a topic on this broker, leading or not. */
  replicasOf(topicId: TopicId): ReadonlyArray<Replica> {
    return (this.byId.get(topicId)?.slots ?? []).filter((slot) => slot !== undefined && slot !== "failed")
  }

  /** All replicas on this broker, leading or not. */
  *replicas(): Iterable<Replica> {
    for (const { slots } of this.byId.values()) for (const slot of slots) if (slot !== undefined && slot !== "failed") yield slot
  }
}
