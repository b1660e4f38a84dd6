import { expect, test } from "bun:test"
import { Either } from "effect"
import { fieldAt, RecordBatch } from "../../../../../domain/log/batch.ts"
import { type CompactionCount, compactBatch } from "../../../../../domain/log/compaction.ts"
import { crc32c } from "../../../../../domain/log/crc32c.ts"
import { OffsetMap } from "../../../../../domain/log/offset-map.ts"
import { encodeBatch } from "../../../../../domain/log/record.ts"
import { PartitionReader } from "../../../../../src/client/consumer/fetch/partition-reader.ts"

const utf8 = new TextEncoder()
const encoding = { crc32c, compress: (_: string, bytes: Uint8Array) => bytes }
const decoding = { crc32c, decompress: (_: string, bytes: Uint8Array) => Either.right(bytes), batchBytesMax: 1_000_000 }

/** A batch of these keys as compaction leaves it when only `kept` are the latest of their keys. */
const compacted = (baseOffset: number, keys: ReadonlyArray<string>, kept: ReadonlyArray<string>): RecordBatch => {
  const map = new OffsetMap(10_000, 0.9, [1, 2, 3, 4])
  for (const key of keys) map.put(utf8.encode(key), kept.includes(key) ? 0 : 1_000_000)
  const records = keys.map((key) => ({ timestamp: 1000, key: utf8.encode(key), value: utf8.encode(key) }))
  const whole = new RecordBatch(encodeBatch({ baseOffset, codec: "none", producerId: 1n, producerEpoch: 0, baseSequence: 0, records }, encoding))
  const rules = { map, mappedTo: 1_000_000, now: 0, deleteRetentionMs: 0, isLastOfProducer: () => true }
  const count: CompactionCount = { read: 0, kept: 0, unreadable: 0 }
  const batch = compactBatch(whole, whole.records, rules, encoding, count)
  if (batch === undefined) throw new Error("nothing was kept")
  return batch
}
const joined = (...batches: ReadonlyArray<RecordBatch>): Uint8Array => new Uint8Array(Buffer.concat(batches.map(({ bytes }) => bytes)))

test("L8: a reader passes what compaction removed, also behind the last record of a batch and in a batch without records", () => {
  const reader = new PartitionReader("orders", "id", 0, 2)
  const batches = [compacted(0, ["a", "b", "c", "d", "e"], ["b", "d"]), compacted(9, ["f", "g"], []), compacted(20, ["h", "i", "j"], ["h"])]
  expect(batches.map(({ recordCount }) => recordCount)).toEqual([2, 0, 1])
  expect(batches[1]?.bytes.length).toBe(fieldAt.records)
  reader.buffer(2, joined(...batches))
  expect(reader.fetchFrom).toBe(23)
  const read: Array<number> = []
  const take = (most: number): number => reader.take(most, decoding, ({ offset }) => void read.push(offset))
  // Offset 1 is before the position that was asked for.
  expect(take(1)).toBe(1)
  expect([reader.next, reader.progress.toCommit]).toEqual([4, 3])
  expect(take(10)).toBe(1)
  expect(read).toEqual([3, 20])
  reader.progress.processedAll()
  expect([reader.next, reader.progress.toCommit, reader.failed]).toEqual([23, 23, undefined])
})

test("a position goes back by a seek, and by nothing else", () => {
  const reader = new PartitionReader("orders", "id", 0, 0)
  reader.buffer(0, joined(compacted(0, ["a", "b"], ["a", "b"])))
  reader.take(10, decoding, () => {})
  expect(reader.next).toBe(2)
  expect(() => reader.skip(1)).toThrow("Broken invariant: orders-0 goes back from 2 to 1 without a seek")
  reader.seek(1)
  expect(reader.next).toBe(1)
})

test("results without a whole batch are counted from the last seek on", () => {
  const reader = new PartitionReader("orders", "id", 0, 5)
  const incomplete = compacted(5, ["a"], ["a"]).bytes.subarray(0, 30)
  for (let results = 0; results < 4; results++) reader.buffer(5, incomplete)
  expect([reader.isIdle, reader.failed]).toEqual([true, undefined])
  reader.seek(0)
  expect(reader.isIdle).toBe(false)
  reader.buffer(0, compacted(0, ["a"], ["a"]).bytes.subarray(0, 30))
  expect(reader.failed).toBeUndefined()
})
