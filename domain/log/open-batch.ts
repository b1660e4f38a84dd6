import { Either } from "effect"
import type { Rejection } from "../kernel/error-code.ts"
import { attribute, fieldAt, headerSize, lengthOverhead, RecordBatch, verify } from "./batch.ts"
import { type Codec, codecId } from "./codec.ts"
import type { Crc32c } from "./crc32c.ts"
import { writeInt16, writeInt32, writeInt64 } from "./int.ts"
import { recordSizeMin } from "./record.ts"

import { checkRecords, RecordCheck, type RecordRules, type RecordsChecked } from "./record-check.ts"

import { RecordScan } from "./record-scan.ts"
import type { RecordWalk } from "./record-walk.ts"

/** What unpacking may say against some bytes. */
interface PackFault {
  readonly kind: "corrupt" | "tooLarge"
  readonly message: string
}
/** The codecs (the port Compression). */
export interface Packing {
  readonly compress: (codec: Codec, bytes: Uint8Array, level?: number) => Uint8Array
  readonly decompress: (codec: Codec, bytes: Uint8Array, maxBytes: number) => Either.Either<Uint8Array, PackFault>
  /**
   * No more than this many bytes come out of `bytes`, told without decompressing them; 0 where they are not of the
   * codec.
   */
  readonly sizeBound: (codec: Codec, bytes: Uint8Array) => number
  /** Why other clients than ours do not read the bytes, as a sentence; undefined where they do. */
  readonly frameRefusal: (codec: Codec, bytes: Uint8Array) => string | undefined
}

/**
 * What the broker does with the records of every batch of a topic; there are no such rules where the header is enough.
 */
export interface OpeningRules {
  /** `compression.type`; undefined where it is the producer's. A batch that has the codec already stays as it came. */
  readonly codec: Codec | undefined
  /** `compression.CODEC.level`; undefined: the codec's own. */
  readonly level: number | undefined
  /** `cleanup.policy` with compact. */
  readonly needsKeys: boolean
  /**
   * `max.decompressed.message.bytes`: bytes of one record of a compressed batch. Undefined: no bound but that of a
   * batch.
   */
  readonly recordBytesMax?: number | undefined
}

/**
 * A batch unpacks to this many times its size at most, and to no more than so many bytes, unless max.message.bytes is
 * more: what is beyond is a bomb.
 */
const ratioMax = 100
const unpackedBytesMax = 8 * 1024 * 1024

/** Bytes to which a batch may unpack. */
const unpackedMax = ({ records }: RecordBatch, batchBytesMax: number): number => Math.max(batchBytesMax, Math.min(records.length * ratioMax, unpackedBytesMax))

/**
 * INVALID_RECORD where a compressed batch says more records than its bytes can hold decompressed, or is not of its
 * codec. Nothing is decompressed: a header that claims two thousand million records would take as many offsets.
 */
export const countRejection = ({ codec, recordCount, records, sizeInBytes }: RecordBatch, { sizeBound }: Pick<Packing, "sizeBound">): Rejection | undefined => {
  if (codec === undefined) return undefined
  const bound = sizeBound(codec, records)
  if (recordCount * recordSizeMin <= bound) return undefined
  return {
    error: "INVALID_RECORD",
    message: `${recordCount} records do not fit into a ${codec} batch of ${sizeInBytes} bytes: it decompresses to ${bound} at most.`
  }
}

/**
 * The payload of a compressed batch: MESSAGE_TOO_LARGE for one that decompresses to too much, INVALID_RECORD for one
 * that does not decompress, or that other clients do not read.
 */
