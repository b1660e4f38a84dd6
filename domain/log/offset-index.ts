import type { Offset } from "../kernel/id.ts"
import { readInt32, writeInt32 } from "./int.ts"

/**
 * A `.index` file: entries of offset (int32, relative to the segment's base) and position in the `.log` file (int32),
 * both rising. The offset is the last one of the batch at that position.
 */
export const offsetEntrySize = 8

export interface OffsetEntry {
  readonly offset: Offset
  readonly position: number
}

/** Writes the entry into slot `slot` of `bytes`. */
export const writeOffsetEntry = (bytes: Uint8Array, slot: number, baseOffset: Offset, { offset, position }: OffsetEntry): void => {
  writeInt32(bytes, slot * offsetEntrySize, offset - baseOffset)
  writeInt32(bytes, slot * offsetEntrySize + 4, position)
}

export const offsetEntryAt = (bytes: Uint8Array, slot: number, baseOffset: Offset): OffsetEntry => ({
  offset: baseOffset + readInt32(bytes, slot * offsetEntrySize),
  position: readInt32(bytes, slot * offsetEntrySize + 4)
})

/** How many of the first `count` slots hold an offset of at most `relative`. */
const countUpTo = (bytes: Uint8Array, count: number, relative: number): number => {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    if (readInt32(bytes, middle * offsetEntrySize) <= relative) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Where to start reading for `offset`: the last of `count` entries at or before it, or the segment's start. The batch
 * that holds `offset` starts there or later.
 */
export const lookupOffset = (bytes: Uint8Array, count: number, baseOffset: Offset, offset: Offset): OffsetEntry => {
  const found = countUpTo(bytes, count, offset - baseOffset)
  return found === 0 ? { offset: baseOffset, position: 0 } : offsetEntryAt(bytes, found - 1, baseOffset)
}

/**
 * Why `bytes` cannot be the offset index of a segment of `logBytes` bytes, as a sentence; undefined when they can. An
 * index is a cache: one that cannot be is rebuilt.
 */
export const offsetIndexFault = (bytes: Uint8Array, logBytes: number): string | undefined => {
  if (bytes.length % offsetEntrySize !== 0) return `its ${bytes.length} bytes are no whole entries of ${offsetEntrySize}`
  let offset = -1
  let position = -1
  for (let at = 0; at < bytes.length; at += offsetEntrySize) {
    const nextOffset = readInt32(bytes, at)
    const nextPosition = readInt32(bytes, at + 4)
    if (nextOffset <= offset || nextPosition <= position) return `entry ${at / offsetEntrySize} does not rise`
    offset = nextOffset
    position = nextPosition
  }
  return position >= logBytes && bytes.length > 0 ? `its last entry points to ${position}, after the log's ${logBytes} bytes` : undefined
}
