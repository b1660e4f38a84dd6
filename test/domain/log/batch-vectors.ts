import { readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import type { Codec } from "../../../domain/log/codec.ts"
import type { Record } from "../../../domain/log/record.ts"

/** A record batch that Kafka 4.4's own builder wrote, and its fields (test/conformance/data). */
export interface BatchVector {
  readonly kind: string
  readonly codec: Codec
  readonly baseOffset: string
  readonly lastOffset: string
  readonly leaderEpoch: number
  readonly crc: string
  readonly producerId: string
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly lastSequence: number
  readonly transactional: boolean
  readonly control: boolean
  readonly timestampType: "CreateTime" | "LogAppendTime"
  readonly maxTimestamp: string
  readonly records: ReadonlyArray<{
    readonly offset: string
    readonly timestamp: string
    readonly keyHex: string | null
    readonly valueHex: string | null
    readonly headers: ReadonlyArray<readonly [string, string | null]>
  }>
  readonly hex: string
}

const packed = readFileSync(new URL("../../conformance/data/batches.jsonl.gz", import.meta.url))

export const batchVectors: ReadonlyArray<BatchVector> = new TextDecoder()
  .decode(gunzipSync(packed))
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as BatchVector)

export const fromHex = (hex: string): Uint8Array => Uint8Array.fromHex(hex)
const hexOf = (bytes: Uint8Array | null): string | null => (bytes === null ? null : bytes.toHex())

/** The fields of a batch in the vector's form. */
export const headerOf = (batch: RecordBatch) => ({
  baseOffset: String(batch.baseOffset),
  lastOffset: String(batch.lastOffset),
  leaderEpoch: batch.partitionLeaderEpoch,
  crc: String(batch.crc),
  producerId: String(batch.producerId),
  producerEpoch: batch.producerEpoch,
  baseSequence: batch.baseSequence,
  lastSequence: batch.lastSequence,
  transactional: batch.isTransactional,
  control: batch.isControl,
  timestampType: batch.timestampType,
  maxTimestamp: String(batch.maxTimestamp),
  codec: batch.codec
})

export const headerOfVector = ({ kind, records, hex, ...header }: BatchVector) => header as ReturnType<typeof headerOf>

/** Records in the vector's form. */
export const recordsOf = (records: ReadonlyArray<Record>): BatchVector["records"] =>
  records.map(({ offset, timestamp, key, value, headers }) => ({
    offset: String(offset),
    timestamp: String(timestamp),
    keyHex: hexOf(key),
    valueHex: hexOf(value),
    headers: headers.map((header) => [header.key, hexOf(header.value)] as const)
  }))
