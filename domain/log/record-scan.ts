import { recordSizeMin } from "./record.ts"
import { VarReader } from "./varint.ts"

/**
 * Walks through the records of a batch's payload (decompressed) without making an object of any: after each `next` the
 * fields tell of the record that was reached. Lengths are believed only after they were compared with the bytes;
 * `failed` says that they do not fit.
 */
export class RecordScan {
  /** Where the record begins, with the length before it, and where it ends. */
  start = 0
  end = 0
  /** Its timestamp less the batch's base timestamp, and where that field ends. */
  timestampDelta = 0
  afterTimestamp = 0
  offsetDelta = 0
  /** A view of the payload; null for a record without key. */
  key: Uint8Array | null = null
  hasValue = false
  failed = false
  private readonly reader: VarReader

  constructor(
    readonly payload: Uint8Array,
    private left: number
  ) {
    this.reader = new VarReader(payload)
    this.failed = left < 0 || left * recordSizeMin > payload.length
  }

  /** Continues with the next record; false after the last one, and where the bytes are no record. */
  next(): boolean {
    const { reader } = this
    if (this.failed) return false
    if (this.left === 0) {
      this.failed = reader.left > 0
      return false
    }
    this.left--
    this.start = reader.at
    const size = reader.varint()
    this.end = reader.at + size
    if (reader.failed || size < recordSizeMin - 1 || this.end > reader.end) return this.fail()
    reader.byte()
    this.timestampDelta = reader.varlong()
    this.afterTimestamp = reader.at
    this.offsetDelta = reader.varint()
    const keySize = reader.varint()
    this.key = keySize < 0 ? null : reader.view(keySize)
    const valueSize = reader.varint()
    this.hasValue = valueSize >= 0
    if (reader.failed || this.offsetDelta < 0 || !Number.isSafeInteger(this.timestampDelta) || reader.at + Math.max(0, valueSize) > this.end) return this.fail()
    reader.at = this.end
    return true
  }

  private fail(): false {
    this.failed = true
    return false
  }
}
