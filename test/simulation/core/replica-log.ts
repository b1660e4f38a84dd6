import type { Offset } from "../../../domain/kernel/id.ts"
import { evolveProducers, noProducers, type ProducerState, type SequencedBatch } from "../../../domain/log/producer-state.ts"
import { EpochStarts } from "../../../src/broker/partition/replica/epoch-starts.ts"

/** A batch of one record. The leader that appends it makes it; all replicas share it. */
export interface StoredRecord extends SequencedBatch {
  /** A number that no other record of the run has. */
  readonly number: number
  readonly offset: Offset
  readonly epoch: number
}

/** A hash of all records up to and with one: equal hashes mean equal prefixes. */
const hashAfter = (before: number, { epoch, number }: StoredRecord): number => {
  let hash = Math.imul(before ^ number, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 15) ^ epoch, 0x85ebca6b)
  return hash ^ (hash >>> 13)
}

/** The log of a partition on one disk, with what is stored and folded beside it. */
export class ReplicaLog {
  private records: Array<StoredRecord> = []
  private hashes: Array<number> = []
  epochs = new EpochStarts()
  private folded: ProducerState = noProducers
  private foldedTo: Offset = 0
  /** What the broker believes to survive a power cut. */
  synced: Offset = 0
  /** What survives one. */
  durable: Offset = 0
  /** `replication-offset-checkpoint`. */
  checkpointed: Offset = 0
  isDamaged = false
  /** Counts the cuts: a sync that began before one says nothing about what was appended after it. */
  cuts = 0

  get end(): Offset {
    return this.records.length
  }
  at(offset: Offset): StoredRecord | undefined {
    return this.records[offset]
  }
  slice(from: Offset, to: Offset): ReadonlyArray<StoredRecord> {
    return this.records.slice(from, to)
  }
  /** The epoch of the last record; -1 without one. */
  get lastEpoch(): number {
    return this.records.at(-1)?.epoch ?? -1
  }
  /** Of the records below `end`. */
  hashAt(end: Offset): number {
    return end === 0 ? 0 : (this.hashes[end - 1] as number)
  }

  /** The idempotent producers: folded when a leader asks for them, since followers do not. */
  get producers(): ProducerState {
    for (; this.foldedTo < this.records.length; this.foldedTo++) {
      const record = this.records[this.foldedTo] as StoredRecord
      if (record.hasProducerId) this.folded = evolveProducers(this.folded, record, 0)
    }
    return this.folded
  }

  append(record: StoredRecord): void {
    this.hashes.push(hashAfter(this.hashAt(this.end), record))
    this.records.push(record)
    this.epochs.note(record.epoch, record.offset)
  }

  /** Forgets the epochs in which this replica led without a record (KAFKA-10706). */
  forgetEmptyEpochs(): void {
    this.epochs = new EpochStarts(this.epochs.startsBefore(this.end))
  }

  /** Removes the records from `end` on, durably. */
  cut(end: Offset, keeps: { readonly epochs: boolean; readonly producers: boolean; readonly synced: boolean }): void {
    this.cuts++
    this.records.length = end
    this.hashes.length = end
    this.durable = Math.min(this.durable, end)
    if (!keeps.synced) this.synced = Math.min(this.synced, end)
    if (!keeps.epochs) this.epochs = new EpochStarts(this.epochs.startsBefore(end))
    if (this.foldedTo <= end) return
    if (!keeps.producers) this.folded = noProducers
    this.foldedTo = keeps.producers ? end : 0
  }
}
