import { type Clock, Effect } from "effect"
import type { Encoding } from "../../../../domain/log/record.ts"
import type { Client } from "../../cluster/client.ts"
import { type ClientDefect, Closed, NoLeader } from "../../error.ts"
import type { NodeView } from "../../metadata/view.ts"
import { monotonicMs } from "../../runtime/monotonic.ts"
import { retryDelayMs } from "../../runtime/retry.ts"
import { Signal } from "../../runtime/signal.ts"
import { supervised, within } from "../../runtime/supervision.ts"
import type { OutgoingBatch, Waiting } from "../accumulator/batch.ts"
import { PartitionQueue } from "../accumulator/partition-queue.ts"
import type { Sending } from "../accumulator/settings.ts"
import { Settlements } from "./delivery-reports.ts"
import { Courier } from "./in-flight-requests.ts"
import type { Parcel } from "./produce-request.ts"
import { Places } from "./ready-nodes.ts"

/** Bytes of batches in one request; a single larger batch goes alone. */
const requestBytesMax = 1024 * 1024
const never = Number.POSITIVE_INFINITY

/** A request that is being filled. */
interface Loading {
  readonly node: NodeView
  readonly parcels: Array<Parcel>
  bytes: number
}

export interface SenderParts {
  readonly client: Client
  readonly sending: Sending
  readonly encoding: Encoding
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => void
  /** The bytes of settled messages come free. */
  readonly release: (bytes: number) => void
  /** A partition's batch takes no more records. */
  readonly onBatchClosed: (topic: string, partition: number) => void
}

/**
 * Carries batches to the leaders of their partitions. One fiber decides what goes next; each request is a fiber of its own, begun in the order in which the batches were
 * taken, on the one connection to its node: so a partition's batches arrive in their order.
 */
export class Sender {
  private readonly queues = new Map<string, PartitionQueue>()
  /** Queues that have something to send, in the order of their turn. */
  private readonly active = new Set<PartitionQueue>()
  private readonly inFlightByNode = new Map<number, number>()
  private flushing = 0
  private closed = false
  private readonly signal = new Signal()
  private readonly settlements: Settlements
  private readonly places: Places
  private readonly courier: Courier

  constructor(private readonly parts: SenderParts) {
    this.settlements = new Settlements(parts.release)
    this.places = new Places(parts.client, parts.fork, {
      ready: () => this.signal.ring(),
      unreachable: (node, error) => {
        for (const queue of this.active) {
          if (this.places.leaderOf(queue)?.id !== node.id) continue
          this.places.doubt(queue.topic)
          for (const batch of queue.batches) batch.lastError = error
        }
      },
      noIdentity: (error) => {
        for (const queue of this.active) for (const batch of [...queue.batches]) this.settlements.giveUp(queue, batch, error)
      }
    })
    this.courier = new Courier(parts, this.settlements, this.places, (node, queues) => {
      this.inFlightByNode.set(node.id, Math.max(0, (this.inFlightByNode.get(node.id) ?? 1) - 1))
      for (const queue of queues) if (queue.batches.length > 0) this.active.add(queue)
      this.signal.ring()
    })
  }

  private now(): number {
    return monotonicMs(this.parts.clock)
  }

