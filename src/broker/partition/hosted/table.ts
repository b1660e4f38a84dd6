import type { Cluster } from "../../../../domain/cluster/state.ts"
import type { TopicId } from "../../../../domain/kernel/id.ts"
import { type TopicRef, topicOf } from "../../../serve/cluster/current-leader.ts"
import type { PartitionOwner } from "../replica/owner.ts"

/** What stands where a partition belongs: its owner, or the mark that its log could not be opened. Absent while it is being opened. */
type Slot = PartitionOwner | "failed" | undefined

interface HostedTopic {
  readonly name: string
  readonly topicId: TopicId
  readonly slots: Array<Slot>
}

/** Why a partition does not answer here, in Kafka's words. */
type NotHere = "UNKNOWN_TOPIC_OR_PARTITION" | "UNKNOWN_TOPIC_ID" | "NOT_LEADER_OR_FOLLOWER" | "KAFKA_STORAGE_ERROR"

/**
 * The partitions whose logs this broker holds, found in two look-ups: Produce and Fetch pass here for every partition they name.
 * What is not held is judged by the image, which knows every topic of the cluster.
 */
export class PartitionTable {
  private readonly byId = new Map<string, HostedTopic>()
  private readonly byName = new Map<string, HostedTopic>()

  constructor(private readonly cluster: () => Cluster) {}

  /** The owner of a partition that this broker leads, or why there is none. */
  find(ref: TopicRef, partition: number): PartitionOwner | NotHere {
    const topic = "topicId" in ref ? this.byId.get(ref.topicId) : this.byName.get(ref.name)
    const slot = topic?.slots[partition]
    if (slot === undefined) return this.missing(ref, partition)
    if (slot === "failed" || slot.isOffline) return "KAFKA_STORAGE_ERROR"
    return slot.isLeading ? slot : "NOT_LEADER_OR_FOLLOWER"
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
    // A name goes to the topic that came last: an older one of that name is on its way out (L10).
    this.byName.set(name, topic)
    topic.slots[partition] = slot
  }

  /** Takes a removed topic out at once; what stood there is the caller's to close. */
  drop(topicId: TopicId): ReadonlyArray<Slot> {
    const topic = this.byId.get(topicId)
    if (topic === undefined) return []
    this.byId.delete(topicId)
    if (this.byName.get(topic.name) === topic) this.byName.delete(topic.name)
    return topic.slots
  }

  /** The owners of a topic's partitions here, leading or not. */
  ownersOf(topicId: TopicId): ReadonlyArray<PartitionOwner> {
    return (this.byId.get(topicId)?.slots ?? []).filter((slot) => slot !== undefined && slot !== "failed")
  }

  /** Every owner, leading or not. */
  *owners(): Iterable<PartitionOwner> {
    for (const { slots } of this.byId.values()) for (const slot of slots) if (slot !== undefined && slot !== "failed") yield slot
  }
}
