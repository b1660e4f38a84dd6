import { Either } from "effect"
import type { RecordBatch } from "../../../../domain/log/batch.ts"
import { readControlRecord } from "../../../../domain/log/control-record.ts"
import type { Record } from "../../../../domain/log/record.ts"

/** A transaction of a Fetch response that was aborted. Its messages begin at `firstOffset`. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

/**
 * Which batches of a partition belong to aborted transactions. The broker lists the transactions of the batches that it
 * returns; each ends with the marker of its producer (KIP-98). Messages of committed transactions come as they are,
 * since a broker returns none behind the first open transaction to a reader of committed messages.
 */
export class AbortedTransactions {
  /** By first offset; those that `open` has are removed. */
  private pending: ReadonlyArray<AbortedTransaction> = []
  /** Producers whose messages are aborted until their next marker. */
  private readonly open = new Set<bigint>()

  add(transactions: ReadonlyArray<AbortedTransaction>): void {
    if (transactions.length === 0) return
    const known = new Set(this.pending.map(keyOf))
    this.pending = [...this.pending, ...transactions.filter((one) => !known.has(keyOf(one)))].toSorted((a, b) => Number(a.firstOffset - b.firstOffset))
  }
  /**
   * Whether the caller must not see the records of a batch: they are a marker, or their transaction was aborted. Called
   * once for each batch, in their order.
   */
  isAborted(batch: RecordBatch, records: ReadonlyArray<Record>): boolean {
    while (this.pending[0] !== undefined && this.pending[0].firstOffset <= BigInt(batch.lastOffset)) {
      this.open.add(this.pending[0].producerId)
      this.pending = this.pending.slice(1)
    }
    if (batch.isControl) {
      if (isAbortMarker(records[0])) this.open.delete(batch.producerId)
      return true
    }
    return this.open.size > 0 && batch.isTransactional && this.open.has(batch.producerId)
  }
  clear(): void {
    this.pending = []
    this.open.clear()
  }
}

const keyOf = ({ firstOffset, producerId }: AbortedTransaction): string => `${producerId} ${firstOffset}`
const isAbortMarker = (record: Record | undefined): boolean => {
  const marker = record === undefined ? undefined : Either.getOrUndefined(readControlRecord(record))
  return marker?.outcome === "abort"
}
