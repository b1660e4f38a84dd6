import type { Offset } from "../kernel/id.ts"
import { readInt32, readInt64, writeInt32, writeInt64 } from "./int.ts"

/**
 * A `.timeindex` file: entries of timestamp (int64, ms, rising) and offset (int32, relative to the segment's base): no
 * record before that offset has a larger timestamp.
 */
export const timeEntrySize = 12

export interface TimeEntry {
  readonly timestamp: number
  readonly offset: Offset
}

/** Writes the entry into slot `slot` of `bytes`. */
export const writeTimeEntry = (bytes: Uint8Array, slot: number, baseOffset: Offset, { offset, timestamp }: TimeEntry): void => {
  writeInt64(bytes, slot * timeEntrySize, timestamp)
  writeInt32(bytes, slot * timeEntrySize + 8, offset - baseOffset)
}

export const timeEntryAt = (bytes: Uint8Array, slot: number, baseOffset: Offset): TimeEntry => ({
  timestamp: readInt64(bytes, slot * timeEntrySize),
  offset: baseOffset + readInt32(bytes, slot * timeEntrySize + 8)
})

/**
 * The last of `count` entries with a timestamp below `timestamp`: the first batch with at least that timestamp ends
 * after its offset. Undefined: read from the segment's start.
 */
export const lookupTimestamp = (bytes: Uint8Array, count: number, baseOffset: Offset, timestamp: number): TimeEntry | undefined => {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (readInt64(bytes, middle * timeEntrySize) < timestamp) low = middle + 1
    else high = middle
  }
  return low === 0 ? undefined : timeEntryAt(bytes, low - 1, baseOffset)
}

/**
 * Why `bytes` cannot be the time index of a segment whose next offset is `end`, as a sentence; undefined when they can.
 */
export const timeIndexFault = (bytes: Uint8Array, baseOffset: Offset, end: Offset): string | undefined => {
  if (bytes.length % timeEntrySize !== 0) return `its ${bytes.length} bytes are no whole entries of ${timeEntrySize}`
  let timestamp = -1
  let offset = baseOffset - 1
  for (let slot = 0; slot < bytes.length / timeEntrySize; slot++) {
    const entry = timeEntryAt(bytes, slot, baseOffset)
    if (entry.timestamp <= timestamp || entry.offset < offset || entry.offset < baseOffset) return `entry ${slot} does not rise`
    timestamp = entry.timestamp
    offset = entry.offset
  }
  return bytes.length > 0 && offset >= end ? `its last entry names offset ${offset}, the log ends at ${end}` : undefined
}
