import { type Clock, Effect, Either } from "effect"
import { type Client, ClusterClient } from "../cluster/client.ts"
import { BufferFull, Closed, type InvalidArgument, RequestTimedOut, UnknownPartition } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { TopicView } from "../metadata/view.ts"
import { BackgroundFibers } from "../runtime/background-fibers.ts"
import { DeadlineTimer } from "../runtime/deadline-timer.ts"
import { monotonicMs } from "../runtime/monotonic.ts"
import { defectOf, reportDefect } from "../runtime/supervision.ts"
import type { BufferMemory } from "./accumulator/buffer-memory.ts"
import type { SendError } from "./accumulator/delivery.ts"
import type { Partitioner } from "./accumulator/partitioner.ts"
import { ProducerConfig, type ProducerSettings } from "./accumulator/settings.ts"
import { type WaitingMessage, WaitingMessages } from "./accumulator/waiting-messages.ts"
import type { PreparedMessage } from "./message.ts"

const part = "placement of messages"
/** Messages that one fiber places between two yields to others. */
const messagesPerTurn = 256

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
  readonly fibers: BackgroundFibers["Type"]
}

/**
 * Gets a partition and buffer memory for each message, before the sender takes it. The delivery report frees the
 * memory.
 *
 * Its services are plain references: nearly every message takes the path of `placeNow`, which starts no fiber. The
 * messages of a topic that must wait share one fiber, and all messages that wait share one timer.
 */
export class Enqueuer {
  /** The messages that wait, by topic. A topic is here only while messages of it wait. */
  private readonly topics = new Map<string, WaitingMessages>()
  /** The bytes of the messages that wait: the buffer memory does not count them yet. */
  private waitingBytes = 0
  private readonly timer: DeadlineTimer
  private closed = false

  static readonly make = (memory: BufferMemory, partitioner: Partitioner) =>
    Effect.gen(function* () {
      const services: Services = {
        client: yield* ClusterClient,
        settings: yield* ProducerConfig,
        clock: yield* Effect.clock,
        fibers: yield* BackgroundFibers
      }
      return new Enqueuer(services, memory, partitioner)
    })

  private constructor(
    private readonly services: Services,
    private readonly memory: BufferMemory,
    private readonly partitioner: Partitioner
  ) {
    this.timer = new DeadlineTimer(services.clock, services.fibers, "producer's expiry of messages that wait", (now) => this.expire(now))
  }

  /**
   * Returns the partition and takes the memory, where the message need not wait for either; undefined where it must.
   * InvalidArgument where the caller's partitioner chooses none.
   */
  placeNow(message: PreparedMessage): number | InvalidArgument | undefined {
    const { now, partition, sizeBytes, topic } = message
    // Behind the messages that wait, so that messages are stored in the order of the calls.
    if (this.topics.size > 0 && this.topics.has(topic)) return undefined
    const known = this.freshView(topic, now)
    if (known === undefined) return undefined
    if (partition !== undefined && known.partitions[partition] === undefined) return undefined
    if (!this.memory.tryAcquire(sizeBytes)) return undefined
    if (partition !== undefined) return partition
    const chosen = this.partitioner.choose(known, message)
    if (typeof chosen !== "number") this.memory.release(sizeBytes)
    return chosen
  }
  private freshView(topic: string, now: number): TopicView | undefined {
    const { metadata, options } = this.services.client
    const known = metadata.view().topics.get(topic)
    return known === undefined || now - known.at >= options.metadataMaxAgeMs ? undefined : known
  }

  /**
   * As `placeNow`, but waits, in the order of the calls. `submit` gets the time of the call, ms: the wait counts towards
   * `deliveryTimeoutMs`. BufferFull at once where the messages that wait fill `waitingBytesMax`. Returns how the caller
   * withdraws a message that still waits.
   */
  place(message: PreparedMessage, submit: WaitingMessage["submit"], refuse: WaitingMessage["refuse"]): () => void {
    const { bufferBytesMax, deliveryTimeoutMs, waitingBytesMax } = this.services.settings
    const { sizeBytes, topic } = message
    if (this.closed) refuse(new Closed({ what: "producer" }))
    else if (this.waitingBytes > 0 && this.waitingBytes + sizeBytes > waitingBytesMax) refuse(new BufferFull({ bufferBytesMax, waitedMs: 0, waitingBytesMax }))
    else {
      const waiting = this.topics.get(topic) ?? this.addTopic(topic)
      const entry = waiting.add({ message, since: monotonicMs(this.services.clock), submit, refuse })
      this.waitingBytes += sizeBytes
      this.timer.watch(entry.since + deliveryTimeoutMs)
      if (!waiting.isPlacing) this.start(waiting)
      return () => void waiting.remove(entry)
    }
    return () => {}
  }
  private addTopic(topic: string): WaitingMessages {
    const waiting = new WaitingMessages(topic, ({ message }) => {
      this.waitingBytes -= message.sizeBytes
    })
    this.topics.set(topic, waiting)
    return waiting
  }