export const unpacked = (
  batch: RecordBatch,
  { decompress, frameRefusal }: Pick<Packing, "decompress" | "frameRefusal">,
  batchBytesMax: number
): Either.Either<Uint8Array, Rejection> => {
  const codec = batch.codec ?? "none"
  if (codec === "none") return Either.right(batch.records)
  const refusal = frameRefusal(codec, batch.records)
  if (refusal !== undefined) return Either.left({ error: "INVALID_RECORD", message: `No consumer could read the ${codec} batch. ${refusal}` })
  return Either.mapLeft(decompress(codec, batch.records, unpackedMax(batch, batchBytesMax)), ({ kind, message }) => ({
    error: kind === "tooLarge" ? "MESSAGE_TOO_LARGE" : "INVALID_RECORD",
    message: `The broker looks at every record of this topic, and the batch does not decompress. ${message}`
  }))
}

/** The same records in another codec: offsets, times, producer, sequence and kinds stay. */
const repacked = (batch: RecordBatch, payload: Uint8Array, codec: Codec, level: number | undefined, maxTimestamp: number, packing: Packing, crc32c: Crc32c) => {
  const packed = packing.compress(codec, payload, level)
  const bytes = new Uint8Array(headerSize + packed.length)
  bytes.set(batch.bytes.subarray(0, headerSize))
  bytes.set(packed, headerSize)
  writeInt32(bytes, fieldAt.batchLength, bytes.length - lengthOverhead)
  writeInt16(bytes, fieldAt.attributes, (batch.attributes & ~attribute.codec) | codecId(codec))
  writeInt64(bytes, fieldAt.maxTimestamp, maxTimestamp)
  writeInt32(bytes, fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  return new RecordBatch(bytes)
}

export interface OpeningContext {
  readonly rules: OpeningRules
  readonly packing: Packing
  readonly crc32c: Crc32c
  readonly times: RecordRules["times"]
  readonly batchBytesMax: number
  /** Undefined where no native code walks over records. */
  readonly walkRecords?: RecordWalk | undefined
}

/** What the records of a batch were found to be. */
export interface Inspection {
  readonly batch: RecordBatch
  /** Decompressed; the batch itself where it is not compressed, or does not decompress. */
  readonly payload: Uint8Array
  readonly checked: RecordsChecked
}

const inspect = (batch: RecordBatch, { batchBytesMax, packing, rules, times, walkRecords }: OpeningContext): Either.Either<Inspection, Rejection> => {
  const { bytes, codec } = batch
  if (codec === "none")
    return Either.right({ batch, payload: bytes, checked: checkRecords(batch, bytes, { needsKeys: rules.needsKeys, times }, headerSize, walkRecords) })
  return Either.map(unpacked(batch, packing, batchBytesMax), (payload) => ({
    batch,
    payload,
    checked: checkRecords(batch, payload, { needsKeys: rules.needsKeys, times }, 0, walkRecords)
  }))
}

/**
 * Bytes that are decompressed, and records that are looked at, in one go: about a millisecond of processor time, and
 * 0.1 ms.
 */
const unpackedAtOnce = 512 * 1024
const recordsAtOnce = 20_000
/** Records that native code walks over in one go: 0.4 ms, and 2 ms where they are of the most unusual kind. */
const recordsWalkedAtOnce = 100_000

/**
 * Whether to look at the records of a batch takes more than a millisecond, perhaps. `records` is what a client sent for
 * a partition; other bytes than one batch are not.
 */
export const isLongToInspect = (records: Uint8Array, sizeBound: Packing["sizeBound"]): boolean => {
  if (records.length <= headerSize) return false
  const { codec, recordCount } = new RecordBatch(records)
  if (recordCount > recordsAtOnce) return true
  return codec !== "none" && codec !== undefined && sizeBound(codec, records.subarray(headerSize)) > unpackedAtOnce
}

/**
 * As `openBatch` does it, in steps: looks at all records of a batch. The first step decompresses all of it, within the
 * bound. Undefined for a batch whose header or CRC is wrong: nothing is decompressed of it.
 */
export function* inspectInSteps(batch: RecordBatch, context: OpeningContext): Generator<void, Inspection | undefined> {
  const { batchBytesMax, crc32c, packing, times, walkRecords } = context
  if (verify(batch, crc32c) !== undefined || batch.sizeInBytes > batchBytesMax || countRejection(batch, packing) !== undefined) return undefined
  let payload = batch.bytes
  if (batch.codec !== "none") {
    const found = unpacked(batch, packing, batchBytesMax)
    if (Either.isLeft(found)) return { batch, payload, checked: { rejection: found.left } }
    payload = found.right
    yield
  }
  const rules = { needsKeys: context.rules.needsKeys, times }
  const at = batch.codec === "none" ? headerSize : 0
  if (walkRecords !== undefined && batch.recordCount <= recordsWalkedAtOnce)
    return { batch, payload, checked: checkRecords(batch, payload, rules, at, walkRecords) }
  const check = new RecordCheck(batch, payload, at, rules)
  while (check.step(recordsAtOnce)) yield
  const { maxTimestamp, rejection } = check
  return { batch, payload, checked: rejection === undefined ? { maxTimestamp } : { rejection } }
}

/** INVALID_RECORD where a record of the payload has more bytes than `most`. Its records were found right. */
const largeRecord = (payload: Uint8Array, recordCount: number, most: number): Rejection | undefined => {
  const scan = new RecordScan(payload, recordCount)
  for (let index = 0; scan.next(); index++) {
    const size = scan.end - scan.start
    if (size > most) {
      const message = `Record ${index} of the batch decompresses to ${size} bytes, over the topic's max.decompressed.message.bytes of ${most}.`
      return { error: "INVALID_RECORD", message, records: [{ index, message }] }
    }
  }
  return undefined
}

const repackedRejection = (size: number, batchBytesMax: number): Rejection => ({
  error: "MESSAGE_TOO_LARGE",
  message: `With compression.type the batch has ${size} bytes, over the topic's max.message.bytes of ${batchBytesMax}.`
})

/**
 * Opens a batch whose header was found right, checks every record, and answers the batch to keep: itself, or the same
 * records in the codec that the topic wants. Bounded by `unpackedMax`; nothing is kept of what is refused.
 * MESSAGE_TOO_LARGE also for what is over max.message.bytes in its new form. A largest time that is not that of the
 * records is corrected in place, with the CRC, as Kafka does: retention and searches by time believe it. `inspection`
 * is what `inspectInSteps` found of this batch, if it did.
 */
export const openBatch = (batch: RecordBatch, context: OpeningContext, inspection?: Inspection): Either.Either<RecordBatch, Rejection> => {
  const { batchBytesMax, crc32c, packing, rules, times } = context
  const inspected = inspection?.batch === batch ? Either.right(inspection) : inspect(batch, context)
  if (Either.isLeft(inspected)) return Either.left(inspected.left)
  const { checked, payload } = inspected.right
  if (checked.rejection !== undefined) return Either.left(checked.rejection)
  const { maxTimestamp } = checked
  const most = rules.recordBytesMax
  if (most !== undefined && batch.codec !== "none" && payload.length > most) {
    const large = largeRecord(payload, batch.recordCount, most)
    if (large !== undefined) return Either.left(large)
  }
  if (rules.codec === undefined || rules.codec === batch.codec) {
    if (times !== undefined && maxTimestamp !== batch.maxTimestamp) {
      writeInt64(batch.bytes, fieldAt.maxTimestamp, maxTimestamp)
      writeInt32(batch.bytes, fieldAt.crc, crc32c(batch.bytes, fieldAt.attributes))
    }
    return Either.right(batch)
  }
  const records = batch.codec === "none" ? batch.records : payload
  const kept = repacked(batch, records, rules.codec, rules.level, maxTimestamp, packing, crc32c)
  return kept.sizeInBytes <= batchBytesMax ? Either.right(kept) : Either.left(repackedRejection(kept.sizeInBytes, batchBytesMax))
}
