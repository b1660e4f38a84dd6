import { Either } from "effect"
import type { Offset, ProducerId } from "../kernel/id.ts"
import { attribute, fieldAt, headerSize, lengthOverhead, magic2, type RecordBatch } from "./batch.ts"
import { BatchFault } from "./batch-fault.ts"
import { type Codec, codecId } from "./codec.ts"
import type { Crc32c } from "./crc32c.ts"
import { writeBigInt64, writeInt16, writeInt32, writeInt64 } from "./int.ts"
import { VarReader, varintSize, varlongSize, writeVarint, writeVarlong } from "./varint.ts"

/** A header of a record. The key is text (UTF-8), the value bytes or null. */
export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/**
 * One record as a consumer sees it. `timestamp` is milliseconds since 1970, -1 where there is none. Bytes are views of
 * what was decoded.
 */
export interface Record {
  readonly offset: Offset
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: ReadonlyArray<RecordHeader>
}

/** One record to write. It takes its offset from its place in the batch. */
export interface RecordToWrite {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: ReadonlyArray<RecordHeader>
}

/**
 * What a batch to write is made of. What is absent is 0 for offsets and epochs, -1 for a producer that is not
 * idempotent.
 */
export interface BatchToWrite {
  /** At least one, in the order of their offsets. */
  readonly records: ReadonlyArray<RecordToWrite>
  readonly codec: Codec
  readonly baseOffset?: Offset
  readonly leaderEpoch?: number
  readonly producerId?: ProducerId
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
  /**
   * When the leader appends it, in ms: the batch then says LogAppendTime, and every record reads back with this time.
   */
  readonly logAppendTime?: number
}

/** What encoding needs from the world: a checksum and a compressor (the ports Checksum and Compression). */
export interface Encoding {
  readonly crc32c: Crc32c
  readonly compress: (codec: Codec, bytes: Uint8Array) => Uint8Array
}

/**
 * Bytes of a record of nulls: its length, attributes, timestamp and offset deltas, two lengths of -1, a header count;
 * one byte each.
 */
export const recordSizeMin = 7
/** Bytes of a header of a record: the lengths of its key and its value. */
export const headerSizeMin = 2

const utf8 = new TextEncoder()
const text = new TextDecoder()

const invalid = (position: number, reason: string): BatchFault => new BatchFault({ error: "INVALID_RECORD", position, reason })

const noHeaders: ReadonlyArray<RecordHeader> = []

const readHeaders = (reader: VarReader): ReadonlyArray<RecordHeader> => {
  const count = reader.varint()
  if (count === 0) return noHeaders
  const headers: Array<RecordHeader> = []
  for (let i = 0; i < count; i++) {
    const key = text.decode(reader.view(reader.varint()))
    headers.push({ key, value: readBytes(reader) })
  }
  return headers
}
const readBytes = (reader: VarReader): Uint8Array | null => {
  const size = reader.varint()
  return size < 0 ? null : reader.view(size)
}

const skipHeaders = (reader: VarReader): void => {
  const count = reader.varint()
  // The count is checked against the bytes that are left before a header is read.
  if (count < 0 || count * headerSizeMin > reader.left) reader.failed = true
  for (let i = 0; i < count && !reader.failed; i++) {
    const keySize = reader.varint()
    if (keySize < 0) reader.failed = true
    else reader.skip(keySize)
    skipBytes(reader)
  }
}
const skipBytes = (reader: VarReader): void => {
  const size = reader.varint()
  if (size >= 0) reader.skip(size)
  else if (size !== -1) reader.failed = true
}

/**
 * A record whose lengths have been checked. Each read of its key, value or headers makes views of the payload anew:
 * they cost more than the rest of the decoding, and a caller may read none of them.
 */
class RecordView implements Record {
  constructor(
    readonly offset: Offset,
    readonly timestamp: number,
    private readonly payload: Uint8Array,
    /** Where the length of the key is. */
    private readonly at: number
  ) {}

  get key(): Uint8Array | null {
    return readBytes(this.reader())
  }
  get value(): Uint8Array | null {
    const reader = this.reader()
    skipBytes(reader)
    return readBytes(reader)
  }
  get headers(): ReadonlyArray<RecordHeader> {
    const reader = this.reader()
    skipBytes(reader)
    skipBytes(reader)
    return readHeaders(reader)
  }
  private reader(): VarReader {
    return new VarReader(this.payload, this.at)
  }
}

/** What the records of a batch have in common. */
interface Common {
  readonly baseOffset: Offset
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly logAppendTime: number | undefined
}

/**
 * The next record, where every length has been believed only after it was compared with the record's own end, and that
 * with the batch's; a BatchFault with its position otherwise.
 */
