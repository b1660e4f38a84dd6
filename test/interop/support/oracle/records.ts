import { zstdCompressSync } from "node:zlib"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { type BatchToWrite, encodeBatch } from "../../../../domain/log/record.ts"

const encoding = { crc32c, compress: (codec: string, bytes: Uint8Array): Uint8Array => (codec === "zstd" ? new Uint8Array(zstdCompressSync(bytes)) : bytes) }

/** A batch as a producer sends it: records of one byte, made at `from`, `from + 1` … */
export const batch = (count: number, fields: Partial<BatchToWrite> = {}, from = 1000): Uint8Array => {
  const records = Array.from({ length: count }, (_, at) => ({ timestamp: from + at, key: null, value: new Uint8Array([at & 0xff]) }))
  return encodeBatch({ codec: "none", records, ...fields }, encoding)
}
export const sequenced = (producerId: bigint, producerEpoch: number, baseSequence: number, count = 1): Uint8Array =>
  batch(count, { producerId, producerEpoch, baseSequence })
export const together = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))
/** The same bytes, one of them changed. */
export const changed = (bytes: Uint8Array, at: number, to: number): Uint8Array => {
  const copy = bytes.slice()
  copy[at] = to
  return copy
}
