import { Either } from "effect"
import type { Offset } from "../kernel/id.ts"
import { attribute, fieldAt, headerSize, lengthOverhead, RecordBatch } from "./batch.ts"
import type { Crc32c } from "./crc32c.ts"
import { writeInt16, writeInt32, writeInt64 } from "./int.ts"
import type { OffsetMap } from "./offset-map.ts"
import type { Decompress, Encoding } from "./record.ts"
import { RecordScan } from "./record-scan.ts"
import { varintSize, varlongSize, writeVarint, writeVarlong } from "./varint.ts"

/** A batch's records, decompressed to at most `bytesMax`; undefined where they cannot be. */
export const payloadOf = <Fault>(batch: RecordBatch, decompress: Decompress<Fault>, bytesMax: number): Uint8Array | undefined => {
  const { codec } = batch
  if (codec === "none" || batch.recordCount === 0) return batch.records
  return codec === undefined ? undefined : Either.getOrUndefined(decompress(codec, batch.records, bytesMax))
}

/**
 * How far a batch was entered into the map: the last offset that it covers now, whether the map was full before its
 * end, and whether the batch could be read.
 */
interface Mapped {
  readonly latest: Offset
  readonly isFull: boolean
  readonly isReadable: boolean
}

/**
 * Enters the keys of a batch's records, from offset `from` on. A batch that cannot be read counts as covered: it is
 * kept as it is. Control records have no keys of a user's.
 */
export const mapBatch = (map: OffsetMap, batch: RecordBatch, payload: Uint8Array | undefined, from: Offset): Mapped => {
  const { baseOffset, lastOffset } = batch
  if (batch.isControl) return { latest: lastOffset, isFull: false, isReadable: true }
  if (payload === undefined) return { latest: lastOffset, isFull: false, isReadable: false }
  const scan = new RecordScan(payload, batch.recordCount)
  let latest = baseOffset - 1
  while (scan.next()) {
    const offset = baseOffset + scan.offsetDelta
    if (scan.key !== null && offset >= from) {
      if (map.isFull) return { latest, isFull: true, isReadable: true }
      map.put(scan.key, offset)
    }
    latest = offset
  }
  return { latest: lastOffset, isFull: false, isReadable: !scan.failed }
}

/** What a round keeps; times in ms. */
export interface CompactionRules {
  readonly map: OffsetMap
  /** Offsets from here on are not in the map: their records all stay. */
  readonly mappedTo: Offset
  readonly now: number
  /** Kafka's `delete.retention.ms`: how long a tombstone stays after the round that met it first. */
  readonly deleteRetentionMs: number
  /**
   * Whether the batch is the last one of a producer that is remembered: it stays, without records if need be, so that
   * its sequence does (KIP-98).
   */
  readonly isLastOfProducer: (batch: RecordBatch) => boolean
}

/** Records of a round. */
export interface CompactionCount {
  read: number
  kept: number
  /** Batches that could not be opened, and were kept as they are. */
  unreadable: number
}

/**
 * What of a batch stays: `kept` has three numbers for each run of records, its start and end in the payload and how
 * many they are.
 */
interface Sifted {
  readonly kept: Array<number>
  count: number
  maxTimestamp: number
  hasTombstone: boolean
}

/**
 * Which records of a batch stay, as Kafka's log cleaner has it: the latest of each key, and what the map does not cover
 * yet; a tombstone until its horizon. A record without key is no key's latest value and goes. Undefined where the bytes
 * are no records.
 */
const sift = (batch: RecordBatch, payload: Uint8Array, { map, mappedTo, now }: CompactionRules): Sifted | undefined => {
  const { baseOffset, baseTimestamp, deleteHorizonMs, recordCount } = batch
  const keepsTombstones = deleteHorizonMs === undefined || now < deleteHorizonMs
  const sifted: Sifted = { kept: [], count: 0, maxTimestamp: -1, hasTombstone: false }
  const { kept } = sifted
  const scan = new RecordScan(payload, recordCount)
  while (scan.next()) {
    const offset = baseOffset + scan.offsetDelta
    if (offset < mappedTo && (scan.key === null || offset < map.get(scan.key) || !(scan.hasValue || keepsTombstones))) continue
    sifted.count++
    sifted.hasTombstone ||= !scan.hasValue
    sifted.maxTimestamp = Math.max(sifted.maxTimestamp, baseTimestamp + scan.timestampDelta)
    const last = kept.length - 3
    if (kept[last + 1] === scan.start) {
      kept[last + 1] = scan.end
      kept[last + 2] = (kept[last + 2] as number) + 1
    } else kept.push(scan.start, scan.end, 1)
  }
  return scan.failed || !Number.isSafeInteger(sifted.maxTimestamp) ? undefined : sifted
}

