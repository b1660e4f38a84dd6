import { describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { layerTypescript } from "../../../../adapters/compression/compression.ts"
import { errorCode } from "../../../../domain/kernel/error-code.ts"
import { fieldAt, headerSize, lengthOverhead, RecordBatch } from "../../../../domain/log/batch.ts"
import type { Codec } from "../../../../domain/log/codec.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../../domain/log/int.ts"
import { encodeBatch } from "../../../../domain/log/record.ts"
import { Compression } from "../../../../src/ports/compression.ts"
import { listOffsets } from "../../../../src/serve/offsets/list-offsets.ts"
import { notFound, OffsetLookup } from "../../../../src/serve/offsets/offset-lookup.ts"
import { FakePartition, idOf } from "../fake-partition.ts"

const { compress, decompress } = Effect.runSync(Effect.provide(Compression, layerTypescript))

interface Kept {
  readonly offset: number
  readonly timestamp: number
}
/** A batch of records with these times, of which compaction has left those at the places that are `kept`. */
const batchOf = (baseOffset: number, times: ReadonlyArray<number>, kept: ReadonlyArray<number>, codec: Codec, logAppendTime?: number): RecordBatch => {
  const records = times.map((timestamp) => ({ timestamp, key: null, value: null }))
  const encoding = { crc32c, compress }
  const stamp = logAppendTime === undefined ? {} : { logAppendTime }
  const whole = encodeBatch({ records, codec: kept.length === times.length ? codec : "none", baseOffset, ...stamp }, encoding)
  if (kept.length === times.length) return new RecordBatch(whole)
  // Each record without key and value takes the same form: its bytes are copied as they are.
  const sizes = records.map((_, at) => encodeBatch({ records: records.slice(0, at + 1), codec: "none", baseOffset }, encoding).length)
  const pieces = kept.map((at) => whole.subarray(at === 0 ? headerSize : sizes[at - 1], sizes[at]))
  const bytes = Buffer.concat([whole.subarray(0, headerSize), ...pieces])
  writeInt32(bytes, fieldAt.batchLength, bytes.length - lengthOverhead)
  writeInt32(bytes, fieldAt.recordCount, kept.length)
  return new RecordBatch(new Uint8Array(bytes))
}

/** A log of such batches that is asked as a log is: by the largest time that a header tells. */
class TimedPartition extends FakePartition {
  asked = 0
  constructor(
    private readonly log: ReadonlyArray<RecordBatch>,
    start: number,
    private readonly knowsLatest: boolean
  ) {
    super("t", idOf(1), 0)
    this.first = start
  }
  override readonly end = () => this.log.at(-1)?.nextOffset ?? 0
  override readonly highWatermark = () => this.log.at(-1)?.nextOffset ?? 0
  override readonly batchAtTime = ((timestamp: number, from = 0) => {
    this.asked++
    return Either.right(this.log.find((each) => each.nextOffset > Math.max(from, this.first) && each.maxTimestamp >= timestamp))
  }) as never
  get latestTimestamp(): () => number {
    return (this.knowsLatest ? () => Math.max(-1, ...this.log.map(({ maxTimestamp }) => maxTimestamp)) : undefined) as never
  }
}

const written = fc.record({
  times: fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }),
  gone: fc.subarray([0, 1, 2, 3, 4]),
  codec: fc.constantFrom<Codec>("none", "gzip", "zstd"),
  stamped: fc.boolean()
})
const made = (batches: ReadonlyArray<typeof written extends fc.Arbitrary<infer A> ? A : never>) => {
  const log: Array<RecordBatch> = []
  const records: Array<Kept> = []
  for (const { codec, gone, stamped, times } of batches) {
    const base = log.at(-1)?.nextOffset ?? 0
    const kept = times.map((_, at) => at).filter((at) => !gone.includes(at))
    const stamp = stamped ? Math.max(...times) : undefined
    log.push(batchOf(base, times, kept, codec, stamp))
    for (const at of kept) records.push({ offset: base + at, timestamp: stamp ?? (times[at] as number) })
  }
  return { log, records }
}

