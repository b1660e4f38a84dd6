import { Either } from "effect"
import { RecordBatch } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import type { Packing } from "../../../domain/log/open-batch.ts"
import { type BatchToWrite, encodeBatch } from "../../../domain/log/record.ts"

const encoding = { crc32c, compress: (_codec: string, bytes: Uint8Array) => bytes }

/** No codec is needed where batches are not compressed. */
export const noPacking: Packing = {
  compress: (_codec, bytes) => bytes,
  decompress: (_codec, bytes) => Either.right(bytes),
  sizeBound: (_codec, bytes) => bytes.length,
  frameRefusal: () => undefined
}

/** A batch as a producer sends it: `count` small records, all made at `timestamp`. */
export const makeBatch = (count: number, fields: Partial<BatchToWrite> = {}, timestamp: number = 1000): RecordBatch => {
  const records = Array.from({ length: count }, (_, i) => ({ timestamp, key: null, value: new Uint8Array([i & 0xff]) }))
  return new RecordBatch(encodeBatch({ codec: "none", records, ...fields }, encoding))
}

/** A batch of an idempotent producer. */
export const sequenced = (producerId: bigint, producerEpoch: number, baseSequence: number, count: number): RecordBatch =>
  makeBatch(count, { producerId, producerEpoch, baseSequence })