/**
 * One record with its timestamp delta moved by `shift`; without `into` only its size is counted. Answers where the next
 * one goes.
 */
const writeShifted = ({ afterTimestamp, end, payload, timestampDelta }: RecordScan, shift: number, into: Uint8Array | undefined, to: number): number => {
  const delta = timestampDelta + shift
  const size = 1 + varlongSize(delta) + end - afterTimestamp
  if (into === undefined) return to + varintSize(size) + size
  let at = writeVarint(into, to, size)
  into[at++] = 0
  at = writeVarlong(into, at, delta)
  into.set(payload.subarray(afterTimestamp, end), at)
  return at + end - afterTimestamp
}

/** The records that stay, one after the other, from `to` on. */
const writeKept = (payload: Uint8Array, kept: ReadonlyArray<number>, shift: number, into: Uint8Array | undefined, to: number): number => {
  let at = to
  for (let i = 0; i < kept.length; i += 3) {
    const run = payload.subarray(kept[i], kept[i + 1])
    if (shift === 0) {
      into?.set(run, at)
      at += run.length
      continue
    }
    const scan = new RecordScan(run, kept[i + 2] as number)
    while (scan.next()) at = writeShifted(scan, shift, into, at)
  }
  return at
}

/** The header of `batch` over other records: offsets, sequence, producer, epoch and kinds stay what they are. */
const finish = (
  bytes: Uint8Array,
  batch: RecordBatch,
  attributes: number,
  baseTimestamp: number,
  { count, maxTimestamp }: Sifted,
  crc32c: Crc32c
): RecordBatch => {
  bytes.set(batch.bytes.subarray(0, headerSize))
  writeInt32(bytes, fieldAt.batchLength, bytes.length - lengthOverhead)
  writeInt16(bytes, fieldAt.attributes, attributes)
  writeInt64(bytes, fieldAt.baseTimestamp, baseTimestamp)
  writeInt64(bytes, fieldAt.maxTimestamp, batch.timestampType === "LogAppendTime" || count === 0 ? batch.maxTimestamp : maxTimestamp)
  writeInt32(bytes, fieldAt.recordCount, count)
  writeInt32(bytes, fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  return new RecordBatch(bytes)
}

/** A batch of the header alone: it keeps the place of its offsets and its producer's sequence. */
const emptied = (batch: RecordBatch, sifted: Sifted, crc32c: Crc32c): RecordBatch =>
  finish(new Uint8Array(headerSize), batch, batch.attributes & ~(attribute.codec | attribute.deleteHorizon), batch.maxTimestamp, sifted, crc32c)

/**
 * What stays of a batch in a round: the batch itself where all of it does, another one with the records that do, in its
 * codec, or undefined. Offsets, sequences, epochs and timestamps stay. A tombstone that is met for the first time gets
 * its batch a delete horizon: attribute bit 6, and the base timestamp says when (KIP-534). Control batches stay as they
 * are, and so does a batch that cannot be opened: it is unknown what would be lost. `payload` is what `payloadOf` gave.
 * The caller has checked the CRC: a damaged batch must not get a right one here.
 */
export const compactBatch = (
  batch: RecordBatch,
  payload: Uint8Array | undefined,
  rules: CompactionRules,
  { compress, crc32c }: Encoding,
  count: CompactionCount
): RecordBatch | undefined => {
  const sifted = batch.isControl || payload === undefined ? undefined : sift(batch, payload, rules)
  count.read += batch.recordCount
  count.kept += sifted?.count ?? batch.recordCount
  if (sifted === undefined || payload === undefined) {
    if (!batch.isControl) count.unreadable++
    return batch
  }
  if (sifted.count === 0) {
    if (!batch.hasProducerId || !rules.isLastOfProducer(batch)) return undefined
    return batch.recordCount === 0 ? batch : emptied(batch, sifted, crc32c)
  }
  const isMarked = sifted.hasTombstone && batch.deleteHorizonMs === undefined
  if (sifted.count === batch.recordCount && !isMarked) return batch
  const baseTimestamp = isMarked ? rules.now + rules.deleteRetentionMs : batch.baseTimestamp
  const shift = batch.baseTimestamp - baseTimestamp
  const attributes = batch.attributes | (isMarked ? attribute.deleteHorizon : 0)
  const codec = batch.codec ?? "none"
  const before = codec === "none" ? headerSize : 0
  let bytes = new Uint8Array(writeKept(payload, sifted.kept, shift, undefined, before))
  writeKept(payload, sifted.kept, shift, bytes, before)
  if (codec !== "none") {
    const packed = compress(codec, bytes)
    bytes = new Uint8Array(headerSize + packed.length)
    bytes.set(packed, headerSize)
  }
  return finish(bytes, batch, attributes, baseTimestamp, sifted, crc32c)
}
