import { Either } from "effect"
import type { Offset, ProducerId } from "../kernel/id.ts"
import { BatchFault } from "./batch-fault.ts"
import { type Codec, codecOfId } from "./codec.ts"
import type { Crc32c } from "./crc32c.ts"
import { isSafeInt64, readBigInt64, readInt16, readInt32, readInt64, readUint32, writeInt16, writeInt32, writeInt64 } from "./int.ts"
import { noSequence, sequenceAfter } from "./sequence.ts"

/** What a record's timestamp says: when its producer made it, or when the leader appended it. */
export type TimestampType = "CreateTime" | "LogAppendTime"

/**
 * Where each field of a magic 2 batch stands. The CRC covers everything from the attributes on; base offset and leader
 * epoch may be patched without it.
 */
export const fieldAt = {
  baseOffset: 0,
  batchLength: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61
} as const

/** Bytes before the records of a magic 2 batch. */
export const headerSize = fieldAt.records
/** Bytes before those that batchLength counts: base offset and the length itself. */
export const lengthOverhead = 12
/** The one record format that is stored. */
export const magic2 = 2

/** Bits of the attributes (KIP-98, KIP-534). */
export const attribute = { codec: 0x07, logAppendTime: 0x08, transactional: 0x10, control: 0x20, deleteHorizon: 0x40 } as const

/**
 * A record batch of magic 2 (KIP-98) as a view: nothing is copied, every field is read from the bytes when it is asked
 * for. It may cover the header alone (61 bytes): then all fields answer, and only `bytes` and `records` are short.
 * Timestamps are milliseconds since 1970, -1 where there is none.
 */
export class RecordBatch {
  /**
   * `bytes` starts at the batch's first byte, ends at its last, and holds at least the header. `splitBatches`,
   * `readableBatches` and `viewBatch` check that.
   */
  constructor(readonly bytes: Uint8Array) {}

  get baseOffset(): Offset {
    return readInt64(this.bytes, fieldAt.baseOffset)
  }
  /** The whole batch, header included. */
  get sizeInBytes(): number {
    return lengthOverhead + readInt32(this.bytes, fieldAt.batchLength)
  }
  get partitionLeaderEpoch(): number {
    return readInt32(this.bytes, fieldAt.leaderEpoch)
  }
  get magic(): number {
    return readInt16(this.bytes, fieldAt.magic - 1) & 0xff
  }
  /** CRC-32C over all bytes from the attributes on, unsigned. */
  get crc(): number {
    return readUint32(this.bytes, fieldAt.crc)
  }
  get attributes(): number {
    return readInt16(this.bytes, fieldAt.attributes)
  }
  /** How `records` is compressed; undefined for an id that no codec has. */
  get codec(): Codec | undefined {
    return codecOfId(this.attributes & attribute.codec)
  }
  get timestampType(): TimestampType {
    return (this.attributes & attribute.logAppendTime) === 0 ? "CreateTime" : "LogAppendTime"
  }
  get isTransactional(): boolean {
    return (this.attributes & attribute.transactional) !== 0
  }
  get isControl(): boolean {
    return (this.attributes & attribute.control) !== 0
  }
  get lastOffsetDelta(): number {
    return readInt32(this.bytes, fieldAt.lastOffsetDelta)
  }
  get lastOffset(): Offset {
    return this.baseOffset + this.lastOffsetDelta
  }
  get nextOffset(): Offset {
    return this.lastOffset + 1
  }
  /**
   * What the records' timestamps are relative to: the first record's, or the delete horizon; rounded when it is no safe
   * integer.
   */
  get baseTimestamp(): number {
    return readInt64(this.bytes, fieldAt.baseTimestamp)
  }
  get maxTimestamp(): number {
    return readInt64(this.bytes, fieldAt.maxTimestamp)
  }
  /**
   * The largest timestamp among its records; -1 where it has none left: compaction keeps such a batch for its
   * producer's sequence.
   */
  get newestRecord(): number {
    return this.recordCount === 0 ? -1 : this.maxTimestamp
  }
  /** When the tombstones among its records may go (KIP-534), ms; undefined where no compaction has met them yet. */
  get deleteHorizonMs(): number | undefined {
    return (this.attributes & attribute.deleteHorizon) === 0 ? undefined : this.baseTimestamp
  }
  get producerId(): ProducerId {
    return readBigInt64(this.bytes, fieldAt.producerId)
  }
  /** Whether its producer is idempotent: any id from 0 on. */
  get hasProducerId(): boolean {
    return readInt32(this.bytes, fieldAt.producerId) >= 0
  }
  get producerEpoch(): number {
    return readInt16(this.bytes, fieldAt.producerEpoch)
  }
  get baseSequence(): number {
    return readInt32(this.bytes, fieldAt.baseSequence)
  }
  get lastSequence(): number {
    const base = this.baseSequence
    return base === noSequence ? noSequence : sequenceAfter(base, this.lastOffsetDelta)
  }
  get recordCount(): number {
    return readInt32(this.bytes, fieldAt.recordCount)
  }
  /** The records as they are stored, compressed or not: a view. */
  get records(): Uint8Array {
    return this.bytes.subarray(headerSize)
  }
}