describe("where a time is in a log", () => {
  test("what a look at every record finds, also where records are gone from batches and the log was cut within one", () => {
    fc.assert(
      fc.property(fc.array(written, { maxLength: 8 }), fc.nat(30), fc.boolean(), (batches, cut, knowsLatest) => {
        const { log, records } = made(batches)
        const start = Math.min(cut, log.at(-1)?.nextOffset ?? 0)
        const partition = new TimedPartition(log, start, knowsLatest)
        const seen = records.filter(({ offset }) => offset >= start)
        const place = (record: Kept | undefined) => (record === undefined ? notFound : { ...record, leaderEpoch: 0 })
        for (let time = 0; time <= 41; time++) {
          const expected = place(seen.find(({ timestamp }) => timestamp >= time))
          expect(new OffsetLookup(decompress).earliestAtTime(partition, time)).toEqual(Either.right(expected))
        }
        const latest = Math.max(...seen.map(({ timestamp }) => timestamp))
        expect(new OffsetLookup(decompress).latestTime(partition)).toEqual(Either.right(place(seen.find(({ timestamp }) => timestamp === latest))))
      }),
      { numRuns: 300 }
    )
  })

  test("the largest time costs one question where the log knows it", () => {
    const { log } = made(Array.from({ length: 200 }, (_, at) => ({ times: [at * 1_000_000], gone: [], codec: "none" as const, stamped: false })))
    const partition = new TimedPartition(log, 0, true)
    expect(Either.getOrThrow(new OffsetLookup(decompress).latestTime(partition)).offset).toBe(199)
    expect(partition.asked).toBe(1)
  })

  test("a batch that unpacks to more than is left for the request is answered with its beginning", () => {
    const { log } = made([{ times: [1, 2, 3, 4], gone: [], codec: "gzip", stamped: false }])
    const partition = new TimedPartition(log, 0, false)
    expect(new OffsetLookup(decompress, 5).earliestAtTime(partition, 3)).toEqual(Either.right({ timestamp: 4, offset: 0, leaderEpoch: 0 }))
    expect(new OffsetLookup(decompress).earliestAtTime(partition, 3)).toEqual(Either.right({ timestamp: 3, offset: 2, leaderEpoch: 0 }))
  })

  test("bytes that do not unpack are CORRUPT_MESSAGE", () => {
    const { log } = made([{ times: [1, 2, 3, 4], gone: [], codec: "gzip", stamped: false }])
    const [batch] = log
    batch?.bytes.fill(7, headerSize)
    expect(new OffsetLookup(decompress).earliestAtTime(new TimedPartition(log, 0, false), 3)).toEqual(Either.left("CORRUPT_MESSAGE"))
  })
})

test("times of thousands of partitions are looked up in slices; between them the event loop runs, and each partition has its own result", () => {
  const { log } = made([{ times: Array.from({ length: 2000 }, (_, at) => at), gone: [], codec: "gzip", stamped: false }])
  const partition = new TimedPartition(log, 0, false)
  const partitions = Array.from({ length: 5000 }, (_, index) => ({ partitionIndex: index, currentLeaderEpoch: -1, timestamp: BigInt(index % 2000) }))
  const find = (_: unknown, index: number) => (index === 4321 ? ("NOT_LEADER_OR_FOLLOWER" as const) : partition)
  const begun = listOffsets({ find, decompress })({ replicaId: -1, isolationLevel: 0, topics: [{ name: "t", partitions }], timeoutMs: 0 }, { version: 8 })
  const steps = begun.begin()
  let pauses = 0
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) pauses++
  expect(pauses).toBeGreaterThan(500)
  const answer = step.value
  const answers = answer.topics[0]?.partitions ?? []
  expect(answers.map(({ partitionIndex }) => partitionIndex)).toEqual(partitions.map(({ partitionIndex }) => partitionIndex))
  expect(answers.map(({ errorCode: code, offset }) => (code === 0 ? Number(offset) : code))).toEqual(
    partitions.map((_, index) => (index === 4321 ? errorCode("NOT_LEADER_OR_FOLLOWER") : index % 2000))
  )
})