  /** Returns when every message that waits now has been handed over, or has failed. */
  readonly placed: Effect.Effect<void> = Effect.async<void>((resume) => {
    let left = 0
    const gone = () => {
      left -= 1
      if (left === 0) resume(Effect.void)
    }
    for (const { all } of this.topics.values())
      for (const { onGone } of all) {
        left += 1
        onGone.push(gone)
      }
    if (left === 0) resume(Effect.void)
  })

  /** Fails the messages that wait, and takes no more. */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    this.closed = true
    for (const waiting of this.topics.values()) waiting.refuse(new Closed({ what: "producer" }), waiting.nextOrder)
  })

  /** Gives up the messages that have passed their deadline. Returns the next deadline, ms. */
  private expire(now: number): number {
    const { bufferBytesMax, bufferTimeoutMs, deliveryTimeoutMs } = this.services.settings
    let next = Number.POSITIVE_INFINITY
    for (const waiting of this.topics.values()) {
      for (let first = waiting.first; first !== undefined; first = waiting.first) {
        const isForMemory = waiting.endMemoryWait !== undefined && bufferTimeoutMs < deliveryTimeoutMs
        const timeoutMs = isForMemory ? bufferTimeoutMs : deliveryTimeoutMs
        if (now < first.since + timeoutMs) {
          next = Math.min(next, first.since + timeoutMs)
          break
        }
        const error = isForMemory ? new BufferFull({ bufferBytesMax, waitedMs: bufferTimeoutMs }) : timedOut(waiting.topic, deliveryTimeoutMs)
        // The messages that came in the same turn end by the same error: thousands may.
        for (let late: WaitingMessage | undefined = first; late !== undefined && now >= late.since + timeoutMs; late = waiting.first) {
          waiting.remove(late)
          late.refuse(error)
        }
      }
    }
    return next
  }

  /** Places the messages of a topic in a fiber of their own, until none waits. */
  private start(waiting: WaitingMessages): void {
    waiting.isPlacing = true
    const failed = (defect: unknown) => {
      waiting.refuse(defectOf(part, defect), waiting.nextOrder)
      return reportDefect(part, defect)
    }
    const end = Effect.sync(() => {
      waiting.isPlacing = false
      if (waiting.isEmpty) this.topics.delete(waiting.topic)
      else if (!this.closed) this.start(waiting)
    })
    this.services.fibers.run(Effect.ensuring(Effect.catchAllDefect(this.placeAll(waiting), failed), end))
  }

  private placeAll(waiting: WaitingMessages): Effect.Effect<void> {
    const { client, clock, settings } = this.services
    return Effect.gen(this, function* () {
      let placed = 0
      for (let next = waiting.first; next !== undefined; next = waiting.first) {
        placed += 1
        if (placed % messagesPerTurn === 0) yield* Effect.yieldNow()
        let view = this.freshView(waiting.topic, clock.unsafeCurrentTimeMillis())
        if (view === undefined) {
          const { nextOrder } = waiting
          const found = yield* Effect.either(client.metadata.topic(waiting.topic, settings.createTopics))
          if (Either.isLeft(found)) {
            // Those that came during the lookup have one of their own.
            waiting.refuse(found.left, nextOrder)
            continue
          }
          view = found.right
        }
        if (!waiting.has(next)) continue
        const partition = yield* Effect.either(this.partitionOf(view, next.message))
        if (!waiting.has(next)) continue
        if (Either.isLeft(partition)) {
          waiting.remove(next)
          next.refuse(partition.left)
        } else yield* this.handOver(waiting, next, partition.right)
      }
    })
  }

  /** Takes the memory and submits, in one turn. Returns when the message waits no longer. */
  private handOver(waiting: WaitingMessages, entry: WaitingMessage, partition: number): Effect.Effect<void> {
    const { sizeBytes } = entry.message
    const submit = () => {
      waiting.endMemoryWait = undefined
      waiting.remove(entry)
      entry.submit(partition, entry.since)
    }
    if (this.memory.tryAcquire(sizeBytes)) return Effect.sync(submit)
    return Effect.async<void>((resume) => {
      const giveUp = this.memory.request(sizeBytes, () => {
        submit()
        resume(Effect.void)
      })
      const end = () => {
        waiting.endMemoryWait = undefined
        giveUp()
      }
      waiting.endMemoryWait = () => {
        end()
        resume(Effect.void)
      }
      this.timer.watch(entry.since + this.services.settings.bufferTimeoutMs)
      return Effect.sync(end)
    })
  }

  /** A partition that the caller named may be new: the topic's metadata is requested once more before it is refused. */
  private partitionOf(view: TopicView, message: PreparedMessage): Effect.Effect<number, TopicError | UnknownPartition | InvalidArgument> {
    const { partition } = message
    if (partition === undefined) {
      return Effect.suspend(() => {
        const chosen = this.partitioner.choose(view, message)
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