const fault = (error: BatchFault["error"], position: number, reason: string): BatchFault => new BatchFault({ error, position, reason })

/**
 * What stops the batch that starts at `at` from being a batch of magic 2, by its first 61 bytes. "partial": there are
 * too few bytes to tell, or it reaches over the end. The offsets of one that is produced are judged by `decideAppend`,
 * after its CRC: a producer sends again what was spoiled on the way, and not what is invalid.
 */
const headerFault = (bytes: Uint8Array, at: number, isProduced = false): BatchFault | "partial" | undefined => {
  const left = bytes.length - at
  if (left < fieldAt.magic + 1) return "partial"
  const magic = bytes[at + fieldAt.magic] as number
  // The older formats have the magic at the same byte and nearly nothing else in common.
  if (magic < magic2)
    return fault("INVALID_RECORD", at + fieldAt.magic, `Record format ${magic} is no longer read: produce with magic 2 (Kafka 0.11 and later).`)
  if (magic > magic2) return fault("CORRUPT_MESSAGE", at + fieldAt.magic, `No record format has magic ${magic}.`)
  const batchLength = readInt32(bytes, at + fieldAt.batchLength)
  if (batchLength < headerSize - lengthOverhead)
    return fault("CORRUPT_MESSAGE", at + fieldAt.batchLength, `A batch length of ${batchLength} is less than its header.`)
  if (left < headerSize) return "partial"
  if (isProduced) return left < lengthOverhead + batchLength ? "partial" : undefined
  if (!isSafeInt64(bytes, at) || readInt32(bytes, at) < 0) return fault("CORRUPT_MESSAGE", at, "The base offset is outside of 0 to 2^53 - 1.")
  if (readInt32(bytes, at + fieldAt.lastOffsetDelta) < 0)
    return fault("CORRUPT_MESSAGE", at + fieldAt.lastOffsetDelta, "The last offset is before the base offset.")
  if (readInt64(bytes, at) + readInt32(bytes, at + fieldAt.lastOffsetDelta) >= Number.MAX_SAFE_INTEGER)
    return fault("CORRUPT_MESSAGE", at, "The last offset is beyond 2^53 - 2.")
  return left < lengthOverhead + batchLength ? "partial" : undefined
}

/**
 * The batch that starts at `at`, as a view; undefined when the bytes end before it does. CORRUPT_MESSAGE or
 * INVALID_RECORD when it is none. The CRC is not looked at: that is `verify`.
 */
export const viewBatch = (bytes: Uint8Array, at: number): Either.Either<RecordBatch | undefined, BatchFault> => {
  const wrong = headerFault(bytes, at)
  if (wrong === "partial") return Either.right(undefined)
  if (wrong !== undefined) return Either.left(wrong)
  return Either.right(new RecordBatch(bytes.subarray(at, at + lengthOverhead + readInt32(bytes, at + fieldAt.batchLength))))
}

