import type { TopicView } from "../../metadata/view.ts"
import type { SyncRandom } from "../../runtime/random.ts"
import { partitionOfKey } from "./murmur2.ts"

/**
 * Chooses partitions as Kafka's Java producer does. A key is hashed, so that it keeps its partition as long as their
 * number stays. Messages without a key go to one partition until its batch is sent and then to another, so that batches
 * are large (KIP-480).
 */
export class Partitioner {
  private readonly sticky = new Map<string, number>()
  constructor(private readonly random: SyncRandom) {}

  choose(topic: TopicView, key: Uint8Array | null): number {
    if (key !== null) return partitionOfKey(key, topic.partitions.length)
    const sticky = this.sticky.get(topic.name)
    if (sticky !== undefined && sticky < topic.partitions.length) return sticky
    const chosen = this.draw(topic)
    this.sticky.set(topic.name, chosen)
    return chosen
  }

  /** The batch of this partition is closed: the next message without a key goes to another partition. */
  onBatchClosed(topic: string, partition: number): void {
    if (this.sticky.get(topic) === partition) this.sticky.delete(topic)
  }

  /** One of the partitions that have a leader, if any has, with equal probability. */
  private draw(topic: TopicView): number {
    const led = topic.partitions.filter(({ leader }) => leader >= 0)
    const among = led.length > 0 ? led : topic.partitions
    return among[this.random.below(among.length)]?.partition ?? 0
  }
}
