import { Effect } from "effect"
import type { Client } from "../../cluster/client.ts"
import { InvalidArgument, OutcomeUnknown, RequestTimedOut, UnknownPartition, UnknownTopic } from "../../error.ts"
import type { PendingRecord, ProduceBatch } from "../accumulator/batch.ts"
import type { BufferMemory } from "../accumulator/buffer-memory.ts"
import type { SendError } from "../accumulator/delivery.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"

/**
 * Delivers exactly one report for each message, frees its buffer memory, and knows which batches have no report yet.
 */
export class DeliveryReports {
  private readonly open = new Set<ProduceBatch>()
  constructor(private readonly memory: BufferMemory) {}

  expect(batch: ProduceBatch): void {
    this.open.add(batch)
  }

  /** Returns when all batches that are open now have their reports. */
  readonly delivered: Effect.Effect<void> = Effect.async<void>((resume) => {
    let left = this.open.size
    if (left === 0) return resume(Effect.void)
    const one = () => {
      left -= 1
      if (left === 0) resume(Effect.void)
    }
    for (const batch of this.open) batch.onSettled.push(one)
  })

  /**
   * The batch is stored from `baseOffset` on. `logAppendTime`: the broker's timestamp, -1 where the producer's holds.
   */
  stored(queue: PartitionQueue, batch: ProduceBatch, baseOffset: number, logAppendTime: number): void {
    queue.confirm(batch)
    const { partition, topic } = queue
    for (const [index, { record, resume }] of batch.records.entries())
      resume(
        Effect.succeed({
          topic,
          partition,
          offset: baseOffset < 0 ? -1 : baseOffset + index,
          timestamp: logAppendTime >= 0 ? logAppendTime : record.timestamp
        })
      )
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

  /**
   * Gives up the batches that have passed their deadline, and those whose topic or partition the cluster does not have.
   */
  giveUpLate(queue: PartitionQueue, now: number, { metadata, options }: Client): void {
    const view = metadata.view().topics.get(queue.topic)
    const partitions = view?.partitions.length ?? 0
    for (const batch of [...queue.batches]) {
      const waitedMs = now - batch.createdAt
      const isTopicGone = waitedMs > options.unknownTopicTimeoutMs && metadata.view().topicErrors.get(queue.topic) === "UNKNOWN_TOPIC_OR_PARTITION"
      if (isTopicGone) this.giveUp(queue, batch, new UnknownTopic({ topic: queue.topic }))
      // A topic that was deleted and created again may have fewer partitions.
      else if (partitions > 0 && queue.partition >= partitions && waitedMs > options.unknownTopicTimeoutMs)
        this.giveUp(queue, batch, new UnknownPartition({ topic: queue.topic, partition: queue.partition, partitions }))
      else if (now >= batch.deadline) this.giveUp(queue, batch, batch.lastError ?? unsent(queue, batch))
    }
  }

  /** Gives up the batches in flight that have passed their deadline: the broker may have stored them. */
  expire(queue: PartitionQueue, now: number): void {
    for (const batch of [...queue.inFlight])
      if (now >= batch.deadline) this.giveUpUnknown(queue, batch, `the broker did not respond within deliveryTimeoutMs=${batch.deadline - batch.createdAt}.`)
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
  refuse({ resume, sizeBytes }: PendingRecord, error: SendError): void {
    this.memory.release(sizeBytes)
    resume(Effect.fail(error))
  }

  /** A batch was split: it is settled when both halves are. */
  replace(batch: ProduceBatch, halves: ReadonlyArray<ProduceBatch>): void {
    this.open.delete(batch)
    let left = halves.length
    for (const half of halves) {
      this.open.add(half)
      half.onSettled.push(() => {
        left -= 1
        if (left === 0) for (const listener of batch.onSettled) listener()
      })
    }
  }

  private fail(batch: ProduceBatch, error: SendError): void {
    for (const { resume } of batch.records) resume(Effect.fail(error))
    this.settle(batch)
  }
  private settle(batch: ProduceBatch): void {
    this.open.delete(batch)
    let bytes = 0
    for (const { sizeBytes } of batch.records) bytes += sizeBytes
    this.memory.release(bytes)
    for (const listener of batch.onSettled) listener()
  }
}

const unsent = ({ partition, topic }: PartitionQueue, { createdAt, deadline }: ProduceBatch): SendError =>
  new RequestTimedOut({ what: `Sending to ${topic}-${partition}`, timeoutMs: deadline - createdAt, reason: "the batches before it had no response." })
