import type { RecordHeader, RecordToWrite } from "../../../../domain/log/record.ts"
import { shown } from "../../argument/guard.ts"
import { InvalidArgument } from "../../error.ts"
import type { TopicView } from "../../metadata/view.ts"
import type { SyncRandom } from "../../runtime/random.ts"
import { partitionOfKey } from "./murmur2.ts"

/** What a custom partitioner knows of a message. The bytes are those that are sent: a partitioner must not change them. */
export interface PartitionerInput {
  readonly topic: string
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<RecordHeader>
  /** The number of the topic's partitions, whose indexes count from 0. */
  readonly partitions: number
  /** The indexes of the partitions that have a leader, in their order; all indexes where none has one. */
  readonly available: ReadonlyArray<number>
}
/**
 * Returns the partition of a message, from 0 to `partitions - 1`, or undefined for the one that the default partitioner
 * chooses. It is called once for each message that names no partition, and must not wait. InvalidArgument, for that
 * message alone, where it throws or returns another value.
 */
export type CustomPartitioner = (message: PartitionerInput) => number | undefined

const noHeaders: ReadonlyArray<RecordHeader> = []

const unusable = (given: string, partitions: number): InvalidArgument =>
  new InvalidArgument({ call: "options.partitioner", field: "the result", given, allowed: `a whole number from 0 to ${partitions - 1}, or undefined` })

/**
 * Chooses partitions as Kafka's Java producer does. A key is hashed, so that it keeps its partition as long as their
 * number stays. Messages without a key go to one partition until its batch is sent and then to another, so that batches
 * are large (KIP-480). A custom partitioner of the caller is asked first.
 */
export class Partitioner {
  private readonly sticky = new Map<string, number>()
  private readonly availableOf = new WeakMap<TopicView, ReadonlyArray<number>>()
  constructor(
    private readonly random: SyncRandom,
    private readonly custom?: CustomPartitioner
  ) {}

  choose(topic: TopicView, record: RecordToWrite): number | InvalidArgument {
    return this.custom === undefined ? this.byDefault(topic, record.key) : this.byCustom(this.custom, topic, record)
  }

  private byDefault(topic: TopicView, key: Uint8Array | null): number {
    if (key !== null) return partitionOfKey(key, topic.partitions.length)
    const sticky = this.sticky.get(topic.name)
    if (sticky !== undefined && sticky < topic.partitions.length) return sticky
    const chosen = this.draw(topic)
    this.sticky.set(topic.name, chosen)
    return chosen
  }
  private byCustom(custom: CustomPartitioner, topic: TopicView, { headers = noHeaders, key, value }: RecordToWrite): number | InvalidArgument {
    const partitions = topic.partitions.length
    try {
      const chosen: unknown = custom({ topic: topic.name, key, value, headers, partitions, available: this.available(topic) })
      if (chosen === undefined) return this.byDefault(topic, key)
      return Number.isInteger(chosen) && (chosen as number) >= 0 && (chosen as number) < partitions ? (chosen as number) : unusable(shown(chosen), partitions)
    } catch (cause) {
      return unusable(`an exception (${shown(cause instanceof Error ? cause.message : cause)})`, partitions)
    }
  }

  /** The batch of this partition is closed: the next message without a key goes to another partition. */
  onBatchClosed(topic: string, partition: number): void {
    if (this.sticky.get(topic) === partition) this.sticky.delete(topic)
  }

  /** One of the available partitions, with equal probability. */
  private draw(topic: TopicView): number {
    const among = this.available(topic)
    return among[this.random.below(among.length)] ?? 0
  }
  private available(topic: TopicView): ReadonlyArray<number> {
    const known = this.availableOf.get(topic)
    if (known !== undefined) return known
    const led = topic.partitions.filter(({ leader }) => leader >= 0)
    const available = (led.length > 0 ? led : topic.partitions).map(({ partition }) => partition)
    this.availableOf.set(topic, available)
    return available
  }
}
