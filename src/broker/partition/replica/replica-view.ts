import type { TopicConfig } from "../../../../domain/kernel/config.ts"
import type { KafkaError } from "../../../../domain/kernel/error-code.ts"
import type { DivergingEpoch, ReplicaFetch } from "../../../../domain/partition/lead.ts"
import type { PartitionLog } from "../../../ports/log-store.ts"
import type { ReadablePartition } from "../../../serve/readable.ts"
import type { ReplicationServices } from "./replication-services.ts"
import { WakeList } from "./wake-list.ts"

/** The replica that leads. */
interface ViewedReplica extends ReadablePartition {
  readonly config: TopicConfig
  readonly replication: { readonly isr: ReadonlyArray<number>; readonly fetched: (fetch: ReplicaFetch) => KafkaError | DivergingEpoch | undefined } | undefined
}

/**
 * A partition as the replicas of other brokers read it: up to the end of the log. A replica waits for the end alone; it
 * learns the high watermark with its next response (KAFKA-9731).
 */
export class ReplicaView implements ReadablePartition {
  readonly topic: string
  readonly topicId: ReadablePartition["topicId"]
  readonly partition: number
  private readonly waiting = new WakeList()
  private readonly noting = new WakeList()

  constructor(
    private readonly replica: ViewedReplica,
    private readonly log: PartitionLog,
    private readonly services: Pick<ReplicationServices, "leaderQuota" | "nodeId">
  ) {
    this.topic = replica.topic
    this.topicId = replica.topicId
    this.partition = replica.partition
  }

  readonly leaderEpoch = () => this.replica.leaderEpoch()
  readonly start = () => this.replica.start()
  readonly end = () => this.replica.end()
  /** What a replica may read. */
  readonly highWatermark = () => this.replica.end()
  readonly committed = () => this.replica.highWatermark()
  readonly sparseEnd = () => this.log.sparseEnd()
  readonly read: ReadablePartition["read"] = (from, maxBytes) => this.log.read(from, maxBytes, this.log.end())
  readonly batchAtTime: ReadablePartition["batchAtTime"] = (timestamp, from) => this.replica.batchAtTime(timestamp, from)
  readonly onAdvance = (wake: () => void) => this.waiting.add(wake)
  readonly onCommitted = (note: () => void) => this.noting.add(note)

  /** Notes a fetch, or returns its error, or where the replica's log leaves this one. A partition with one replica has no followers. */
  readonly fetchedBy = (fetch: ReplicaFetch): KafkaError | DivergingEpoch | undefined => {
    const { replication } = this.replica
    return replication === undefined ? "UNKNOWN_LEADER_EPOCH" : replication.fetched(fetch)
  }

  /** As in Kafka, a replica in sync is never held, and what it copies counts. */
  readonly throttle: NonNullable<ReadablePartition["throttle"]> = {
    holds: (broker) => {
      const { leaderQuota, nodeId } = this.services
      return leaderQuota.holds(this.replica, nodeId) && this.replica.replication?.isr.includes(broker) === false
    },
    took: (bytes) => this.services.leaderQuota.took(this.replica, this.services.nodeId, bytes)
  }

  wake(): void {
    this.waiting.wakeAll()
  }
  /** The high watermark has risen. */
  note(): void {
    this.noting.wakeAll()
  }
}
