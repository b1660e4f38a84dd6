import type { RecordHeader, RecordToWrite } from "../../../../domain/log/record.ts"

/** What a record takes besides its key, value and headers, at most: lengths, deltas, attributes. */
const recordOverheadBytes = 30
/** What a header takes besides its key and value, at most. */
const headerOverheadBytes = 10
/** Bytes of one UTF-16 code unit in UTF-8, at most. */
const characterBytesMax = 3

/** Bytes of a record in a batch, at most. */
export const sizeOf = ({ headers, key, value }: RecordToWrite): number => sizeOfParts(key, value, headers)
/** As `sizeOf`, for a record that is not made yet. */
export const sizeOfParts = (key: Uint8Array | null, value: Uint8Array | null, headers: ReadonlyArray<RecordHeader> | undefined): number => {
  let size = recordOverheadBytes + (key === null ? 0 : key.length) + (value === null ? 0 : value.length)
  if (headers !== undefined) for (const header of headers) size += headerOverheadBytes + header.key.length * characterBytesMax + (header.value?.length ?? 0)
  return size
}
