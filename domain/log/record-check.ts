import type { KafkaError, RejectedRecord, Rejection } from "../kernel/error-code.ts"
import type { RecordBatch } from "./batch.ts"
import { headerSizeMin, recordSizeMin } from "./record.ts"
import { VarReader } from "./varint.ts"

/** What the records of a batch must be like. Times in ms. */
export interface RecordRules {
  /** Whether a record must have a key: compaction knows records by it. */
  readonly needsKeys: boolean
  /** The earliest and the latest time that a record may have; one without a time (-1) has none to check. Undefined where the broker's own time counts. */
  readonly times: { readonly from: number; readonly to: number } | undefined
}

/** Records that an answer names: each takes some 100 bytes of it, and a batch may have a million. */
const rejectedRecordsMax = 1000
/** A view for words costs 50 ns, and saves 2 ns a record. */
const countForWords = 32
/** Offset deltas below these take one byte and two. */
const oneByteDeltas = 64
const twoByteDeltas = 8192

const invalid = (message: string): Rejection => ({ error: "INVALID_RECORD", message })

const refusal = (records: ReadonlyArray<RejectedRecord>, error: KafkaError, count: number): Rejection => ({
  error,
  message: `${count} of the batch's records ${error === "INVALID_TIMESTAMP" ? "have a time that the topic's settings do not allow" : "cannot be taken"}: ${records[0]?.message}`,
  records
})

/**
 * Looks at every record of a batch: that they are as many as the header says, are numbered from 0 on, end where their lengths say, and keep the rules. Each length is believed only
 * after it was compared with the end of its record, each record's with the end of the batch. Nothing is copied, and no object is made of a record.
 *
 * Most producers write records that differ in their contents alone: lengths, attributes and time are those of the record before. The walk keeps where these fields were and compares
 * them as words, 3 ns a record where reading field by field takes 12. What differs is read field by field.
 */
export class RecordCheck {
  /** Records that were looked at. */
  index = 0
  /** The largest time among them, ms; -1 where none has one. */
  maxTimestamp = -1
  private broken: Rejection | undefined
  private error: KafkaError = "INVALID_RECORD"
  private rejectedCount = 0
  private readonly rejected: Array<RejectedRecord> = []
  private readonly reader: VarReader
  private readonly baseTimestamp: number
  private readonly count: number
  private readonly view: DataView | undefined

  // The record before: its first word up to the offset delta, where the fields behind it begin (from the start of the record), and what is there.
  private sameBelow = 0
  private head = 0
  private headMask = 0
  private deltaAt = 0
  private keyByte = 0
  private valueAt = 0
  private valueWord = 0
  private valueMask = 0
  private size = 0
  /** Where its time is in the first word, if it is one byte and not before the base timestamp; and the range of such times that were right, zigzag. */
  private timeMask = 0
  private timeShift = 0
  private timeLow = 0x7f
  private timeHigh = -1

