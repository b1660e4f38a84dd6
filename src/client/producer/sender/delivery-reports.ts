import { type Clock, Effect } from "effect"
import type { Client } from "../../cluster/client.ts"
import { InvalidArgument, OutcomeUnknown, RequestTimedOut, UnknownPartition, UnknownTopic } from "../../error.ts"
import type { BackgroundFibers } from "../../runtime/background-fibers.ts"
import { DeadlineTimer } from "../../runtime/deadline-timer.ts"
import type { PendingRecord, ProduceBatch } from "../accumulator/batch.ts"
import type { BufferMemory } from "../accumulator/buffer-memory.ts"
import type { SendError } from "../accumulator/delivery.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"
import type { ProducerSettings } from "../accumulator/settings.ts"

interface Services {
  readonly clock: Clock.Clock
  readonly fibers: BackgroundFibers["Type"]
  readonly settings: Pick<ProducerSettings, "deliveryTimeoutMs">
}

/**
 * Delivers exactly one report for each message, frees its buffer memory, and knows which batches have no report yet.
 *
 * It gives every batch up at its deadline by a timer of its own: `deliveryTimeoutMs` holds also while the sender's fiber
 * starts again after a defect, a request is in flight, or a connection is being opened.
 */
export class DeliveryReports {
  private readonly deliveryTimeoutMs: number
  private readonly open = new Map<ProduceBatch, PartitionQueue>()
  private readonly timer: DeadlineTimer
  /** `onExpired` gets each partition of which a batch was given up at its deadline. */
  constructor(
    private readonly memory: BufferMemory,
    { clock, fibers, settings }: Services,
    private readonly onExpired: (queue: PartitionQueue) => void
  ) {
    this.deliveryTimeoutMs = settings.deliveryTimeoutMs
    this.timer = new DeadlineTimer(clock, fibers, "producer's expiry", (now) => this.expire(now))
  }

  /** The batch gets its reports at its deadline at the latest. Called again where the deadline comes nearer. */
  expect(queue: PartitionQueue, batch: ProduceBatch): void {
    this.open.set(batch, queue)
    this.timer.watch(batch.deadline)
  }

  /** Returns when all batches that are open now have their reports. */
  readonly delivered: Effect.Effect<void> = Effect.async<void>((resume) => {
    let left = this.open.size
    if (left === 0) return resume(Effect.void)
    const one = () => {
      left -= 1
      if (left === 0) resume(Effect.void)
    }
    for (const batch of this.open.keys()) batch.onSettled.push(one)
  })

  /**
   * The batch is stored from `baseOffset` on. `logAppendTime`: the broker's timestamp, -1 where the producer's holds.
   */
  stored(queue: PartitionQueue, batch: ProduceBatch, baseOffset: number, logAppendTime: number): void {
    queue.confirm(batch)
    const { partition, topic } = queue
    for (let index = 0; index < batch.records.length; index++) {
      const record = batch.records[index] as PendingRecord
      const offset = baseOffset < 0 ? -1 : baseOffset + index
      record.listener.stored(record.index, { topic, partition, offset, timestamp: logAppendTime >= 0 ? logAppendTime : record.timestamp })
    }
    this.settle(batch)
  }

  /** Gives the batch up. It is not stored, unless an attempt ended without a response. */
  giveUp(queue: PartitionQueue, batch: ProduceBatch, error: SendError): void {
    if (batch.maybeStored) return this.giveUpUnknown(queue, batch, error.message)
    queue.drop(batch)
    this.fail(batch, error)
  }

  /** The batch is stored at an unknown offset. That is no success, since a success has an offset (L4). */
  storedWithoutOffset(queue: PartitionQueue, batch: ProduceBatch, reason: string): void {
    queue.confirm(batch)
    this.fail(batch, new OutcomeUnknown({ topic: queue.topic, partition: queue.partition, reason }))
  }

