import { type Clock, Effect } from "effect"
import { type Client, ClusterClient } from "../../cluster/client.ts"
import { type ClientDefect, Closed, isRefusedConnection, NoLeader } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { BackgroundFibers } from "../../runtime/background-fibers.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { retryDelayMs } from "../../runtime/retry.ts"
import { Signal } from "../../runtime/signal.ts"
import { supervised, within } from "../../runtime/supervision.ts"
import type { PendingRecord, ProduceBatch } from "../accumulator/batch.ts"
import type { BufferMemory } from "../accumulator/buffer-memory.ts"
import { PartitionQueue } from "../accumulator/partition-queue.ts"
import type { Partitioner } from "../accumulator/partitioner.ts"
import { ProducerConfig, type ProducerSettings } from "../accumulator/settings.ts"
import { DeliveryReports } from "./delivery-reports.ts"
import { InFlightRequests } from "./in-flight-requests.ts"
import type { InFlightBatch } from "./produce-request.ts"
import { ReadyNodes } from "./ready-nodes.ts"

/** Bytes of the batches in one request. A larger batch is sent alone. */
const requestBytesMax = 1024 * 1024
const never = Number.POSITIVE_INFINITY

/** A request that takes batches until it is sent. */
interface OpenRequest {
  readonly node: NodeView
  readonly batches: Array<InFlightBatch>
  bytes: number
}

interface Services {
  readonly client: Client
  readonly settings: ProducerSettings
  readonly clock: Clock.Clock
  readonly fibers: BackgroundFibers["Type"]
}

/**
 * Sends batches to the leaders of their partitions. One fiber decides what is sent next. Each request is a fiber of its
 * own, started in the order of its batches, on the one connection to its node: so the batches of a partition arrive in
 * their order.
 *
 * Services are plain references here, and not looked up by each call: `submit` runs for every message, and looking its
 * services up would make a fiber for each.
 */
export class Sender {
  /** By topic and partition. */
  private readonly queues = new Map<string, Array<PartitionQueue>>()
  /** Queues that have batches to send, in the order of their turn. */
  private readonly active = new Set<PartitionQueue>()
  private readonly inFlightByNode = new Map<number, number>()
  private flushing = 0
  private closed = false
  private readonly signal = new Signal()
  private readonly reports: DeliveryReports
  // Both are made by `make` before any call, and call back into the sender.
  private nodes!: ReadyNodes
  private requests!: InFlightRequests

