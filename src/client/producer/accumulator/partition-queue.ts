import { type Identity, OutgoingBatch, type Waiting } from "./batch.ts"

/** Producer epochs are int16 on the wire. */
const epochMax = 0x7fff
const sequenceMax = 0x7fffffff

/**
 * What waits for one partition and what is on its way there, in the order in which it was sent. Plain state, without clock or connection.
 *
 * Idempotence (KIP-98): a batch gets its sequence when it is first sent and keeps it in every repetition. After a failure nothing more is sent until all that is on its
 * way has come back; then everything goes out again in its order. A batch that is given up leaves a hole in the sequence, which the broker does not take: the
 * partition goes on under the next epoch, from sequence 0. A batch of which nobody knows whether it is stored is given up then too, since sending it under a new epoch could
 * store it twice; unless one before it is known not to be stored: the broker cannot have taken it without that one.
 */
export class PartitionQueue {
  /** To be sent, oldest first. The last may still take records. */
  readonly batches: Array<OutgoingBatch> = []
  readonly inFlight: Array<OutgoingBatch> = []
  /** Nothing is sent before this moment, ms. */
  notBefore = 0
  /** Failures since the last success: they lengthen the pause. */
  failures = 0
  private orders = 0
  private identity: Identity | undefined
  private nextSequence = 0
  private recovering = false
  private newEpochDue = false
  /** The order of the first batch of this epoch that was given up and is known not to be stored. */
  private absentFrom = Number.POSITIVE_INFINITY
  /** The topic that the sequence belongs to; undefined before the first batch. */
  private topicId: string | undefined
  /** The broker has taken a batch of this epoch. */
  private established = false

  constructor(
    readonly topic: string,
    readonly partition: number
  ) {}

  get isIdle(): boolean {
    return this.batches.length === 0 && this.inFlight.length === 0
  }
  /** The epoch is used up: a new producer id is needed before the next batch. */
  get needsProducerId(): boolean {
    return this.identity === undefined
  }

  /** Adds a record; answers the batch if it is a new one. A batch that is full or closed is followed by another. */
  add(waiting: Waiting, now: number, batchBytesMax: number, deadline: number): OutgoingBatch | undefined {
    const last = this.batches[this.batches.length - 1]
    if (last !== undefined && !last.closed) {
      if (last.sizeBytes + waiting.sizeBytes <= batchBytesMax) {
        last.add(waiting)
        last.deadline = Math.min(last.deadline, deadline)
        return undefined
      }
      last.closed = true
    }
    const batch = new OutgoingBatch(this.orders++, now, deadline)
    batch.add(waiting)
    this.batches.push(batch)
    return batch
  }

  /** When the next batch may go: at once (a moment that has passed), later, or never before something comes back (infinite). */
  sendableAt(lingerMs: number, inFlightMax: number): number {
    const next = this.batches[0]
    if (next === undefined || this.inFlight.length >= inFlightMax) return Number.POSITIVE_INFINITY
    if (this.inFlight.length > 0 && (this.recovering || !this.mayFollow)) return Number.POSITIVE_INFINITY
    const full = next.closed || this.batches.length > 1
    return Math.max(this.notBefore, full ? 0 : next.createdAt + lingerMs)
  }

  /**
   * A broker that does not know a producer takes its first batch at any sequence (Kafka does). So the first of an epoch goes alone: were it refused while the second is on its
   * way behind it, the second would be stored before it (L5).
   */
  private get mayFollow(): boolean {
    return this.established || (this.inFlight[0]?.baseSequence ?? -1) < 0
  }

  /** When the first batch that is on its way is given up, ms; infinite for none. */
  get expiresAt(): number {
    let soonest = Number.POSITIVE_INFINITY
    for (const { deadline } of this.inFlight) if (deadline < soonest) soonest = deadline
    return soonest
  }

  /** Takes the next batch on its way. `identity`: what the producer got from the cluster; undefined for one that is not idempotent. */
  take(identity: Identity | undefined): OutgoingBatch | undefined {
    const batch = this.batches.shift()
    if (batch === undefined) return undefined
    this.recovering = false
    batch.closed = true
    if (identity !== undefined && batch.baseSequence < 0) {
      this.identity ??= identity
      batch.identity = this.identity
      batch.baseSequence = this.nextSequence
      this.advance(batch.waiting.length)
    }
    this.inFlight.push(batch)
    return batch
  }
  private advance(count: number): void {
    const rest = sequenceMax - this.nextSequence
    this.nextSequence = count > rest ? count - rest - 1 : this.nextSequence + count
  }

