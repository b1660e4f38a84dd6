import type { Effect } from "effect"
import type { ProducerId } from "../../../../domain/kernel/id.ts"
import type { RecordToWrite } from "../../../../domain/log/record.ts"
import type { SendError, Sent } from "./delivery.ts"
import { sizeOf } from "./record-size.ts"

/** Who an idempotent producer is in one partition (KIP-98). */
export interface Identity {
  readonly producerId: ProducerId
  readonly epoch: number
}

/** A record that waits for its offset, and whom to tell. */
export interface Waiting {
  readonly record: RecordToWrite
  /** Counted against the buffer until the record is settled. */
  readonly sizeBytes: number
  readonly resume: (outcome: Effect.Effect<Sent, SendError>) => void
}

const none: ReadonlyArray<Waiting> = []

/** Records of one partition that are sent, stored and answered together. */
export class OutgoingBatch {
  readonly waiting: Array<Waiting> = []
  /** About what it takes before compression. */
  sizeBytes = 61
  /** No more records: it was sent once, or is full. */
  closed = false
  /** The records as bytes, with their sequence; made when the batch is first sent, and sent again as they are. */
  bytes: Uint8Array | undefined
  identity: Identity | undefined
  /** Of its first record; -1 before it is sent, and for a producer that is not idempotent. */
  baseSequence = -1
  attempts = 0
  /** Why the last attempt failed, or the first has not begun. */
  lastError: SendError | undefined
  /** An attempt ended without an answer: it may be stored. */
  maybeStored = false
  /** Called once when every record is settled. */
  readonly settled: Array<() => void> = []

  constructor(
    /** Its place among the batches of its partition. */
    readonly order: number,
    readonly createdAt: number,
    /** When its delivery is given up, ms. */
    public deadline: number
  ) {}

  add(waiting: Waiting): void {
    this.waiting.push(waiting)
    this.sizeBytes += waiting.sizeBytes
  }

  /**
   * Removes the records whose bytes are not those that were given to `sendMessage`: the caller has detached or resized their buffer since. Called before the batch has its
   * sequence.
   */
  takeSpoilt(): ReadonlyArray<Waiting> {
    for (const { record, sizeBytes } of this.waiting)
      if (sizeOf(record) !== sizeBytes) return this.remove((_, one) => sizeOf(one.record) !== one.sizeBytes).map(({ waiting }) => waiting)
    return none
  }
  /** Removes the records of which `isMeant` says so; the caller settles them. */
  remove(isMeant: (at: number, waiting: Waiting) => boolean): ReadonlyArray<{ readonly at: number; readonly waiting: Waiting }> {
    const removed: Array<{ readonly at: number; readonly waiting: Waiting }> = []
    const left: Array<Waiting> = []
    for (const [at, waiting] of this.waiting.entries()) {
      if (isMeant(at, waiting)) removed.push({ at, waiting })
      else left.push(waiting)
    }
    this.waiting.length = 0
    for (const waiting of left) this.waiting.push(waiting)
    for (const { waiting } of removed) this.sizeBytes -= waiting.sizeBytes
    this.bytes = undefined
    return removed
  }

  /** Takes its sequence back, so that it is sent as a new batch. Only for a batch that is known not to be stored. */
  unassign(): void {
    this.identity = undefined
    this.baseSequence = -1
    this.bytes = undefined
  }
}