  /**
   * Makes the sender. Its fiber is `run`, which the caller starts. `placed` returns when the messages that wait for
   * buffer memory have been submitted.
   */
  static readonly make = (memory: BufferMemory, partitioner: Partitioner, placed: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const services: Services = {
        client: yield* ClusterClient,
        settings: yield* ProducerConfig,
        clock: yield* Effect.clock,
        fibers: yield* BackgroundFibers
      }
      const sender = new Sender(services, memory, partitioner, placed)
      sender.nodes = yield* ReadyNodes.make({
        onReady: () => sender.signal.notify(),
        onUnreachable: (node, error) => sender.onUnreachable(node, error),
        onNoProducerId: (error) => {
          for (const queue of sender.active) for (const batch of [...queue.batches]) sender.reports.giveUp(queue, batch, error)
        }
      })
      sender.requests = yield* InFlightRequests.make(sender.reports, sender.nodes, (node, batches) => sender.onRequestEnded(node, batches))
      return sender
    })

  private constructor(
    private readonly services: Services,
    memory: BufferMemory,
    private readonly partitioner: Partitioner,
    private readonly placed: Effect.Effect<void>
  ) {
    this.reports = new DeliveryReports(memory, services, (queue) => this.onExpired(queue))
  }

  private onUnreachable(node: NodeView, error: NonNullable<ProduceBatch["lastError"]>): void {
    for (const queue of this.active) {
      if (this.nodes.leaderOf(queue)?.id !== node.id) continue
      this.nodes.markStale(queue.topic)
      for (const batch of queue.batches) batch.lastError = error
      // No later attempt can succeed with the same credentials, as at Kafka's producer.
      if (isRefusedConnection(error)) for (const batch of [...queue.batches]) this.reports.giveUp(queue, batch, error)
    }
  }
  private onRequestEnded(node: NodeView, batches: ReadonlyArray<InFlightBatch>): void {
    this.inFlightByNode.set(node.id, Math.max(0, (this.inFlightByNode.get(node.id) ?? 1) - 1))
    for (const { queue } of batches) if (queue.batches.length > 0) this.active.add(queue)
    this.signal.notify()
  }

  private now(): number {
    return monotonicMs(this.services.clock)
  }

  /**
   * Takes a message over whose call began at `since`, ms (default: now). Its listener gets one report, whatever happens,
   * at `deliveryTimeoutMs` after that at the latest.
   */
  submit(topic: string, partition: number, pending: PendingRecord, since?: number): void {
    if (this.closed) return this.reports.refuse(pending, new Closed({ what: "producer" }))
    const queue = this.queueOf(topic, partition)
    const open = queue.openFor(pending, this.services.settings.batchBytesMax)
    if (open !== undefined) {
      open.add(pending)
      // A message that waited for its turn has an earlier deadline than the batch that it joins.
      const deadline = since === undefined ? never : since + this.services.settings.deliveryTimeoutMs
      if (deadline >= open.deadline) return
      open.deadline = deadline
      return this.reports.expect(queue, open)
    }
    const now = this.now()
    const fresh = queue.begin(pending, now, (since ?? now) + this.services.settings.deliveryTimeoutMs)
    // The batch before it is full.
    if (queue.batches.length > 1) this.partitioner.onBatchClosed(topic, partition)
    this.reports.expect(queue, fresh)
    this.active.add(queue)
    this.signal.notify()
  }
  /** `flat` leaves the partitions out that have no queue. */
  private allQueues(): ReadonlyArray<PartitionQueue> {
    return [...this.queues.values()].flat()
  }
  private queueOf(topic: string, partition: number): PartitionQueue {
    let ofTopic = this.queues.get(topic)
    if (ofTopic === undefined) {
      ofTopic = []
      this.queues.set(topic, ofTopic)
    }
    ofTopic[partition] ??= new PartitionQueue(topic, partition)
    return ofTopic[partition]
  }

  /** Returns when every message that was sent before has its report. No batch lingers meanwhile. */
  readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    this.flushing += 1
    this.signal.notify()
    return Effect.ensuring(
      Effect.andThen(this.placed, this.reports.delivered),
      Effect.sync(() => {
        this.flushing -= 1
      })
    )
  })

  /** Flushes for `withinMs` at most; then fails the messages that are left, and takes no more. */
  close(withinMs: number): Effect.Effect<void> {
    const giveUp = Effect.sync(() => {
      this.closed = true
      for (const queue of this.allQueues()) {
        for (const batch of [...queue.inFlight]) this.reports.giveUpUnknown(queue, batch, "the producer was closed before the response.")
        for (const batch of [...queue.batches]) this.reports.giveUp(queue, batch, new Closed({ what: "producer" }))
      }
      this.active.clear()
    })
    return Effect.andThen(within(this.flush, withinMs), giveUp)
  }

  /**
   * Sends until its fiber ends. After a defect every message that was submitted fails, and the partitions start again
   * under another producer id.
   */
  get run(): Effect.Effect<void> {
    return supervised("producer's sender", Effect.forever(Effect.suspend(() => this.signal.waitAtMost(this.drain() - this.now()))), (fault) =>
      this.reset(fault)
    )
  }
  private reset(fault: ClientDefect): void {
    const queues = this.allQueues()
    this.queues.clear()
    this.active.clear()
    this.inFlightByNode.clear()
    this.nodes.forgetProducerId()
    for (const queue of queues) {
      for (const batch of [...queue.inFlight]) this.reports.giveUpUnknown(queue, batch, fault.message)
      for (const batch of [...queue.batches]) this.reports.giveUp(queue, batch, fault)
    }
  }

  /** A batch was given up at its deadline: those behind it may be sendable. */
  private onExpired(queue: PartitionQueue): void {
    if (queue.batches.length > 0) this.active.add(queue)
    this.signal.notify()
  }

  /** Sends all batches that may be sent. Returns when to look again, ms, if no notification comes before. */
  private drain(): number {
    const now = this.now()
    const requests: Array<OpenRequest> = []
    let wakeAt = never
    for (const queue of [...this.active]) {
      this.reports.giveUpGone(queue, now, this.services.client)
      const topicId = this.nodes.topicIdOf(queue)
      if (topicId !== undefined) queue.belongsTo(topicId)
      for (const batch of queue.beginEpoch())
        this.reports.giveUpUnknown(queue, batch, "a message before it was given up, and this one had been sent behind it.")
      wakeAt = Math.min(wakeAt, this.fill(queue, now, requests))
      // Behind the others, so that a partition with many batches is not the first each time.
      this.active.delete(queue)
      if (queue.batches.length > 0) this.active.add(queue)
    }
    for (const { batches, node } of requests) this.requests.send(node, batches)
    this.nodes.refresh()
    return wakeAt
  }

  /**
   * Adds the batches of a partition that may be sent to the open requests. Returns when the next may be sent, ms.
   */
  private fill(queue: PartitionQueue, now: number, requests: Array<OpenRequest>): number {
    const { inFlightRequestsMax, lingerMs } = this.services.settings
    // The first request that may take the next batch: the requests before it hold earlier batches of this partition.
    let from = 0
    for (let next = queue.batches[0]; next !== undefined; next = queue.batches[0]) {
      const sendableAt = queue.sendableAt(this.flushing > 0 ? 0 : lingerMs, inFlightRequestsMax)
      if (sendableAt > now) return sendableAt
      const node = this.destination(queue, next, now)
      if (node === undefined) return queue.notBefore > now ? queue.notBefore : never
      const changed = next.baseSequence < 0 && next.bytes === undefined ? next.takeChanged() : []
      if (changed.length > 0) {
        this.reports.refuseChanged(queue, next, changed)
        continue
      }
      const at = this.requestFor(requests, from, node, next.sizeBytes)
      const request = requests[at]
      const batch = request === undefined ? undefined : queue.take(this.nodes.producer)
      if (request === undefined || batch === undefined) return never
      request.batches.push({ queue, batch })
      request.bytes += batch.sizeBytes
      this.partitioner.onBatchClosed(queue.topic, queue.partition)
      from = at + 1
    }
    return never
  }

  /**
   * The node for the next batch. Undefined where a leader, a connection or a producer id is missing, which is then
   * requested.
   */
  private destination(queue: PartitionQueue, next: ProduceBatch, now: number): NodeView | undefined {
    const { client, settings } = this.services
    if (settings.idempotent && queue.needsProducerId && !this.nodes.hasProducerId()) return undefined
    const node = this.nodes.leaderOf(queue)
    if (node === undefined) {
      this.nodes.markStale(queue.topic)
      next.lastError ??= new NoLeader({ topic: queue.topic, partition: queue.partition })
      queue.pauseUntil(now + retryDelayMs("leadership", queue.failures + 1, client.random.next()))
      return undefined
    }
    return this.nodes.isConnected(node) ? node : undefined
  }

  /**
   * Returns the index of the request to `node`, from `from` on, that has room for `bytes`; of a new one if the node may
   * have another; -1 if not.
   */
  private requestFor(requests: Array<OpenRequest>, from: number, node: NodeView, bytes: number): number {
    for (let at = from; at < requests.length; at++) {
      const request = requests[at]
      if (request?.node.id === node.id && request.bytes + bytes <= requestBytesMax) return at
    }
    const inFlight = this.inFlightByNode.get(node.id) ?? 0
    if (inFlight >= this.services.settings.inFlightRequestsMax) return -1
    this.inFlightByNode.set(node.id, inFlight + 1)
    return requests.push({ node, batches: [], bytes: 0 }) - 1
  }
}
