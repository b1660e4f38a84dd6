import type { ProducerId } from "../../../../domain/kernel/id.ts"
import type { RecordToWrite } from "../../../../domain/log/record.ts"
import type { DeliveryListener, SendError } from "./delivery.ts"
import { sizeOf } from "./record-size.ts"

/** What a partition knows an idempotent producer by (KIP-98). */
export interface ProducerIdAndEpoch {
  readonly producerId: ProducerId
  readonly epoch: number
}

/** A record that has no delivery report yet. One object: there is one for every message. */
export interface PendingRecord extends RecordToWrite {
  /** Counted against the buffer memory until the delivery report. */
  readonly sizeBytes: number
  /** Gets the report. */
  readonly listener: DeliveryListener
  /** The record's place among the messages of its listener. */
  readonly index: number
  /** Some of its bytes are the caller's, who may change them. */
  readonly isBorrowed: boolean
}

const none: ReadonlyArray<PendingRecord> = []

/** Bytes of the header of a record batch. */
const headerBytes = 61

/** Records of one partition that are sent, stored and confirmed together. */
export class ProduceBatch {
  readonly records: Array<PendingRecord> = []
  /** An upper bound of its bytes before compression. */
  sizeBytes = headerBytes
  /** It takes no more records: it was sent once, or it is full. */
  closed = false
  /** The encoded batch with its sequence. Made when the batch is first sent, and sent unchanged in every retry. */
  bytes: Uint8Array | undefined
  producer: ProducerIdAndEpoch | undefined
  /**
   * The sequence number of the first record; -1 before the batch is sent, and for a producer that is not idempotent.
   */
  baseSequence = -1
  attempts = 0
  /** Whether a record has bytes of the caller. */
  private hasBorrowed = false
  /** Why the last attempt failed, or why the first has not begun. */
  lastError: SendError | undefined
  /** An attempt ended without a response: the broker may have stored the batch. */
  maybeStored = false
  /** Called once when every record has its delivery report. */
  readonly onSettled: Array<() => void> = []

  constructor(
    /** Its position among the batches of its partition. */
    readonly order: number,
    readonly createdAt: number,
    /** When the delivery is given up, ms. */
    public deadline: number
  ) {}

  /** What its records take of the buffer memory. */
  get heldBytes(): number {
    return this.sizeBytes - headerBytes
  }

  add(record: PendingRecord): void {
    this.records.push(record)
    if (record.isBorrowed) this.hasBorrowed = true
    this.sizeBytes += record.sizeBytes
  }

  /**
   * Removes the records whose bytes have changed since `sendMessage` took them: the caller has detached or resized
   * their buffer. Must be called before the batch gets its sequence.
   */
  takeChanged(): ReadonlyArray<PendingRecord> {
    if (!this.hasBorrowed) return none
    for (const record of this.records)
      if (sizeOf(record) !== record.sizeBytes) return this.remove((_, one) => sizeOf(one) !== one.sizeBytes).map(({ pending }) => pending)
    return none
  }

  /** Removes the records for which `isMeant` holds. The caller delivers their reports. */
  remove(isMeant: (index: number, pending: PendingRecord) => boolean): ReadonlyArray<{ readonly index: number; readonly pending: PendingRecord }> {
    const removed: Array<{ readonly index: number; readonly pending: PendingRecord }> = []
    const left: Array<PendingRecord> = []
    for (const [index, pending] of this.records.entries()) {
      if (isMeant(index, pending)) removed.push({ index, pending })
      else left.push(pending)
    }
    this.records.length = 0
    for (const pending of left) this.records.push(pending)
    for (const { pending } of removed) this.sizeBytes -= pending.sizeBytes
    this.bytes = undefined
    return removed
  }

  /** Removes the sequence, so that the batch is sent as a new one. Only for a batch that is known not to be stored. */
  unassign(): void {
    this.producer = undefined
    this.baseSequence = -1
    this.bytes = undefined
  }
}