  /** Takes a record over, whose call began at `since`, ms (default: now). Its `resume` is called once, whatever happens. */
  submit(topic: string, partition: number, waiting: Waiting, since?: number): void {
    if (this.closed) return this.settlements.refuse(waiting, new Closed({ what: "producer" }))
    const key = `${partition} ${topic}`
    let queue = this.queues.get(key)
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition)
      this.queues.set(key, queue)
    }
    const now = this.now()
    const fresh = queue.add(waiting, now, this.parts.sending.batchBytesMax, (since ?? now) + this.parts.sending.deliveryTimeoutMs)
    if (fresh === undefined) return
    // The batch before it is full: messages without a key go on in another partition.
    if (queue.batches.length > 1) this.parts.onBatchClosed(topic, partition)
    this.settlements.expect(fresh)
    this.active.add(queue)
    this.signal.ring()
  }

  /** Returns when everything that was submitted before is settled; nothing lingers meanwhile. */
  readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    this.flushing += 1
    this.signal.ring()
    return Effect.ensuring(
      this.settlements.all,
      Effect.sync(() => {
        this.flushing -= 1
      })
    )
  })

  /** Sends what waits, for `withinMs` at most; what is left then fails. Nothing is taken afterwards. */
  close(withinMs: number): Effect.Effect<void> {
    const giveUp = Effect.sync(() => {
      this.closed = true
      for (const queue of this.queues.values()) {
        for (const batch of [...queue.inFlight]) this.settlements.lose(queue, batch, "the producer was closed before the answer came.")
        for (const batch of [...queue.batches]) this.settlements.giveUp(queue, batch, new Closed({ what: "producer" }))
      }
      this.active.clear()
    })
    return Effect.andThen(within(this.flush, withinMs), giveUp)
  }

  /** Sends until its fiber ends. After a defect all that was submitted has its error, and the partitions begin anew under another producer id. */
  readonly run: Effect.Effect<void> = supervised(
    "producer's sender",
    Effect.forever(Effect.suspend(() => this.signal.heardWithin(this.drain() - this.now()))),
    (fault) => this.beginAnew(fault)
  )
  private beginAnew(fault: ClientDefect): void {
    const queues = [...this.queues.values()]
    this.queues.clear()
    this.active.clear()
    this.inFlightByNode.clear()
    this.places.forgetIdentity()
    for (const queue of queues) {
      for (const batch of [...queue.inFlight]) this.settlements.lose(queue, batch, fault.message)
      for (const batch of [...queue.batches]) this.settlements.giveUp(queue, batch, fault)
    }
  }

  /** The fiber that gives up what is on its way: when it looks next, ms. */
  private expiryAt = never
  /** Sees to it that a batch on its way is given up at its deadline. One timer for all of them, since hardly any batch meets its own. */
  private watchExpiry(deadline: number): void {
    if (deadline >= this.expiryAt) return
    this.expiryAt = deadline
    const look = Effect.suspend(() => {
      // A timer for an earlier deadline stands in this one's place.
      if (this.expiryAt !== deadline) return Effect.void
      this.expiryAt = never
      this.expire()
      return Effect.void
    })
    this.parts.fork(supervised("producer's expiry", Effect.andThen(Effect.sleep(Math.max(0, deadline - this.now())), look), () => {}))
  }
  private expire(): void {
    const now = this.now()
    let next = never
    for (const queue of this.queues.values()) {
      if (queue.inFlight.length === 0) continue
      this.settlements.expire(queue, now)
      next = Math.min(next, queue.expiresAt)
      if (queue.batches.length > 0) this.active.add(queue)
    }
    if (next < never) this.watchExpiry(next)
    this.signal.ring()
  }

  /** Sends all that may go now; answers when to look again if nothing happens before. */
  private drain(): number {
    const now = this.now()
    const loading: Array<Loading> = []
    let wakeAt = never
    for (const queue of [...this.active]) {
      this.settlements.giveUpLate(queue, now, this.parts.client)
      const topicId = this.places.topicIdOf(queue)
      if (topicId !== undefined) queue.belongsTo(topicId)
      for (const batch of queue.beginEpoch()) this.settlements.lose(queue, batch, "a message before it was given up, and this one had been sent behind it.")
      wakeAt = Math.min(wakeAt, this.load(queue, now, loading))
      // Behind the others, so that a partition with much to send does not go first each time.
      this.active.delete(queue)
      if (queue.batches.length > 0) this.active.add(queue)
    }
    for (const { node, parcels } of loading) this.courier.carry(node, parcels)
    this.places.refresh()
    return wakeAt
  }

  /** Puts the batches of a partition that may go now into requests. Answers when the next may go, or is late. */
  private load(queue: PartitionQueue, now: number, loading: Array<Loading>): number {
    const { inFlightRequestsMax, lingerMs } = this.parts.sending
    // The first request of this round that may hold the next batch: those before it hold earlier ones.
    let from = 0
    for (let next = queue.batches[0]; next !== undefined; next = queue.batches[0]) {
      const sendableAt = queue.sendableAt(this.flushing > 0 ? 0 : lingerMs, inFlightRequestsMax)
      if (sendableAt > now) return Math.min(sendableAt, next.deadline)
      const node = this.destination(queue, next, now)
      if (node === undefined) return Math.min(queue.notBefore > now ? queue.notBefore : never, next.deadline)
      const spoilt = next.baseSequence < 0 && next.bytes === undefined ? next.takeSpoilt() : []
      if (spoilt.length > 0) {
        this.settlements.spoilt(queue, next, spoilt)
        continue
      }
      const at = this.requestFor(loading, from, node, next.sizeBytes)
      const request = loading[at]
      const batch = request === undefined ? undefined : queue.take(this.places.identity)
      if (request === undefined || batch === undefined) return next.deadline
      request.parcels.push({ queue, batch })
      this.watchExpiry(batch.deadline)
      request.bytes += batch.sizeBytes
      this.parts.onBatchClosed(queue.topic, queue.partition)
      from = at + 1
    }
    return never
  }

  /** Where the next batch goes; undefined when something must come first, which is then on its way. */
  private destination(queue: PartitionQueue, next: OutgoingBatch, now: number): NodeView | undefined {
    if (this.parts.sending.idempotent && queue.needsProducerId && !this.places.hasIdentity()) return undefined
    const node = this.places.leaderOf(queue)
    if (node === undefined) {
      this.places.doubt(queue.topic)
      next.lastError ??= new NoLeader({ topic: queue.topic, partition: queue.partition })
      queue.pauseUntil(now + retryDelayMs("leadership", queue.failures + 1, this.parts.client.dice.next()))
      return undefined
    }
    return this.places.isConnected(node) ? node : undefined
  }

  /** The index of the request to `node`, from `from` on, that has room for `bytes`; a new one if the node takes another; -1 if not. */
  private requestFor(loading: Array<Loading>, from: number, node: NodeView, bytes: number): number {
    for (let at = from; at < loading.length; at++) {
      const request = loading[at]
      if (request?.node.id === node.id && request.bytes + bytes <= requestBytesMax) return at
    }
    const inFlight = this.inFlightByNode.get(node.id) ?? 0
    if (inFlight >= this.parts.sending.inFlightRequestsMax) return -1
    this.inFlightByNode.set(node.id, inFlight + 1)
    return loading.push({ node, parcels: [], bytes: 0 }) - 1
  }
}
