import { Either } from "effect"
import type { TopicConfig } from "../../../../domain/kernel/config.ts"
import type { KafkaError } from "../../../../domain/kernel/error-code.ts"
import type { Offset } from "../../../../domain/kernel/id.ts"
import { readableBatches, verify } from "../../../../domain/log/batch.ts"
import type { Crc32c } from "../../../../domain/log/crc32c.ts"
import type { DivergingEpoch, ReplicaFetch } from "../../../../domain/partition/lead.ts"
import { LogFault, type PartitionLog } from "../../../ports/log-store.ts"
import type { ReadablePartition } from "../../../serve/readable.ts"
import type { ReplicationServices } from "./replication-services.ts"
import { WakeList } from "./wake-list.ts"

/** The replica that leads. */
interface ViewedReplica extends ReadablePartition {
  readonly config: TopicConfig
  /** Notes that its log is damaged: another replica has to lead. */
  readonly failed: (fault: LogFault) => LogFault
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
  /** From which offset each broker was given records last. */
  private readonly given = new Map<number, Offset>()

  constructor(
    private readonly replica: ViewedReplica,
    private readonly log: PartitionLog,
    private readonly crc32c: Crc32c,
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
  /** For a fetch that waits, which counts bytes. */
  readonly read: ReadablePartition["read"] = (from, maxBytes) => this.log.read(from, maxBytes, this.log.end())
  /**
   * A replica that asks again for what it was given did not append it: it finds what a disk has changed, or the response was lost. The batches are
   * checked before they are sent again, since a scrub may read the segment days later.
   */
  readonly readBy: NonNullable<ReadablePartition["readBy"]> = (broker, from, maxBytes) => {
    const found = this.read(from, maxBytes)
    if (Either.isLeft(found)) return Either.left(this.replica.failed(found.left))
    if (found.right.length === 0) return found
    if (this.given.get(broker) !== from) {
      this.given.set(broker, from)
      return found
    }
    const fault = this.damageIn(found.right, from)
    return fault === undefined ? found : Either.left(this.replica.failed(fault))
  }
  readonly batchAtTime: ReadablePartition["batchAtTime"] = (timestamp, from) => this.replica.batchAtTime(timestamp, from)
  readonly onAdvance = (wake: () => void) => this.waiting.add(wake)
  readonly onCommitted = (note: () => void) => this.noting.add(note)

  /** Notes a fetch, or returns its error, or where the replica's log leaves this one. A partition with one replica has no followers. */
  readonly fetchedBy = (fetch: ReplicaFetch): KafkaError | DivergingEpoch | undefined => {
    const { replication } = this.replica
    return replication === undefined ? "UNKNOWN_LEADER_EPOCH" : replication.fetched(fetch)
  }

  private damageIn(views: ReadonlyArray<Uint8Array>, from: Offset): LogFault | undefined {
    const path = `${this.topic}-${this.partition}`
    for (const view of views) {
      const batches = readableBatches(view)
      if (Either.isLeft(batches)) return damage(path, from, batches.left.reason)
      for (const batch of batches.right) {
        const wrong = verify(batch, this.crc32c)
        if (wrong !== undefined) return damage(path, batch.baseOffset, wrong.reason)
      }
    }
    return undefined
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

const damage = (path: string, offset: Offset, why: string): LogFault =>
  new LogFault({
    path,
    reason: "corrupt",
    message: `The batch at offset ${offset} is damaged on this broker's disk: ${why} A follower could not take it. Another replica in sync leads now, if there is one; otherwise \`franz log verify\` shows all that is wrong, once the broker is stopped.`
  })
