import type { TopicView } from "../../metadata/view.ts"
import type { Dice } from "../../runtime/dice.ts"
import { partitionOfKey } from "./murmur2.ts"

/**
 * Chooses partitions as Kafka's Java producer does: by the key's hash, so that a key keeps its partition as long as their number stands; and without a key one partition
 * until its batch is sent, then another, so that batches are large (KIP-480).
 */
export class Partitioner {
  private readonly sticky = new Map<string, number>()
  constructor(private readonly dice: Dice) {}

  choose(topic: TopicView, key: Uint8Array | null): number {
    if (key !== null) return partitionOfKey(key, topic.partitions.length)
    const held = this.sticky.get(topic.name)
    if (held !== undefined && held < topic.partitions.length) return held
    const chosen = this.draw(topic)
    this.sticky.set(topic.name, chosen)
    return chosen
  }

  /** The batch of this partition takes no more: the next record without a key goes elsewhere. */
  moveOn(topic: string, partition: number): void {
    if (this.sticky.get(topic) === partition) this.sticky.delete(topic)
  }

  /** A partition that has a leader, if any has; all are equally likely. */
  private draw(topic: TopicView): number {
    const led = topic.partitions.filter(({ leader }) => leader >= 0)
    const among = led.length > 0 ? led : topic.partitions
    return among[this.dice.below(among.length)]?.partition ?? 0
  }
}
