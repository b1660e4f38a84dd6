import type { KafkaError, RejectedRecord, Rejection } from "../kernel/error-code.ts"
import type { RecordBatch } from "./batch.ts"
import { RecordScan } from "./record-scan.ts"
import { VarReader } from "./varint.ts"

/** What the records of a batch must be like, where a topic's settings make the broker look at them. Times in ms. */
export interface RecordRules {
  /** Whether a record must have a key: compaction knows records by it. */
  readonly needsKeys: boolean
  /** The earliest and the latest time that a record may have; one without a time (-1) has none to check. Undefined where the broker's own time counts. */
  readonly times: { readonly from: number; readonly to: number } | undefined
}

/** Records that an answer names: each takes some 100 bytes of it, and a batch may have a million. */
const rejectedRecordsMax = 1000
const headerSizeMin = 2

const invalid = (message: string): Rejection => ({ error: "INVALID_RECORD", message })

/** Whether what stands behind the timestamp of a record is an offset, a key, a value and headers that end where the record does. */
const endsRight = (reader: VarReader, end: number): boolean => {
  reader.varint()
  const sized = (): void => {
    const size = reader.varint()
    // Null has the one length -1.
    if (size < -1) reader.failed = true
    else if (size > 0) reader.view(size)
  }
  sized()
  sized()
  const headers = reader.varint()
  if (headers < 0 || headers * headerSizeMin > end - reader.at) return false
  for (let i = 0; i < headers && !reader.failed; i++) {
    const keySize = reader.varint()
    if (keySize < 0) return false
    reader.view(keySize)
    sized()
  }
  return !reader.failed && reader.at === end
}

/** What a check of all records found: why the batch is refused, and otherwise the largest time in it, -1 where there is none. */
export type RecordsChecked = { readonly rejection: Rejection; readonly maxTimestamp?: never } | { readonly rejection?: never; readonly maxTimestamp: number }

const refusal = (records: ReadonlyArray<RejectedRecord>, error: KafkaError, count: number): Rejection => ({
  error,
  message: `${count} of the batch's records ${error === "INVALID_TIMESTAMP" ? "have a time that the topic's settings do not allow" : "cannot be taken"}: ${records[0]?.message}`,
  records
})

/**
 * Looks at every record of a batch, its payload unpacked: that they are as many as the header says, follow each other, end where they say, and keep the rules.
 * INVALID_RECORD or INVALID_TIMESTAMP, naming the records as Kafka does (KIP-467). Nothing is kept of a record.
 */
export const checkRecords = (batch: RecordBatch, payload: Uint8Array, { needsKeys, times }: RecordRules): RecordsChecked => {
  const { baseTimestamp, recordCount } = batch
  const scan = new RecordScan(payload, recordCount)
  const rejected: Array<RejectedRecord> = []
  let count = 0
  let error: KafkaError = "INVALID_RECORD"
  let maxTimestamp = -1
  const reject = (index: number, message: string): void => {
    count++
    if (rejected.length < rejectedRecordsMax) rejected.push({ index, message })
  }
  for (let index = 0; scan.next(); index++) {
    if (scan.offsetDelta !== index) return { rejection: invalid(`Record ${index} of the batch says that it is number ${scan.offsetDelta}.`) }
    if (!endsRight(new VarReader(payload, scan.afterTimestamp, scan.end), scan.end))
      return { rejection: invalid(`The fields of record ${index} of the batch do not end where its length says.`) }
    const timestamp = baseTimestamp + scan.timestampDelta
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
    if (needsKeys && scan.key === null) reject(index, "A compacted topic takes no record without a key.")
    else if (times !== undefined && timestamp !== -1 && !(timestamp >= times.from && timestamp <= times.to)) {
      error = "INVALID_TIMESTAMP"
      reject(index, `Timestamp ${timestamp} is out of range: it should be from ${times.from} to ${times.to}.`)
    }
  }
  if (scan.failed) return { rejection: invalid(`The batch does not hold the ${recordCount} records that its header says.`) }
  return count > 0 ? { rejection: refusal(rejected, error, count) } : { maxTimestamp }
}