/**
 * The batch whose header is at `at`, over its 61 bytes alone, when the rest may be elsewhere (a scan of a file);
 * undefined when the bytes end before the header does.
 */
export const viewHeader = (bytes: Uint8Array, at: number): Either.Either<RecordBatch | undefined, BatchFault> => {
  if (bytes.length - at < headerSize) return Either.right(undefined)
  const wrong = headerFault(bytes, at)
  return wrong === undefined || wrong === "partial" ? Either.right(new RecordBatch(bytes.subarray(at, at + headerSize))) : Either.left(wrong)
}

/**
 * The batches of a Produce request's records, as views. Every byte must belong to a whole batch: CORRUPT_MESSAGE where
 * one is cut, INVALID_RECORD for magic 0 and 1.
 */
export const splitBatches = (records: Uint8Array): Either.Either<ReadonlyArray<RecordBatch>, BatchFault> => {
  const batches: Array<RecordBatch> = []
  for (let at = 0; at < records.length; ) {
    const wrong = headerFault(records, at, true)
    if (wrong === "partial") return Either.left(fault("CORRUPT_MESSAGE", at, `The batch is cut: ${records.length - at} bytes are left of it.`))
    if (wrong !== undefined) return Either.left(wrong)
    const end = at + lengthOverhead + readInt32(records, at + fieldAt.batchLength)
    batches.push(new RecordBatch(at === 0 && end === records.length ? records : records.subarray(at, end)))
    at = end
  }
  return Either.right(batches)
}

/**
 * The batches of a Fetch answer, as views. The last may be cut, since a broker stops at a byte limit: it is left out.
 */
export const readableBatches = (bytes: Uint8Array): Either.Either<ReadonlyArray<RecordBatch>, BatchFault> => {
  const batches: Array<RecordBatch> = []
  for (let at = 0; at < bytes.length; ) {
    const next = viewBatch(bytes, at)
    if (Either.isLeft(next)) return Either.left(next.left)
    if (next.right === undefined) break
    batches.push(next.right)
    at += next.right.bytes.length
  }
  return Either.right(batches)
}

/**
 * CORRUPT_MESSAGE when the CRC does not fit the bytes, UNSUPPORTED_COMPRESSION_TYPE when it does and the codec is
 * unknown. The batch must be whole.
 */
export const verify = (batch: RecordBatch, crc32c: Crc32c): BatchFault | undefined => {
  const computed = crc32c(batch.bytes, fieldAt.attributes)
  if (computed !== batch.crc) return fault("CORRUPT_MESSAGE", fieldAt.crc, `The batch says CRC ${batch.crc}, its bytes give ${computed}.`)
  if (batch.codec === undefined) return fault("UNSUPPORTED_COMPRESSION_TYPE", fieldAt.attributes, `No codec has the id ${batch.attributes & attribute.codec}.`)
  return undefined
}

/** Gives the batch its place in the log. Changes the bytes in place; the CRC does not cover what changes. */
export const assign = (batch: RecordBatch, baseOffset: Offset, leaderEpoch: number): void => {
  writeInt64(batch.bytes, fieldAt.baseOffset, baseOffset)
  writeInt32(batch.bytes, fieldAt.leaderEpoch, leaderEpoch)
}

/**
 * Says that the leader appended the batch at `timestamp` (KIP-32), for a topic with
 * `message.timestamp.type=LogAppendTime`. Changes the bytes in place, the CRC too.
 */
export const stampLogAppendTime = (batch: RecordBatch, timestamp: number, crc32c: Crc32c): void => {
  writeInt16(batch.bytes, fieldAt.attributes, batch.attributes | attribute.logAppendTime)
  writeInt64(batch.bytes, fieldAt.maxTimestamp, timestamp)
  writeInt32(batch.bytes, fieldAt.crc, crc32c(batch.bytes, fieldAt.attributes))
}

/** The same batch in memory of its own, for who must keep it after the frame is gone. */
export const copyBatch = (batch: RecordBatch): RecordBatch => new RecordBatch(batch.bytes.slice())
