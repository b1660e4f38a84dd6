import { headerSize, RecordBatch } from "../../domain/log/batch.ts"
import { encodeBatch, type RecordToWrite } from "../../domain/log/record.ts"
import { checkRecords, type RecordRules } from "../../domain/log/record-check.ts"
import type { RecordWalk } from "../../domain/log/record-walk.ts"
import { compiledWalk } from "./record-walk.ts"

const text = new TextEncoder()
/**
 * Records of all kinds that the walk distinguishes: runs of equal shape, other lengths and times, and with headers;
 * their indexes have one byte and two.
 */
const samples = (): ReadonlyArray<RecordBatch> => {
  const value = new Uint8Array(300)
  const alike = Array.from({ length: 90 }, (): RecordToWrite => ({ timestamp: 1000, key: null, value: value.subarray(0, 90) }))
  const mixed = Array.from(
    { length: 90 },
    (_, i): RecordToWrite => ({
      timestamp: 1000 + ((i * 37) % 300) * (i % 11),
      key: i % 3 === 0 ? null : value.subarray(0, i),
      value: i % 7 === 0 ? null : value.subarray(0, (i * 31) % 300),
      headers: i % 5 === 0 ? [{ key: "h", value: text.encode("v") }] : []
    })
  )
  return [alike, mixed].map((records) => new RecordBatch(encodeBatch({ codec: "none", records }, { crc32c: () => 0, compress: (_, bytes) => bytes })))
}

const rules: RecordRules = { needsKeys: false, times: undefined }
const agrees = (walk: RecordWalk, batch: RecordBatch, bytes: Uint8Array): boolean => {
  const deltas = walk(bytes, headerSize, bytes.length, batch.recordCount, false)
  return deltas === undefined || checkRecords(batch, bytes, rules, headerSize).maxTimestamp === Math.max(batch.baseTimestamp + deltas.max, -1)
}

/** Whether a candidate accepts sound batches, and accepts no changed batch that RecordCheck refuses. */
export const walkPassesSelfTest = (walk: RecordWalk): boolean =>
  samples().every((batch) => {
    const { bytes, recordCount } = batch
    if (walk(bytes, headerSize, bytes.length, recordCount, false) === undefined || !agrees(walk, batch, bytes)) return false
    if (
      walk(bytes, headerSize, bytes.length, recordCount - 1, false) !== undefined ||
      walk(bytes, headerSize, bytes.length - 1, recordCount, false) !== undefined
    )
      return false
    // The fields of the first records, and some bytes behind them.
    return Array.from({ length: 20 }, (_, i) => headerSize + (i < 12 ? i : i * 197)).every((at) => {
      const changed = bytes.slice()
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      return agrees(walk, batch, changed)
    })
  })

const none: RecordWalk = () => undefined

const choose = (): RecordWalk => {
  try {
    const walk = compiledWalk()
    return walkPassesSelfTest(walk) ? walk : none
  } catch {
    return none
  }
}

/**
 * The compiled walk where it works and passes its self-test; elsewhere one that always returns undefined. It is compiled
 * for the first batch, which takes 5 ms.
 */
export const lazyWalk = (): RecordWalk => {
  let chosen: RecordWalk | undefined
  return (bytes, at, end, count, needsKeys) => (chosen ??= choose())(bytes, at, end, count, needsKeys)
}