  /** Whether a batch that was sent before this one has no answer yet that is final. */
  hasEarlier(batch: OutgoingBatch): boolean {
    return this.batches.some(({ order, baseSequence }) => baseSequence >= 0 && order < batch.order) || this.inFlight.some(({ order }) => order < batch.order)
  }

  /** The batch is stored. */
  confirm(batch: OutgoingBatch): void {
    this.land(batch)
    this.established = true
    if (this.recovering) return
    this.failures = 0
    this.notBefore = 0
  }

  /** The batch goes back to its place, to be sent again from `notBefore` on. */
  postpone(batch: OutgoingBatch, notBefore: number): void {
    this.land(batch)
    this.failures += 1
    this.notBefore = notBefore
    this.recovering = true
    this.insert(batch)
  }
  private insert(batch: OutgoingBatch): void {
    const at = this.batches.findIndex(({ order }) => order > batch.order)
    if (at < 0) this.batches.push(batch)
    else this.batches.splice(at, 0, batch)
  }

  /** Nothing can be sent at present. */
  pauseUntil(notBefore: number): void {
    this.failures += 1
    this.notBefore = notBefore
  }

  /** The broker does not know where this partition's sequence stands: it goes on under the next epoch. */
  demandNewEpoch(): void {
    this.recovering = true
    this.newEpochDue = true
  }

  /**
   * The cluster's topic of this name has this id. One that was removed and made again knows no sequence of this producer: it begins with the next epoch, and what may have been
   * stored in the topic before is not sent to it.
   */
  belongsTo(topicId: string): void {
    if (this.topicId !== undefined && this.topicId !== topicId && this.hasSequence) this.demandNewEpoch()
    this.topicId = topicId
  }
  private get hasSequence(): boolean {
    return this.identity !== undefined && (this.nextSequence > 0 || this.inFlight.length > 0)
  }

  /** The batch is given up, wherever it is. */
  drop(batch: OutgoingBatch): void {
    this.land(batch)
    const at = this.batches.indexOf(batch)
    if (at >= 0) this.batches.splice(at, 1)
    if (batch.baseSequence < 0) return
    this.demandNewEpoch()
    if (!batch.maybeStored) this.absentFrom = Math.min(this.absentFrom, batch.order)
  }
  private land(batch: OutgoingBatch): void {
    const at = this.inFlight.indexOf(batch)
    if (at >= 0) this.inFlight.splice(at, 1)
  }

  /** Puts two halves in the place of a batch that the broker found too large. They share its sequences. */
  split(batch: OutgoingBatch): readonly [OutgoingBatch, OutgoingBatch] {
    this.land(batch)
    const middle = batch.waiting.length >> 1
    const half = (order: number, from: number, to: number): OutgoingBatch => {
      const part = new OutgoingBatch(order, batch.createdAt, batch.deadline)
      for (const waiting of batch.waiting.slice(from, to)) part.add(waiting)
      part.closed = true
      if (batch.baseSequence >= 0) {
        part.identity = batch.identity
        part.baseSequence = (batch.baseSequence + from) % (sequenceMax + 1)
      }
      return part
    }
    // Between its neighbours' orders there is always room for another fraction: a batch is split a few dozen times at most. The neighbour may be one that is made later.
    const next = Math.min(
      this.orders,
      ...this.batches.map(({ order }) => order).filter((order) => order > batch.order),
      ...this.inFlight.map(({ order }) => order).filter((order) => order > batch.order)
    )
    const halves = [half(batch.order, 0, middle), half((batch.order + next) / 2, middle, batch.waiting.length)] as const
    this.insert(halves[0])
    this.insert(halves[1])
    this.recovering = true
    return halves
  }

  /**
   * Begins the next epoch if one is due and nothing is on its way any more. Answers the batches that are given up for good (see above); the caller settles them. The others
   * are sent as new ones.
   */
  beginEpoch(): ReadonlyArray<OutgoingBatch> {
    if (!this.newEpochDue || this.inFlight.length > 0) return []
    const sent = this.batches.filter(({ baseSequence }) => baseSequence >= 0)
    const absentFrom = Math.min(this.absentFrom, ...sent.filter(({ maybeStored }) => !maybeStored).map(({ order }) => order))
    const givenUp = sent.filter(({ maybeStored, order }) => maybeStored && order < absentFrom)
    for (const batch of givenUp) this.batches.splice(this.batches.indexOf(batch), 1)
    for (const batch of this.batches) {
      batch.unassign()
      batch.maybeStored = false
    }
    const before = this.identity
    this.identity = before === undefined || before.epoch >= epochMax ? undefined : { producerId: before.producerId, epoch: before.epoch + 1 }
    this.nextSequence = 0
    this.established = false
    this.newEpochDue = false
    this.absentFrom = Number.POSITIVE_INFINITY
    return givenUp
  }
}
