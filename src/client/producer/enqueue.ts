import { type Clock, Deferred, Effect, Exit, FiberId } from "effect"
import { type Client, ClusterClient } from "../cluster/client.ts"
import { BufferFull, type InvalidArgument, RequestTimedOut, UnknownPartition } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { TopicView } from "../metadata/view.ts"
import { monotonicMs } from "../runtime/monotonic.ts"
import type { BufferMemory } from "./accumulator/buffer-memory.ts"
import type { SendError } from "./accumulator/delivery.ts"
import { FifoLock } from "./accumulator/fifo-lock.ts"
import type { Partitioner } from "./accumulator/partitioner.ts"
import { ProducerConfig, type ProducerSettings } from "./accumulator/settings.ts"
import type { PreparedMessage } from "./message.ts"

const timedOut = (topic: string, timeoutMs: number): SendError =>
  new RequestTimedOut({
    what: `Sending to '${topic}'`,
    timeoutMs,
    reason: "the cluster did not describe the topic's partitions, or no buffer memory came free."
  })

interface Services {
  readonly client: Client
  readonly settings: ProducerSettings
  readonly clock: Clock.Clock
}

/**
 * Gets a partition and buffer memory for each message, before the sender takes it. The delivery report frees the
 * memory.
 *
 * Its services are plain references: nearly every message takes the path of `placeNow`, which starts no fiber. Measured
 * with 100-byte messages: 2.3 µs of processor time a message by `sendMessages`, 14 µs by `sendMessage`, which has a
 * fiber for each.
 */
export class Enqueuer {
  /** Where the messages of a topic wait: for its metadata, or for buffer memory. */
  private readonly locks = new Map<string, FifoLock>()
  /** The messages that wait, and their bytes: the buffer memory does not count them yet. */
  private readonly waiting = new Set<Deferred.Deferred<void>>()
  private waitingBytes = 0

  static readonly make = (memory: BufferMemory, partitioner: Partitioner) =>
    Effect.gen(function* () {
      const services: Services = { client: yield* ClusterClient, settings: yield* ProducerConfig, clock: yield* Effect.clock }
      return new Enqueuer(services, memory, partitioner)
    })

  private constructor(
    private readonly services: Services,
    private readonly memory: BufferMemory,
    private readonly partitioner: Partitioner
  ) {}

  /**
   * Returns the partition and takes the memory, where the message need not wait for either; undefined where it must.
   * InvalidArgument where the caller's partitioner chooses none.
   */
  placeNow({ now, partition, record, sizeBytes, topic }: PreparedMessage): number | InvalidArgument | undefined {
    // Behind the messages that wait, so that messages are stored in the order of the calls.
    if (this.locks.get(topic)?.isFree === false) return undefined
    const { client } = this.services
    const known = client.metadata.view().topics.get(topic)
    if (known === undefined || now - known.at >= client.options.metadataMaxAgeMs) return undefined
    if (partition !== undefined && known.partitions[partition] === undefined) return undefined
    if (!this.memory.tryAcquire(sizeBytes)) return undefined
    if (partition !== undefined) return partition
    const chosen = this.partitioner.choose(known, record)
    if (typeof chosen !== "number") this.memory.release(sizeBytes)
    return chosen
  }

  /**
   * As `placeNow`, but waits, in the order of the calls. `submit` hands the message over before the next one has its
   * turn. It gets the time of the call, ms: the wait counts towards `deliveryTimeoutMs`. BufferFull at once where the
   * messages that wait fill `waitingBytesMax`.
   */
  place<A>(message: PreparedMessage, submit: (partition: number, since: number) => A): Effect.Effect<A, SendError> {
    return Effect.suspend(() => {
      const { clock, settings } = this.services
      const { sizeBytes, topic } = message
      if (this.waitingBytes > 0 && this.waitingBytes + sizeBytes > settings.waitingBytesMax) {
        const { bufferBytesMax, waitingBytesMax } = settings
        return Effect.fail(new BufferFull({ bufferBytesMax, waitedMs: 0, waitingBytesMax }))
      }
      const since = monotonicMs(clock)
      const placed = Effect.timeoutFail(this.lockOf(topic).withLock(this.placeInTurn(message, since, submit)), {
        duration: settings.deliveryTimeoutMs,
        onTimeout: () => timedOut(topic, settings.deliveryTimeoutMs)
      })
      const ended = Deferred.unsafeMake<void>(FiberId.none)
      this.waiting.add(ended)
      this.waitingBytes += sizeBytes
      const leave = Effect.sync(() => {
        this.waiting.delete(ended)
        this.waitingBytes -= sizeBytes
        Deferred.unsafeDone(ended, Exit.void)
      })
      return Effect.ensuring(placed, leave)
    })
  }
  private placeInTurn<A>(message: PreparedMessage, since: number, submit: (partition: number, since: number) => A): Effect.Effect<A, SendError> {
    const { client, settings } = this.services
    return Effect.gen(this, function* () {
      const view = yield* client.metadata.topic(message.topic, settings.createTopics)
      const partition = yield* this.partitionOf(view, message)
      // The delivery report releases the memory, so an interruption must not come between the two steps.
      return yield* Effect.uninterruptibleMask((restore) => Effect.map(restore(this.memory.acquire(message.sizeBytes)), () => submit(partition, since)))
    })
  }

  /** Returns when every message that waits now has been handed over, or has failed. */
  readonly placed: Effect.Effect<void> = Effect.suspend(() => Effect.forEach([...this.waiting], Deferred.await, { discard: true }))

  private lockOf(topic: string): FifoLock {
    const lock = this.locks.get(topic) ?? new FifoLock()
    this.locks.set(topic, lock)
    return lock
  }

  /** A partition that the caller named may be new: the topic's metadata is requested once more before it is refused. */
  private partitionOf(view: TopicView, { partition, record }: PreparedMessage): Effect.Effect<number, TopicError | UnknownPartition | InvalidArgument> {
    if (partition === undefined) {
      return Effect.suspend(() => {
        const chosen = this.partitioner.choose(view, record)
        return typeof chosen === "number" ? Effect.succeed(chosen) : Effect.fail(chosen)
      })
    }
    const within = ({ partitions }: TopicView): boolean => partition >= 0 && partition < partitions.length
    if (within(view)) return Effect.succeed(partition)
    return Effect.flatMap(this.services.client.metadata.freshTopic(view.name), (fresh) =>
      within(fresh) ? Effect.succeed(partition) : Effect.fail(new UnknownPartition({ topic: view.name, partition, partitions: fresh.partitions.length }))
    )
  }
}
