import { broken } from "../../runtime/invariant.ts"
import { type PendingRecord, ProduceBatch, type ProducerIdAndEpoch } from "./batch.ts"

/** Producer epochs are int16 on the wire. */
const epochMax = 0x7fff
const sequenceMax = 0x7fffffff

/**
 * The batches of one partition, in the order of their sequence: those that wait and those in flight. Plain state,
 * without clock or connection.
 *
 * Idempotence (KIP-98): a batch gets its sequence when it is first sent, and keeps it in every retry. After a failure
 * the queue sends nothing more until no batch is in flight; then it sends all of them again in their order. A batch
 * that is given up leaves a gap in the sequence, which the broker refuses: the partition continues under the next
 * producer epoch, from sequence 0. A batch that the broker may have stored is then given up too, since under a new
 * epoch it could be stored twice; unless a batch before it is known not to be stored: the broker cannot have stored
 * this one without that one.
 */
export class PartitionQueue {
  /** Batches to send, the oldest first. The last may still take records. */
  readonly batches: Array<ProduceBatch> = []
  readonly inFlight: Array<ProduceBatch> = []
  /** No batch is sent before this time, ms. */
  notBefore = 0
  /** Failures since the last success: they lengthen the backoff. */
  failures = 0
  private nextOrder = 0
  private producer: ProducerIdAndEpoch | undefined
  private nextSequence = 0
  private recovering = false
  private epochDue = false
  /** The order of the first batch of this epoch that was given up and is known not to be stored. */
  private absentFrom = Number.POSITIVE_INFINITY
  /** The topic that the sequence belongs to; undefined before the first batch. */
  private topicId: string | undefined
  /** The broker has stored a batch of this epoch. */
  private established = false

  constructor(
    readonly topic: string,
    readonly partition: number
  ) {}

  get isIdle(): boolean {
    return this.batches.length === 0 && this.inFlight.length === 0
  }
  /** The epochs of the producer id are used up, or there was none yet: the next batch needs a new id. */
  get needsProducerId(): boolean {
    return this.producer === undefined
  }

  /** Returns the last batch if it takes the record, and closes it if it is full. */
  openFor(pending: PendingRecord, batchBytesMax: number): ProduceBatch | undefined {
    const last = this.batches[this.batches.length - 1]
    if (last === undefined || last.closed) return undefined
    if (last.sizeBytes + pending.sizeBytes <= batchBytesMax) return last
    last.closed = true
    return undefined
  }
  /** Begins a batch with the record. */
  begin(pending: PendingRecord, now: number, deadline: number): ProduceBatch {
    const batch = new ProduceBatch(this.nextOrder++, now, deadline)
    batch.add(pending)
    this.batches.push(batch)
    return batch
  }

  /**
   * Returns when the next batch may be sent, ms: a time that has passed for at once, infinite for not before a
   * response.
   */
  sendableAt(lingerMs: number, inFlightMax: number): number {
    const next = this.batches[0]
    if (next === undefined || this.inFlight.length >= inFlightMax) return Number.POSITIVE_INFINITY
    if (this.inFlight.length > 0 && (this.recovering || !this.mayFollow)) return Number.POSITIVE_INFINITY
    const full = next.closed || this.batches.length > 1
    return Math.max(this.notBefore, full ? 0 : next.createdAt + lingerMs)
  }

  /**
   * A broker that does not know a producer accepts its first batch at any sequence. So the first batch of an epoch is
   * sent alone: if the broker refused it while the second is in flight, the second would be stored before it (L5).
   */
  private get mayFollow(): boolean {
    return this.established || (this.inFlight[0]?.baseSequence ?? -1) < 0
  }

  /**
   * Moves the next batch into flight and gives it its sequence. `producer`: the id from the cluster; undefined for a
   * producer that is not idempotent.
   */
  take(producer: ProducerIdAndEpoch | undefined): ProduceBatch | undefined {
    const batch = this.batches.shift()
    if (batch === undefined) return undefined
    this.recovering = false
    batch.closed = true
    if (producer !== undefined && batch.baseSequence < 0) {
      this.producer ??= producer
      batch.producer = this.producer
      batch.baseSequence = this.nextSequence
      this.advance(batch.records.length)
    }
    this.checkOrder(batch)
    this.inFlight.push(batch)
    return batch
  }
  /**
   * The broker stores a partition's batches in the order in which they arrive: a batch that overtakes another, or whose
   * sequence overlaps with another's, is a bug.
   */
  private checkOrder(batch: ProduceBatch): void {
    const last = this.inFlight[this.inFlight.length - 1]
    if (last === undefined) return
    // The distance of two sequences, which go from 2^31 - 1 on to 0.
    const gap = (batch.baseSequence - last.baseSequence - last.records.length) & sequenceMax
    if (last.order >= batch.order || (batch.baseSequence >= 0 && gap > sequenceMax >> 1))
      broken(`batch ${batch.order} (sequence ${batch.baseSequence}) of ${this.topic}-${this.partition} follows batch ${last.order} (${last.baseSequence})`)
  }
  private advance(count: number): void {
    const rest = sequenceMax - this.nextSequence
    this.nextSequence = count > rest ? count - rest - 1 : this.nextSequence + count
  }

