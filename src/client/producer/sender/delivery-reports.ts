import { Effect } from "effect"
import type { Client } from "../../cluster/client.ts"
import { InvalidArgument, OutcomeUnknown, RequestTimedOut, UnknownPartition, UnknownTopic } from "../../error.ts"
import type { OutgoingBatch, Waiting } from "../accumulator/batch.ts"
import type { SendError } from "../accumulator/delivery.ts"
import type { PartitionQueue } from "../accumulator/partition-queue.ts"

/** Tells those who wait what became of their messages, each exactly once, and knows which batches are still open. */
export class Settlements {
  private readonly open = new Set<OutgoingBatch>()
  constructor(private readonly release: (bytes: number) => void) {}

  expect(batch: OutgoingBatch): void {
    this.open.add(batch)
  }

  /** Returns when all that are open now are settled. */
  readonly all: Effect.Effect<void> = Effect.async<void>((resume) => {
    let left = this.open.size
    if (left === 0) return resume(Effect.void)
    const one = () => {
      left -= 1
      if (left === 0) resume(Effect.void)
    }
    for (const batch of this.open) batch.settled.push(one)
  })

  /** Stored from `baseOffset` on. `logAppendTime`: the broker's time, -1 where the producer's stands. */
  stored(queue: PartitionQueue, batch: OutgoingBatch, baseOffset: number, logAppendTime: number): void {
    queue.confirm(batch)
    const { partition, topic } = queue
    for (const [index, { record, resume }] of batch.waiting.entries())
      resume(
        Effect.succeed({
          topic,
          partition,
          offset: baseOffset < 0 ? -1 : baseOffset + index,
          timestamp: logAppendTime >= 0 ? logAppendTime : record.timestamp
        })
      )
    this.done(batch)
  }

  /** Given up: nothing of it is stored, unless an attempt is in doubt. */
  giveUp(queue: PartitionQueue, batch: OutgoingBatch, error: SendError): void {
    if (batch.maybeStored) return this.lose(queue, batch, error.message)
    queue.drop(batch)
    this.fail(batch, error)
  }

  /** Stored, and nobody says where: not a success, since a success has an offset (L4). */
  misplaced(queue: PartitionQueue, batch: OutgoingBatch, reason: string): void {
    queue.confirm(batch)
    this.fail(batch, new OutcomeUnknown({ topic: queue.topic, partition: queue.partition, reason }))
  }

  /** Given up, and nobody knows whether it is stored. */
  lose(queue: PartitionQueue, batch: OutgoingBatch, reason: string): void {
    batch.maybeStored = true
    queue.drop(batch)
    this.fail(batch, new OutcomeUnknown({ topic: queue.topic, partition: queue.partition, reason }))
  }

  /** Gives up what was not delivered in time, and what waits for a topic that is gone. */
  giveUpLate(queue: PartitionQueue, now: number, { metadata, options }: Client): void {
    const view = metadata.view().topics.get(queue.topic)
    const partitions = view?.partitions.length ?? 0
    for (const batch of [...queue.batches]) {
      const gone = now - batch.createdAt > options.unknownTopicTimeoutMs && metadata.view().topicErrors.get(queue.topic) === "UNKNOWN_TOPIC_OR_PARTITION"
      if (gone) this.giveUp(queue, batch, new UnknownTopic({ topic: queue.topic }))
      // A topic that was made again may have fewer partitions.
      else if (partitions > 0 && queue.partition >= partitions && now - batch.createdAt > options.unknownTopicTimeoutMs)
        this.giveUp(queue, batch, new UnknownPartition({ topic: queue.topic, partition: queue.partition, partitions }))
      else if (now >= batch.deadline) this.giveUp(queue, batch, batch.lastError ?? late(queue, batch))
    }
  }

  /** Messages whose bytes changed under the client's hands. The batch is done with when it held no others. */
  spoilt(queue: PartitionQueue, batch: OutgoingBatch, waiting: ReadonlyArray<Waiting>): void {
    const field = `a message to ${queue.topic}-${queue.partition}`
    const error = new InvalidArgument({
      call: "sendMessage",
      field,
      given: "changed after the call",
      allowed: "bytes whose buffer stays as it is until the message has its answer"
    })
    for (const one of waiting) this.refuse(one, error)
    if (batch.waiting.length > 0) return
    queue.drop(batch)
    this.done(batch)
  }

  /** Gives up what is on its way and not answered in time: the broker may have it or not. */
  expire(queue: PartitionQueue, now: number): void {
    for (const batch of [...queue.inFlight])
      if (now >= batch.deadline) this.lose(queue, batch, `the broker did not answer within deliveryTimeoutMs=${batch.deadline - batch.createdAt}.`)
  }

  refuse({ resume, sizeBytes }: Waiting, error: SendError): void {
    this.release(sizeBytes)
    resume(Effect.fail(error))
  }

  /** Two halves stand for a batch that was split. */
  replace(batch: OutgoingBatch, halves: ReadonlyArray<OutgoingBatch>): void {
    this.open.delete(batch)
    let left = halves.length
    for (const half of halves) {
      this.open.add(half)
      half.settled.push(() => {
        left -= 1
        if (left === 0) for (const tell of batch.settled) tell()
      })
    }
  }

  private fail(batch: OutgoingBatch, error: SendError): void {
    for (const { resume } of batch.waiting) resume(Effect.fail(error))
    this.done(batch)
  }
  private done(batch: OutgoingBatch): void {
    this.open.delete(batch)
    let bytes = 0
    for (const { sizeBytes } of batch.waiting) bytes += sizeBytes
    this.release(bytes)
    for (const tell of batch.settled) tell()
  }
}

const late = ({ partition, topic }: PartitionQueue, { createdAt, deadline }: OutgoingBatch): SendError =>
  new RequestTimedOut({ what: `Sending to ${topic}-${partition}`, timeoutMs: deadline - createdAt, reason: "the messages before it were not answered." })