const nextRecord = (reader: VarReader, { baseOffset, baseTimestamp, lastOffsetDelta, logAppendTime }: Common): RecordView | BatchFault => {
  const start = reader.at
  const batchEnd = reader.end
  const size = reader.varint()
  const end = reader.at + size
  if (reader.failed || size < recordSizeMin - 1 || end > batchEnd)
    return invalid(start, `A record of ${size} bytes does not fit into the ${batchEnd - start} bytes that are left of its batch.`)
  reader.end = end
  // The attributes byte of a record has no meaning yet.
  reader.byte()
  const timestamp = baseTimestamp + reader.varlong()
  const offsetDelta = reader.varint()
  const { at } = reader
  skipBytes(reader)
  skipBytes(reader)
  skipHeaders(reader)
  if (reader.failed || reader.at !== end) return invalid(start, "The fields of a record do not end where its length says.")
  reader.end = batchEnd
  // A consumer continues behind the last record that it had: an offset beyond the batch would skip the batches that
  // follow.
  if (offsetDelta < 0 || offsetDelta > lastOffsetDelta)
    return invalid(start, `A record says that it is number ${offsetDelta} of a batch that ends with number ${lastOffsetDelta}.`)
  if (logAppendTime === undefined && !Number.isSafeInteger(timestamp))
    return new BatchFault({ error: "INVALID_TIMESTAMP", position: start, reason: "A record's timestamp is beyond 2^53 ms." })
  return new RecordView(baseOffset + offsetDelta, logAppendTime ?? timestamp, reader.bytes, at)
}

/**
 * The records of a batch out of its payload, decompressed (for codec none that is `batch.records`). INVALID_RECORD, with the position in `payload`, where count, lengths or offsets
 * and bytes disagree. Memory is bounded by the size of `payload`.
 */
const viewsOf = (batch: RecordBatch, payload: Uint8Array): Either.Either<ReadonlyArray<RecordView>, BatchFault> => {
  const count = batch.recordCount
  if (count < 0 || count * recordSizeMin > payload.length) return Either.left(invalid(0, `${count} records do not fit into ${payload.length} bytes.`))
  const reader = new VarReader(payload)
  const { baseOffset, baseTimestamp, lastOffsetDelta } = batch
  const common = { baseOffset, baseTimestamp, lastOffsetDelta, logAppendTime: batch.timestampType === "LogAppendTime" ? batch.maxTimestamp : undefined }
  const records: Array<RecordView> = []
  for (let i = 0; i < count; i++) {
    const record = nextRecord(reader, common)
    if (record instanceof BatchFault) return Either.left(record)
    records.push(record)
  }
  return reader.left === 0 ? Either.right(records) : Either.left(invalid(reader.at, `${reader.left} bytes are left after the last record of the batch.`))
}

const plain = (records: ReadonlyArray<Record>): ReadonlyArray<Record> =>
  records.map(({ headers, key, offset, timestamp, value }) => ({ offset, timestamp, key, value, headers }))

/** As `viewRecords`, of a payload that is decompressed. Keys, values and header values are views of it that are made here. */
export const decodeRecords = (batch: RecordBatch, payload: Uint8Array): Either.Either<ReadonlyArray<Record>, BatchFault> =>
  Either.map(viewsOf(batch, payload), plain)

const bytesSize = (bytes: Uint8Array | null): number => (bytes === null ? 1 : varintSize(bytes.length) + bytes.length)

// Asking a string for its length in UTF-8 costs an encoding; most header keys are ASCII, where the length is known.
const utf8Size = (key: string): number => {
  for (let i = 0; i < key.length; i++) if (key.charCodeAt(i) > 0x7f) return utf8.encode(key).length
  return key.length
}

/** A record's size without the length before it. */
const bodySize = (record: RecordToWrite, offsetDelta: number, timestampDelta: number): number => {
  const headers = record.headers ?? noHeaders
  let size = 1 + varlongSize(timestampDelta) + varintSize(offsetDelta) + bytesSize(record.key) + bytesSize(record.value) + varintSize(headers.length)
  for (const { key, value } of headers) {
    const keySize = utf8Size(key)
    size += varintSize(keySize) + keySize + bytesSize(value)
  }
  return size
}

const writeBytes = (to: Uint8Array, at: number, bytes: Uint8Array | null): number => {
  if (bytes === null) return writeVarint(to, at, -1)
  const start = writeVarint(to, at, bytes.length)
  to.set(bytes, start)
  return start + bytes.length
}

const writeRecord = (to: Uint8Array, at: number, record: RecordToWrite, offsetDelta: number, timestampDelta: number, size: number): number => {
  const headers = record.headers ?? noHeaders
  let next = writeVarint(to, at, size)
  to[next++] = 0
  next = writeVarlong(to, next, timestampDelta)
  next = writeVarint(to, next, offsetDelta)
  next = writeBytes(to, next, record.key)
  next = writeBytes(to, next, record.value)
  next = writeVarint(to, next, headers.length)
  for (const { key, value } of headers) {
    const keySize = utf8Size(key)
    next = writeVarint(to, next, keySize)
    utf8.encodeInto(key, to.subarray(next, next + keySize))
    next = writeBytes(to, next + keySize, value)
  }
  return next
}