  /** Whether an earlier batch has no final response yet. */
  hasEarlier(batch: ProduceBatch): boolean {
    return this.batches.some(({ order, baseSequence }) => baseSequence >= 0 && order < batch.order) || this.inFlight.some(({ order }) => order < batch.order)
  }

  /** The broker has stored the batch. */
  confirm(batch: ProduceBatch): void {
    this.leaveFlight(batch)
    this.established = true
    if (this.recovering) return
    this.failures = 0
    this.notBefore = 0
  }

  /** Puts the batch back into its order, to be sent again from `notBefore` on, ms. */
  postpone(batch: ProduceBatch, notBefore: number): void {
    this.leaveFlight(batch)
    this.failures += 1
    this.notBefore = notBefore
    this.recovering = true
    this.insert(batch)
  }
  private insert(batch: ProduceBatch): void {
    const at = this.batches.findIndex(({ order }) => order > batch.order)
    if (at < 0) this.batches.push(batch)
    else this.batches.splice(at, 0, batch)
  }

  /** Sends no batch before `notBefore`, ms. */
  pauseUntil(notBefore: number): void {
    this.failures += 1
    this.notBefore = notBefore
  }

  /** The broker does not know the sequence of this partition: it continues under the next epoch. */
  bumpEpoch(): void {
    this.recovering = true
    this.epochDue = true
  }

  /**
   * Tells the queue the id of its topic. A topic that was deleted and created again has no sequence of this producer:
   * the queue begins the next epoch, and does not send to the new topic what may be stored in the old one.
   */
  belongsTo(topicId: string): void {
    if (this.topicId !== undefined && this.topicId !== topicId && this.hasSequence) this.bumpEpoch()
    this.topicId = topicId
  }
  private get hasSequence(): boolean {
    return this.producer !== undefined && (this.nextSequence > 0 || this.inFlight.length > 0)
  }

  /** Gives the batch up, whether it waits or is in flight. */
  drop(batch: ProduceBatch): void {
    this.leaveFlight(batch)
    const at = this.batches.indexOf(batch)
    if (at >= 0) this.batches.splice(at, 1)
    if (batch.baseSequence < 0) return
    this.bumpEpoch()
    if (!batch.maybeStored) this.absentFrom = Math.min(this.absentFrom, batch.order)
  }
  private leaveFlight(batch: ProduceBatch): void {
    const at = this.inFlight.indexOf(batch)
    if (at >= 0) this.inFlight.splice(at, 1)
  }

  /** Replaces a batch that is too large for the broker by its two halves, which share its sequence. */
  split(batch: ProduceBatch): readonly [ProduceBatch, ProduceBatch] {
    this.leaveFlight(batch)
    const middle = batch.records.length >> 1
    const half = (order: number, from: number, to: number): ProduceBatch => {
      const part = new ProduceBatch(order, batch.createdAt, batch.deadline)
      for (const pending of batch.records.slice(from, to)) part.add(pending)
      part.closed = true
      if (batch.baseSequence >= 0) {
        part.producer = batch.producer
        part.baseSequence = (batch.baseSequence + from) % (sequenceMax + 1)
      }
      return part
    }
    // There is always a fraction between two orders: a batch is split a few dozen times at most. The next order may be
    // that of a batch that does not exist yet.
    const next = Math.min(
      this.nextOrder,
      ...this.batches.map(({ order }) => order).filter((order) => order > batch.order),
      ...this.inFlight.map(({ order }) => order).filter((order) => order > batch.order)
    )
    const halves = [half(batch.order, 0, middle), half((batch.order + next) / 2, middle, batch.records.length)] as const
    this.insert(halves[0])
    this.insert(halves[1])
    this.recovering = true
    return halves
  }

  /**
   * Begins the next epoch if one is due and no batch is in flight. Returns the batches that are given up (see above),
   * whose reports the caller delivers. The others are sent as new batches.
   */
  beginEpoch(): ReadonlyArray<ProduceBatch> {
    if (!this.epochDue || this.inFlight.length > 0) return []
    const sent = this.batches.filter(({ baseSequence }) => baseSequence >= 0)
    const absentFrom = Math.min(this.absentFrom, ...sent.filter(({ maybeStored }) => !maybeStored).map(({ order }) => order))
    const givenUp = sent.filter(({ maybeStored, order }) => maybeStored && order < absentFrom)
    for (const batch of givenUp) this.batches.splice(this.batches.indexOf(batch), 1)
    for (const batch of this.batches) {
      batch.unassign()
      batch.maybeStored = false
    }
    const before = this.producer
    this.producer = before === undefined || before.epoch >= epochMax ? undefined : { producerId: before.producerId, epoch: before.epoch + 1 }
    this.nextSequence = 0
    this.established = false
    this.epochDue = false
    this.absentFrom = Number.POSITIVE_INFINITY
    return givenUp
  }
}