  /** Gives the batch up; whether it is stored is not known. */
  giveUpUnknown(queue: PartitionQueue, batch: ProduceBatch, reason: string): void {
    batch.maybeStored = true
    queue.drop(batch)
    this.fail(batch, new OutcomeUnknown({ topic: queue.topic, partition: queue.partition, reason }))
  }

  /** Gives up the batches whose topic or partition the cluster does not have. */
  giveUpGone(queue: PartitionQueue, now: number, { metadata, options }: Client): void {
    const view = metadata.view().topics.get(queue.topic)
    const partitions = view?.partitions.length ?? 0
    const isPartitionGone = partitions > 0 && queue.partition >= partitions
    if (!isPartitionGone && metadata.view().topicErrors.get(queue.topic) !== "UNKNOWN_TOPIC_OR_PARTITION") return
    for (const batch of [...queue.batches]) {
      if (now - batch.createdAt <= options.unknownTopicTimeoutMs) continue
      // A topic that was deleted and created again may have fewer partitions.
      const { partition, topic } = queue
      this.giveUp(queue, batch, isPartitionGone ? new UnknownPartition({ topic, partition, partitions }) : new UnknownTopic({ topic }))
    }
  }

  /** Gives up the batches that have passed their deadline. Returns the next deadline, ms. */
  private expire(now: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const [batch, queue] of [...this.open]) {
      if (now < batch.deadline) {
        next = Math.min(next, batch.deadline)
        continue
      }
      // The broker may have stored what is in flight.
      if (queue.inFlight.includes(batch)) this.giveUpUnknown(queue, batch, `the broker did not respond within deliveryTimeoutMs=${this.deliveryTimeoutMs}.`)
      else this.giveUp(queue, batch, batch.lastError ?? this.unsent(queue))
      this.onExpired(queue)
    }
    return next
  }

  /** The batch was never sent. It may be younger than its messages, which waited for their turn before. */
  private unsent({ inFlight, partition, topic }: PartitionQueue): SendError {
    const reason =
      inFlight.length > 0 ? "the batches before it had no response." : "it was not its turn before that. The client or the machine may be overloaded."
    return new RequestTimedOut({ what: `Sending to ${topic}-${partition}`, timeoutMs: this.deliveryTimeoutMs, reason })
  }

  /** Refuses messages whose bytes changed after the call. A batch that held no others is settled. */
  refuseChanged(queue: PartitionQueue, batch: ProduceBatch, changed: ReadonlyArray<PendingRecord>): void {
    const error = new InvalidArgument({
      call: "sendMessage",
      field: `a message to ${queue.topic}-${queue.partition}`,
      given: "changed after the call",
      allowed: "bytes whose buffer stays unchanged until the message has its delivery report"
    })
    for (const pending of changed) this.refuse(pending, error)
    if (batch.records.length > 0) return
    queue.drop(batch)
    this.settle(batch)
  }

  /** Fails one message that is in no batch, or was removed from its batch. */
  refuse({ index, listener, sizeBytes }: PendingRecord, error: SendError): void {
    this.memory.release(sizeBytes)
    listener.failed(index, error)
  }

  /** A batch was split: it is settled when both halves are. */
  replace(queue: PartitionQueue, batch: ProduceBatch, halves: ReadonlyArray<ProduceBatch>): void {
    this.open.delete(batch)
    let left = halves.length
    for (const half of halves) {
      this.expect(queue, half)
      half.onSettled.push(() => {
        left -= 1
        if (left === 0) for (const listener of batch.onSettled) listener()
      })
    }
  }

  private fail(batch: ProduceBatch, error: SendError): void {
    for (const { index, listener } of batch.records) listener.failed(index, error)
    this.settle(batch)
  }
  private settle(batch: ProduceBatch): void {
    this.open.delete(batch)
    this.memory.release(batch.heldBytes)
    for (const listener of batch.onSettled) listener()
  }
}
