import { HashMap } from "effect"
import type { Offset } from "../kernel/id.ts"
import type { Crc32c } from "./crc32c.ts"
import type { EpochStart } from "./epoch-checkpoint.ts"
import { readBigInt64, readInt16, readInt32, readInt64, readUint32, writeBigInt64, writeInt16, writeInt32, writeInt64 } from "./int.ts"
import { batchesKeptMax, type ProducerBatch, type ProducerEntry, type ProducerState } from "./producer-state.ts"
import { noSequence, sequenceMax } from "./sequence.ts"

/** What is known of the producers of a partition when everything before some offset is folded. */
interface ProducerSnapshot {
  readonly producers: ProducerState
  /**
   * The newest leader epochs that have batches before that offset, rising, at most `epochsMax`. Undefined in a snapshot
   * that Apache Kafka wrote: its format has no room for them.
   */
  readonly epochs: ReadonlyArray<EpochStart> | undefined
}

/*
 * Kafka's `.snapshot`: version (int16), CRC-32C of all that follows it (uint32), an array of entries. Kafka keeps of each producer its last batch alone, so a retry of the
 * one before it is out of order after a restart. Here a restart changes nothing: the older batches follow after the array, where Kafka's readers do not look.
 */
const version = 1
const at = { crc: 2, count: 6, entries: 10 } as const
/**
 * producerId (int64), epoch (int16), lastSequence (int32), lastOffset (int64), offsetDelta (int32), timestamp (int64),
 * coordinatorEpoch (int32), currentTxnFirstOffset (int64).
 */
const entryBytes = 46
const entryAt = { producerId: 0, epoch: 8, lastSequence: 10, lastOffset: 14, offsetDelta: 22, timestamp: 26, coordinatorEpoch: 34, txnFirstOffset: 38 } as const

/**
 * "CFPT": magic (int32), how many epochs (int32), each with its first offset (int32, int64); then for each entry in the
 * same order when it was last seen (int64), how many older batches follow (int8), and those.
 */
const trailerMagic = 0x43465054
const trailerHeadBytes = 8
const epochBytes = 12
/** Epochs that a snapshot holds: all of them, for nearly every log. */
export const epochsMax = 100
const trailerEntryBytes = 9
/** firstSequence (int32), lastSequence (int32), firstOffset (int64), lastOffset (int64), timestamp (int64). */
const batchBytes = 32

const olderOf = ({ batches }: ProducerEntry): ReadonlyArray<ProducerBatch> => batches.slice(0, -1)

/**
 * The bytes of a snapshot file; some 55 a producer, and 32 more for each older batch that is remembered. `epochs` as
 * `ProducerSnapshot.epochs`; older ones are left out.
 */
export const encodeProducerSnapshot = (producers: ProducerState, epochs: ReadonlyArray<EpochStart>, crc32c: Crc32c): Uint8Array => {
  const newest = epochs.slice(-epochsMax)
  const entries = [...producers.entries]
  const olderCount = entries.reduce((sum, [, { batches }]) => sum + Math.max(0, batches.length - 1), 0)
  const trailer = at.entries + entries.length * entryBytes
  const bytes = new Uint8Array(trailer + trailerHeadBytes + newest.length * epochBytes + entries.length * trailerEntryBytes + olderCount * batchBytes)
  writeInt16(bytes, 0, version)
  writeInt32(bytes, at.count, entries.length)
  writeInt32(bytes, trailer, trailerMagic)
  writeInt32(bytes, trailer + 4, newest.length)
  let position = trailer + trailerHeadBytes
  for (const { epoch, offset } of newest) {
    writeInt32(bytes, position, epoch)
    writeInt64(bytes, position + 4, offset)
    position += epochBytes
  }
  for (const [i, [producerId, entry]] of entries.entries()) {
    const last = entry.batches.at(-1)
    const from = at.entries + i * entryBytes
    writeBigInt64(bytes, from + entryAt.producerId, producerId)
    writeInt16(bytes, from + entryAt.epoch, entry.epoch)
    writeInt32(bytes, from + entryAt.lastSequence, last?.lastSequence ?? noSequence)
    writeInt64(bytes, from + entryAt.lastOffset, last?.lastOffset ?? -1)
    writeInt32(bytes, from + entryAt.offsetDelta, last === undefined ? 0 : last.lastOffset - last.firstOffset)
    writeInt64(bytes, from + entryAt.timestamp, last?.timestamp ?? entry.lastSeen)
    writeInt32(bytes, from + entryAt.coordinatorEpoch, -1)
    writeInt64(bytes, from + entryAt.txnFirstOffset, -1)
    position = writeTrailerEntry(bytes, position, entry)
  }
  writeInt32(bytes, at.crc, crc32c(bytes, at.count))
  return bytes
}