  /** The records stand in `bytes` from `at` to its end, decompressed. */
  constructor(
    batch: RecordBatch,
    private readonly bytes: Uint8Array,
    at: number,
    private readonly rules: RecordRules
  ) {
    this.count = batch.recordCount
    this.baseTimestamp = batch.baseTimestamp
    this.reader = new VarReader(bytes, at)
    if (this.count < 0 || this.count * recordSizeMin > bytes.length - at) this.breakOff()
    this.view = this.count < countForWords || this.broken !== undefined ? undefined : new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Looks at `most` further records; false once all are done, or the bytes are no records. */
  step(most: number): boolean {
    const until = Math.min(this.count, this.index + most)
    while (this.broken === undefined && this.index < until) {
      if (this.view !== undefined) this.skipSame(this.view, until)
      if (this.index < until) this.next()
    }
    if (this.broken === undefined && this.index < this.count) return true
    if (this.broken === undefined && this.reader.left > 0) this.breakOff()
    return false
  }

  /** Why the batch is refused; undefined where all its records are right. INVALID_RECORD or INVALID_TIMESTAMP, naming the records as Kafka does (KIP-467). */
  get rejection(): Rejection | undefined {
    return this.broken ?? (this.rejectedCount > 0 ? refusal(this.rejected, this.error, this.rejectedCount) : undefined)
  }

  /** Skips records that differ from the one before in contents and number alone. */
  private skipSame(view: DataView, until: number): void {
    const { deltaAt, head, headMask, keyByte, reader, size, valueAt, valueMask, valueWord } = this
    const { bytes, end } = reader
    const below = Math.min(until, this.sameBelow)
    let index = this.index
    let at = reader.at
    for (; index < below && at + size <= end; index++, at += size) {
      // The offset delta in one byte or two, zigzag, and the length of the key behind it.
      const word = view.getInt32(at + deltaAt, true)
      const numbered =
        index < oneByteDeltas
          ? (word & 0xffff) === ((index << 1) | (keyByte << 8))
          : (word & 0xff_ffff) === (((index << 1) & 0x7f) | 0x80 | ((index >>> 6) << 8) | (keyByte << 16))
      const before = view.getInt32(at, true) & headMask
      if (!numbered || (before !== head && !this.isTimeAlone(before))) break
      if ((view.getInt16(at + valueAt, true) & valueMask) !== valueWord || bytes[at + size - 1] !== 0) break
    }
    this.index = index
    reader.at = at
  }

  /** Whether a record's first word differs in a time of one byte alone, and that lies between times that were right. */
  private isTimeAlone(word: number): boolean {
    if (((word ^ this.head) & ~this.timeMask) !== 0) return false
    const raw = (word & this.timeMask) >>> this.timeShift
    return (raw & 1) === 0 && raw >= this.timeLow && raw <= this.timeHigh
  }

  /** Reads the next record field by field. */
  private next(): void {
    const { reader } = this
    const batchEnd = reader.end
    const start = reader.at
    const size = reader.varint()
    const end = reader.at + size
    if (reader.failed || size < recordSizeMin - 1 || end > batchEnd) return this.breakOff()
    reader.end = end
    reader.byte()
    const timeAt = reader.at
    const timestampDelta = reader.varlong()
    const deltaAt = reader.at
    const offsetDelta = reader.varint()
    if (!reader.failed && offsetDelta !== this.index) {
      this.broken = invalid(`Record ${this.index} of the batch says that it is number ${offsetDelta}.`)
      return
    }
    const keyAt = reader.at
    const hasKey = this.skipBytes()
    const valueAt = reader.at
    this.skipBytes()
    const headersAt = reader.at
    this.skipHeaders()
    if (reader.failed || reader.at !== end) {
      this.broken = invalid(`The fields of record ${this.index} of the batch do not end where its length says.`)
      return
    }
    reader.end = batchEnd
    if (this.isTaken(timestampDelta, hasKey)) this.remember(start, timeAt, deltaAt, keyAt, valueAt, headersAt)
    else this.sameBelow = 0
    this.index++
  }

  /** Skips a key or a value; false where it is null, whose one length is -1. */
  private skipBytes(): boolean {
    const size = this.reader.varint()
    if (size >= 0) this.reader.skip(size)
    else if (size !== -1) this.reader.failed = true
    return size >= 0
  }

  private skipHeaders(): void {
    const { reader } = this
    const headers = reader.varint()
    if (headers < 0 || headers * headerSizeMin > reader.left) reader.failed = true
    for (let i = 0; i < headers && !reader.failed; i++) {
      const keySize = reader.varint()
      if (keySize < 0) reader.failed = true
      else reader.skip(keySize)
      this.skipBytes()
    }
  }

  private isTaken(timestampDelta: number, hasKey: boolean): boolean {
    const { needsKeys, times } = this.rules
    const timestamp = this.baseTimestamp + timestampDelta
    if (needsKeys && !hasKey) return this.reject("INVALID_RECORD", "A compacted topic takes no record without a key.")
    if (times !== undefined && timestamp !== -1 && !(timestamp >= times.from && timestamp <= times.to && Number.isSafeInteger(timestamp)))
      return this.reject("INVALID_TIMESTAMP", `Timestamp ${timestamp} is out of range: it should be from ${times.from} to ${times.to}.`)
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    return true
  }

  private reject(error: KafkaError, message: string): false {
    if (error === "INVALID_TIMESTAMP") this.error = error
    if (this.rejectedCount++ < rejectedRecordsMax) this.rejected.push({ index: this.index, message })
    return false
  }

  /** Keeps how the record was made, where the next one can be compared with it by words. */
  private remember(start: number, timeAt: number, deltaAt: number, keyAt: number, valueAt: number, headersAt: number): void {
    this.sameBelow = 0
    const { bytes, view } = this
    const valueByte = bytes[valueAt] as number
    const wide = valueByte > 0x7f
    const below = this.index < oneByteDeltas ? oneByteDeltas : twoByteDeltas
    const isPlain =
      deltaAt - start <= 4 &&
      keyAt - deltaAt === (below === oneByteDeltas ? 1 : 2) &&
      (bytes[keyAt] as number) <= 0x7f &&
      (!wide || (bytes[valueAt + 1] as number) <= 0x7f) &&
      bytes[headersAt] === 0 &&
      headersAt + 1 === this.reader.at
    if (view === undefined || !isPlain || this.index >= twoByteDeltas) return
    this.deltaAt = deltaAt - start
    this.headMask = this.deltaAt === 4 ? -1 : (1 << (8 * this.deltaAt)) - 1
    this.head = view.getInt32(start, true) & this.headMask
    this.keyByte = bytes[keyAt] as number
    this.valueAt = valueAt - start
    this.valueMask = wide ? -1 : 0xff
    this.valueWord = view.getInt16(valueAt, true) & this.valueMask
    this.size = this.reader.at - start
    this.sameBelow = below
    this.timeShift = 8 * (timeAt - start)
    this.timeMask = deltaAt - timeAt === 1 ? 0x7f << this.timeShift : 0
    const time = bytes[timeAt] as number
    // A record without a time (-1) is right wherever the topic's range is, so it is no bound of what is.
    if (this.timeMask === 0 || (time & 1) !== 0 || this.baseTimestamp < 0) return
    this.timeLow = Math.min(this.timeLow, time)
    this.timeHigh = Math.max(this.timeHigh, time)
  }

  private breakOff(): void {
    this.broken = invalid(`The batch does not hold the ${this.count} records that its header says.`)
  }
}

/** What a check of all records found: why the batch is refused, and otherwise the largest time in it, -1 where there is none. */
export type RecordsChecked = { readonly rejection: Rejection; readonly maxTimestamp?: never } | { readonly rejection?: never; readonly maxTimestamp: number }

/** Looks at every record of a batch at once, its payload decompressed; `at` is where the records begin in it. As RecordCheck. */
export const checkRecords = (batch: RecordBatch, payload: Uint8Array, rules: RecordRules, at = 0): RecordsChecked => {
  const check = new RecordCheck(batch, payload, at, rules)
  check.step(Number.POSITIVE_INFINITY)
  const { maxTimestamp, rejection } = check
  return rejection === undefined ? { maxTimestamp } : { rejection }
}
