import { isDeepStrictEqual } from "node:util"
import { Either } from "effect"
import { attribute, fieldAt, RecordBatch, splitBatches, verify } from "../../domain/log/batch.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { type BatchToWrite, encodeBatch, type Record, readRecords } from "../../domain/log/record.ts"
import type { Compression } from "../../src/ports/compression.ts"
import { type BatchVector, headerOf, headerOfVector, recordsOf } from "../domain/log/batch-vectors.ts"

/** What the batches are read and written with. */
export interface BatchTools {
  readonly crc32c: Crc32c
  readonly compression: typeof Compression.Service
}

const unpackedBytesMax = 64 * 1024 * 1024

/**
 * What is wrong with our record batches by this vector; undefined where they are Kafka's. Compressed bytes differ from one encoder to the next, so that they are
 * compared by what they unpack to; bytes are compared for codec none.
 */
export const checkBatch = (vector: BatchVector, tools: BatchTools): string | undefined => {
  const bytes = Uint8Array.fromHex(vector.hex)
  const split = splitBatches(bytes)
  if (Either.isLeft(split)) return split.left.message
  const batch = split.right[0]
  if (batch === undefined || split.right.length !== 1) return `${split.right.length} batches where one is`
  return compare(batch, vector, tools) ?? compareWritten(batch, vector, tools)
}

const compare = (batch: RecordBatch, vector: BatchVector, { crc32c, compression }: BatchTools): string | undefined => {
  const corrupt = verify(batch, crc32c)
  if (corrupt !== undefined) return corrupt.message
  const header = differingField(headerOf(batch), headerOfVector(vector))
  if (header !== undefined) return `${header}: read with another value`
  const records = readRecords(batch, compression.decompress, unpackedBytesMax)
  if (Either.isLeft(records)) return records.left.message
  return differingRecord(recordsOf(records.right), vector.records)
}

const compareWritten = (batch: RecordBatch, vector: BatchVector, tools: BatchTools): string | undefined => {
  const own = ownTimestamps(batch, tools)
  if (own === undefined) return "its records cannot be read without log append time"
  const written = new RecordBatch(encodeBatch(toWrite(batch, vector, own), { crc32c: tools.crc32c, compress: tools.compression.compress }))
  if (vector.codec === "none") {
    const at = written.bytes.findIndex((byte, index) => byte !== batch.bytes[index])
    return at < 0 && written.bytes.length === batch.bytes.length ? undefined : `written, it differs at byte ${at < 0 ? written.bytes.length : at}`
  }
  // The CRC covers the compressed bytes, so that it is the encoder's own; `compare` has verified it.
  const difference = compare(written, { ...vector, crc: String(written.crc) }, tools)
  return difference === undefined ? undefined : `written and read again: ${difference}`
}

/** With log append time every record reads as the leader's time; its own is still in the bytes, and shows when the bit is taken away. */
const ownTimestamps = (batch: RecordBatch, { compression }: BatchTools): ReadonlyArray<Record> | undefined => {
  const plain = batch.bytes.slice()
  plain[fieldAt.attributes + 1] = (plain[fieldAt.attributes + 1] ?? 0) & ~attribute.logAppendTime
  return Either.getOrUndefined(readRecords(new RecordBatch(plain), compression.decompress, unpackedBytesMax))
}

const toWrite = (batch: RecordBatch, { codec }: BatchVector, records: ReadonlyArray<Record>): BatchToWrite => ({
  records,
  codec,
  baseOffset: batch.baseOffset,
  leaderEpoch: batch.partitionLeaderEpoch,
  producerId: batch.producerId,
  producerEpoch: batch.producerEpoch,
  baseSequence: batch.baseSequence,
  isTransactional: batch.isTransactional,
  isControl: batch.isControl,
  ...(batch.timestampType === "LogAppendTime" ? { logAppendTime: batch.maxTimestamp } : {})
})

const differingField = (ours: object, kafkas: object): string | undefined => {
  const expected = new Map(Object.entries(kafkas))
  const found = new Map(Object.entries(ours))
  return [...new Set([...expected.keys(), ...found.keys()])].find((name) => found.get(name) !== expected.get(name))
}

const differingRecord = (ours: BatchVector["records"], kafkas: BatchVector["records"]): string | undefined => {
  if (ours.length !== kafkas.length) return `records: ${ours.length} read, ${kafkas.length} expected`
  const index = kafkas.findIndex((expected, at) => !isDeepStrictEqual(ours[at], expected))
  return index < 0 ? undefined : `records[${index}]: read with another value`
}