// Plain loops: they run for every message of a producer, and an iterator costs as much as the writing.
const recordsAt = (records: ReadonlyArray<RecordToWrite>, before: number): Uint8Array => {
  const baseTimestamp = records[0]?.timestamp ?? -1
  const sizes: Array<number> = []
  let total = before
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as RecordToWrite
    const size = bodySize(record, i, record.timestamp - baseTimestamp)
    sizes.push(size)
    total += varintSize(size) + size
  }
  const bytes = new Uint8Array(total)
  let at = before
  for (let i = 0; i < records.length; i++) {
    const record = records[i] as RecordToWrite
    at = writeRecord(bytes, at, record, i, record.timestamp - baseTimestamp, sizes[i] as number)
  }
  return bytes
}

const newest = (records: ReadonlyArray<RecordToWrite>): number => {
  let max = -1
  for (let i = 0; i < records.length; i++) max = Math.max(max, (records[i] as RecordToWrite).timestamp)
  return max
}

const writeHeader = (to: Uint8Array, batch: BatchToWrite, crc32c: Crc32c): void => {
  const { records, logAppendTime } = batch
  const flags =
    (logAppendTime === undefined ? 0 : attribute.logAppendTime) |
    (batch.isTransactional === true ? attribute.transactional : 0) |
    (batch.isControl === true ? attribute.control : 0)
  writeInt64(to, fieldAt.baseOffset, batch.baseOffset ?? 0)
  writeInt32(to, fieldAt.batchLength, to.length - lengthOverhead)
  writeInt32(to, fieldAt.leaderEpoch, batch.leaderEpoch ?? 0)
  to[fieldAt.magic] = magic2
  writeInt16(to, fieldAt.attributes, codecId(batch.codec) | flags)
  writeInt32(to, fieldAt.lastOffsetDelta, records.length - 1)
  writeInt64(to, fieldAt.baseTimestamp, records[0]?.timestamp ?? -1)
  writeInt64(to, fieldAt.maxTimestamp, logAppendTime ?? newest(records))
  writeBigInt64(to, fieldAt.producerId, batch.producerId ?? -1n)
  writeInt16(to, fieldAt.producerEpoch, batch.producerEpoch ?? -1)
  writeInt32(to, fieldAt.baseSequence, batch.baseSequence ?? -1)
  writeInt32(to, fieldAt.recordCount, records.length)
  writeInt32(to, fieldAt.crc, crc32c(to, fieldAt.attributes))
}

/**
 * A batch of magic 2, whole and with its CRC, in memory of its own: for codec none byte-equal to what Kafka's own
 * builder writes.
 */
export const encodeBatch = (batch: BatchToWrite, { compress, crc32c }: Encoding): Uint8Array => {
  let bytes: Uint8Array
  if (batch.codec === "none") bytes = recordsAt(batch.records, headerSize)
  else {
    const packed = compress(batch.codec, recordsAt(batch.records, 0))
    bytes = new Uint8Array(headerSize + packed.length)
    bytes.set(packed, headerSize)
  }
  writeHeader(bytes, batch, crc32c)
  return bytes
}

/** Unpacks at most `maxBytes` (the port Compression); the left side says why it did not. */
export type Decompress<Fault> = (codec: Codec, bytes: Uint8Array, maxBytes: number) => Either.Either<Uint8Array, Fault>

/**
 * The records of a batch, decompressed to at most `maxBytes`, whose keys, values and headers are read later. The CRC is
 * not looked at: that is `verify`.
 */
export const viewRecords = <Fault>(
  batch: RecordBatch,
  decompress: Decompress<Fault>,
  maxBytes: number
): Either.Either<ReadonlyArray<Record>, BatchFault | Fault> => {
  const codec = batch.codec
  if (codec === "none") return viewsOf(batch, batch.records)
  if (codec === undefined)
    return Either.left(new BatchFault({ error: "UNSUPPORTED_COMPRESSION_TYPE", position: fieldAt.attributes, reason: "No codec has the batch's codec id." }))
  return Either.flatMap(decompress(codec, batch.records, maxBytes), (payload) => viewsOf(batch, payload))
}

/** As `viewRecords`, with keys, values and headers. */
export const readRecords = <Fault>(
  batch: RecordBatch,
  decompress: Decompress<Fault>,
  maxBytes: number
): Either.Either<ReadonlyArray<Record>, BatchFault | Fault> => Either.map(viewRecords(batch, decompress, maxBytes), plain)
