import { readInt64, writeInt64 } from "../../domain/log/int.ts"
import type { Snapshot } from "../../src/ports/journal.ts"
import type { StreamPartition } from "./stream-partition.ts"

const indexBytes = 8

/** The name of the checkpoint that holds a stream's snapshot. */
export const snapshotName = ({ name }: StreamPartition): string => `${name}.snapshot`

/** The document of a snapshot: its index as an int64, then its value. */
export const encodeSnapshot = ({ index, value }: Snapshot): Uint8Array => {
  const bytes = new Uint8Array(indexBytes + value.length)
  writeInt64(bytes, 0, index)
  bytes.set(value, indexBytes)
  return bytes
}

/** Reads the document of a snapshot; undefined for bytes that are too short. */
export const decodeSnapshot = (bytes: Uint8Array): Snapshot | undefined =>
  bytes.length < indexBytes ? undefined : { index: readInt64(bytes, 0), value: bytes.subarray(indexBytes) }