const writeTrailerEntry = (bytes: Uint8Array, from: number, entry: ProducerEntry): number => {
  const older = olderOf(entry)
  writeInt64(bytes, from, entry.lastSeen)
  bytes[from + 8] = older.length
  let position = from + trailerEntryBytes
  for (const { firstOffset, firstSequence, lastOffset, lastSequence, timestamp } of older) {
    writeInt32(bytes, position, firstSequence)
    writeInt32(bytes, position + 4, lastSequence)
    writeInt64(bytes, position + 8, firstOffset)
    writeInt64(bytes, position + 16, lastOffset)
    writeInt64(bytes, position + 24, timestamp)
    position += batchBytes
  }
  return position
}

/** Reads the trailer in step with the entries. Undefined fields where there is none. */
class Trailer {
  private position: number
  readonly epochs: ReadonlyArray<EpochStart> | undefined

  constructor(
    private readonly bytes: Uint8Array,
    from: number
  ) {
    const first = from + trailerHeadBytes
    const isThere = first <= bytes.length && readInt32(bytes, from) === trailerMagic
    const count = isThere ? readInt32(bytes, from + 4) : 0
    const isWhole = isThere && count >= 0 && count <= epochsMax && first + count * epochBytes <= bytes.length
    this.epochs = isWhole
      ? Array.from({ length: count }, (_, i) => ({ epoch: readInt32(bytes, first + i * epochBytes), offset: readInt64(bytes, first + i * epochBytes + 4) }))
      : undefined
    this.position = first + (isWhole ? count * epochBytes : 0)
  }

  /** Undefined where the bytes are not what they should be. */
  next(): { readonly lastSeen: number; readonly older: ReadonlyArray<ProducerBatch> } | undefined {
    const { bytes, position: from } = this
    if (from + trailerEntryBytes > bytes.length) return undefined
    const count = bytes[from + 8] as number
    this.position = from + trailerEntryBytes + count * batchBytes
    if (count >= batchesKeptMax || this.position > bytes.length) return undefined
    const older = Array.from({ length: count }, (_, i) => {
      const one = from + trailerEntryBytes + i * batchBytes
      return {
        firstSequence: readInt32(bytes, one),
        lastSequence: readInt32(bytes, one + 4),
        firstOffset: readInt64(bytes, one + 8),
        lastOffset: readInt64(bytes, one + 16),
        timestamp: readInt64(bytes, one + 24)
      }
    })
    return { lastSeen: readInt64(bytes, from), older }
  }
}

const lastBatch = (bytes: Uint8Array, from: number): ReadonlyArray<ProducerBatch> => {
  const lastSequence = readInt32(bytes, from + entryAt.lastSequence)
  const lastOffset: Offset = readInt64(bytes, from + entryAt.lastOffset)
  const delta = readInt32(bytes, from + entryAt.offsetDelta)
  if (lastSequence === noSequence) return []
  const firstSequence = lastSequence >= delta ? lastSequence - delta : lastSequence - delta + sequenceMax + 1
  return [{ firstSequence, lastSequence, firstOffset: lastOffset - delta, lastOffset, timestamp: readInt64(bytes, from + entryAt.timestamp) }]
}

/**
 * What a snapshot file holds; undefined for anything but a whole one: torn, damaged, or of a version that no code here
 * knows.
 */
export const decodeProducerSnapshot = (bytes: Uint8Array, crc32c: Crc32c): ProducerSnapshot | undefined => {
  if (bytes.length < at.entries || readInt16(bytes, 0) !== version) return undefined
  if (readUint32(bytes, at.crc) !== crc32c(bytes, at.count)) return undefined
  const count = readInt32(bytes, at.count)
  const end = at.entries + count * entryBytes
  if (count < 0 || end > bytes.length) return undefined
  const trailer = new Trailer(bytes, end)
  let entries: ProducerState["entries"] = HashMap.empty()
  for (let from = at.entries; from < end; from += entryBytes) {
    const more = trailer.epochs === undefined ? { lastSeen: readInt64(bytes, from + entryAt.timestamp), older: [] } : trailer.next()
    if (more === undefined) return undefined
    const entry: ProducerEntry = { epoch: readInt16(bytes, from + entryAt.epoch), batches: [...more.older, ...lastBatch(bytes, from)], lastSeen: more.lastSeen }
    entries = HashMap.set(entries, readBigInt64(bytes, from + entryAt.producerId), entry)
  }
  return { producers: { entries }, epochs: trailer.epochs }
}
