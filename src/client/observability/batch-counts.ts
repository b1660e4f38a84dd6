/** Positions in the header of a record batch of version 2 (KIP-98). */
const at = { length: 8, magic: 16, lastOffsetDelta: 23, records: 57 } as const
const headerBytes = 61
/** Bytes before those that `length` counts. */
const prefixBytes = 12

interface BatchCounts {
  readonly records: number
  /** The offset after the last batch; undefined without a whole batch. */
  readonly nextOffset: number | undefined
}
const empty: BatchCounts = { records: 0, nextOffset: undefined }

/** Counts the records of batches by their headers. Batches that are cut off, or of older versions, are left out. */
export const batchCounts = (bytes: Uint8Array | undefined): BatchCounts => {
  if (bytes === undefined || bytes.length < headerBytes) return empty
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let records = 0
  let nextOffset: number | undefined
  for (let from = 0; from + headerBytes <= bytes.length; ) {
    const end = from + prefixBytes + view.getInt32(from + at.length)
    if (end < from + headerBytes || end > bytes.length || view.getInt8(from + at.magic) !== 2) break
    records += Math.max(0, view.getInt32(from + at.records))
    nextOffset = Number(view.getBigInt64(from)) + view.getInt32(from + at.lastOffsetDelta) + 1
    from = end
  }
  return { records, nextOffset }
}
