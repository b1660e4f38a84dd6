import type { RecordToWrite } from "../../../../domain/log/record.ts"

/** What a record takes besides its key, value and headers, at most: lengths, deltas, attributes. */
const recordOverhead = 30

/** Bytes of a record in a batch, at most. */
export const sizeOf = ({ headers, key, value }: RecordToWrite): number => {
  let size = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0)
  // A header's key may take three bytes a character.
  if (headers !== undefined) for (const header of headers) size += 10 + header.key.length * 3 + (header.value?.length ?? 0)
  return size
}
