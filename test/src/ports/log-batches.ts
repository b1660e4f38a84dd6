import { Layer } from "effect"
import type { TopicId } from "../../../domain/kernel/id.ts"
import { RecordBatch, readableBatches } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { encodeBatch } from "../../../domain/log/record.ts"
import { Checksum } from "../../../src/ports/checksum.ts"
import { defaultLogConfig, type LogConfig } from "../../../src/ports/log-store.ts"

export const checksum = Layer.succeed(Checksum, { crc32c, name: "typescript" as const })
export const topicId = "AAAAAAAAAAAAAAAAAAAAAw" as TopicId
export const otherTopicId = "-_AAAAAAAAAAAAAAAAAAAA" as TopicId

/** Segments of a few batches, and an index entry for nearly each. */
export const smallConfig: LogConfig = { ...defaultLogConfig, segmentBytesMax: 2000, indexIntervalBytes: 200 }

/** A batch of `count` records with about `valueBytes` each; the bytes tell batches apart. */
export const batch = (baseOffset: number, count: number, valueBytes = 10, timestamp = 1000 + baseOffset, leaderEpoch = 0): RecordBatch =>
  new RecordBatch(
    encodeBatch(
      {
        baseOffset,
        leaderEpoch,
        codec: "none",
        records: Array.from({ length: count }, (_, i) => ({
          timestamp,
          key: null,
          value: new Uint8Array(valueBytes).map((_value, at) => (baseOffset * 7 + i * 13 + at) & 0xff)
        }))
      },
      { crc32c, compress: (_codec, bytes) => bytes }
    )
  )

/** `sizes` as batches that follow each other from `from` on. */
export const batchesFrom = (from: number, sizes: ReadonlyArray<{ readonly count: number; readonly valueBytes: number }>): ReadonlyArray<RecordBatch> => {
  let offset = from
  return sizes.map(({ count, valueBytes }) => {
    const made = batch(offset, count, valueBytes)
    offset += count
    return made
  })
}

/** The batches in what a log's read answers: each view is a run of one or more. */
export const batchesIn = (views: ReadonlyArray<Uint8Array>): ReadonlyArray<RecordBatch> =>
  views.flatMap((view) => {
    const batches = readableBatches(view)
    if (batches._tag === "Left") throw new Error(batches.left.message)
    const size = batches.right.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (size !== view.length) throw new Error(`A run of ${view.length} bytes ends within a batch.`)
    return batches.right
  })

/** Plain text, for comparisons whose failures are easy to read. */
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
export const hexOf = (batches: ReadonlyArray<RecordBatch>): ReadonlyArray<string> => batches.map(({ bytes }) => hex(bytes))
