import { describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { layer } from "../../../adapters/compression/compression.ts"
import { type AppendContext, decideAppend, emptyLog } from "../../../domain/log/append.ts"
import { fieldAt, RecordBatch, verify } from "../../../domain/log/batch.ts"
import { codecs } from "../../../domain/log/codec.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../domain/log/int.ts"
import { type OpeningRules, openBatch } from "../../../domain/log/open-batch.ts"
import { type BatchToWrite, decodeRecords, encodeBatch, readRecords } from "../../../domain/log/record.ts"
import { checkRecords } from "../../../domain/log/record-check.ts"
import { Compression } from "../../../src/ports/compression.ts"

const packing = await Effect.runPromise(Effect.provide(Compression, layer))
const now = 1_700_000_000_000
const batchBytesMax = 1_000_000
const plain: OpeningRules = { codec: undefined, level: undefined, needsKeys: false }
const context: AppendContext = {
  leaderEpoch: 7,
  now,
  crc32c,
  packing,
  batchBytesMax,
  segmentBytesMax: 1_000_000_000,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: 1000,
  opening: plain
}
const bytesOf = (text: string) => new TextEncoder().encode(text)
const record = (index: number, timestamp = now, key: string | null = `key ${index}`) => ({
  timestamp,
  key: key === null ? null : bytesOf(key),
  value: bytesOf(`value ${index} `.repeat(20)),
  headers: [{ key: "h", value: bytesOf("x") }]
})
const made = (fields: Partial<BatchToWrite> = {}, records: BatchToWrite["records"] = [record(0), record(1, now + 5), record(2, now - 5)]) =>
  new RecordBatch(encodeBatch({ codec: "none", records, ...fields }, { crc32c, compress: packing.compress }))
/** The batch that the log stores, or why it stores none. */
const appended = (batch: RecordBatch, more: Partial<AppendContext> = {}) => decideAppend({ ...emptyLog, end: 40 }, [batch], { ...context, ...more })
const kept = (batch: RecordBatch, more: Partial<AppendContext> = {}): RecordBatch => {
  const decided = Either.getOrThrowWith(appended(batch, more), ({ message }) => new Error(message))
  if (decided._tag !== "Append") throw new Error("The batch was taken for a duplicate.")
  return decided.batch
}
const refusal = (batch: RecordBatch, more: Partial<AppendContext> = {}) => Either.getOrUndefined(Either.flip(appended(batch, more)))
const read = (batch: RecordBatch) => Either.getOrThrow(readRecords(batch, packing.decompress, 10_000_000))
/** The batch with other bytes and a valid CRC, as a malicious client sends it. */
const forged = (batch: RecordBatch, change: (bytes: Uint8Array) => void): RecordBatch => {
  const bytes = batch.bytes.slice()
  change(bytes)
  writeInt32(bytes, fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  return new RecordBatch(bytes)
}

describe("compression.type", () => {
  for (const codec of codecs)
    test(`whatever the producer sends is kept as ${codec}: the same records, producer, sequence and times, under a right CRC`, () => {
      for (const sent of codecs) {
        const batch = made({ codec: sent, producerId: 9n, producerEpoch: 2, baseSequence: 5 })
        const expected = read(batch).map((each) => ({ ...each, offset: each.offset + 40 }))
        const stored = kept(batch, { opening: { ...plain, codec } })
        expect(stored.codec).toBe(codec)
        expect(read(stored)).toEqual(expected)
        expect(verify(stored, crc32c)).toBeUndefined()
        const { baseOffset, baseSequence, lastOffset, maxTimestamp, partitionLeaderEpoch, producerEpoch, producerId } = stored
        expect({ baseOffset, lastOffset, partitionLeaderEpoch, producerId, producerEpoch, baseSequence, maxTimestamp }).toEqual({
          baseOffset: 40,
          lastOffset: 42,
          partitionLeaderEpoch: 7,
          producerId: 9n,
          producerEpoch: 2,
          baseSequence: 5,
          maxTimestamp: now + 5
        })
      }
    })
  test("with log append time the batch says so, and its records have that time", () => {
    const stored = kept(made({ codec: "lz4" }), { opening: { ...plain, codec: "zstd" }, timestampType: "LogAppendTime", now: now + 77 })
    expect(verify(stored, crc32c)).toBeUndefined()
    expect([stored.timestampType, ...read(stored).map(({ timestamp }) => timestamp)]).toEqual(["LogAppendTime", now + 77, now + 77, now + 77])
  })
  test("a batch that already has the codec is stored unchanged, without a copy", () => {
    for (const codec of ["none", "gzip"] as const) {
      const batch = made({ codec })
      const opened = openBatch(batch, { rules: { ...plain, codec }, packing, crc32c, times: undefined, batchBytesMax })
      expect(Either.getOrThrow(opened)).toBe(batch)
    }
  })
  test("the level changes how well gzip and zstd compress", () => {
    const records = Array.from({ length: 2000 }, (_, i) => record((i * 7919) % 1000))
    for (const [codec, least, most] of [
      ["gzip", 1, 9],
      ["zstd", -100, 19]
    ] as const) {
      const size = (level: number) => kept(made({}, records), { opening: { ...plain, codec, level } }).sizeInBytes
      expect(size(least)).toBeGreaterThan(size(most))
    }
  })
})

describe("what the broker opens is bounded, and nothing is kept of what is refused", () => {
  const opening = { ...plain, codec: "gzip" as const }
  test.each(codecs.filter((codec) => codec !== "none"))("a bomb in %s is refused without being unpacked", (codec) => {
    const asked: Array<number> = []
    const counting = {
      ...packing,
      decompress: (kind: typeof codec, bytes: Uint8Array, maxBytes: number) => {
        asked.push(maxBytes)
        return packing.decompress(kind, bytes, maxBytes)
      }
    }
    const payload = new Uint8Array(64 * 1024 * 1024)
    const bomb = made({ codec }, [{ timestamp: now, key: null, value: payload }])
    const before = bomb.bytes.slice()
    expect(refusal(bomb, { opening, packing: counting as typeof packing, batchBytesMax: 10_000_000 })?.error).toBe("MESSAGE_TOO_LARGE")
    expect(bomb.bytes).toEqual(before)
    expect(Math.max(...asked)).toBeLessThanOrEqual(10_000_000)
  })
  test("what is over max.message.bytes in its new form", () => {
    const batch = made(
      { codec: "gzip" },
      Array.from({ length: 50 }, (_, i) => record(i))
    )
    expect(refusal(batch, { opening: { ...plain, codec: "none" }, batchBytesMax: 1000 })).toMatchObject({ error: "MESSAGE_TOO_LARGE" })
  })
  test("what does not unpack", () => {
    for (const codec of codecs.filter((each) => each !== "none")) {
      const garbage = forged(made({ codec }), (bytes) => bytes.fill(0xa7, fieldAt.records))
      expect([codec, refusal(garbage, { opening })?.error]).toEqual([codec, "INVALID_RECORD"])
    }
  })
  test("a count that is not the records', numbers that do not follow, fields that end elsewhere", () => {
    const counted = (count: number) =>
      forged(made({ codec: "gzip" }), (bytes) => {
        writeInt32(bytes, fieldAt.recordCount, count)
        writeInt32(bytes, fieldAt.lastOffsetDelta, count - 1)
      })
    expect(refusal(counted(2), { opening })?.message).toContain("does not hold the 2 records")
    expect(refusal(counted(4), { opening })?.message).toContain("does not hold the 4 records")
    expect(refusal(counted(2_000_000_000), { opening })?.error).toBe("INVALID_RECORD")
    // The offset delta of the first record is after its length (2 bytes), attributes and timestamp delta.
    expect(
      refusal(
        forged(made(), (bytes) => (bytes[fieldAt.records + 4] = 8)),
        { opening }
      )?.message
    ).toContain("Record 0 of the batch says that it is number 4")
    const headers = made().bytes.lastIndexOf("h".charCodeAt(0)) - 2
    expect(
      refusal(
        forged(made(), (bytes) => (bytes[headers] = 4)),
        { opening }
      )?.message
    ).toContain("record 2 of the batch do not end where")
  })
  test("whatever is in the payload: the check and the decoder agree, and neither throws", () => {
    const payload = made().records.slice()
    const mutation = fc.record({
      at: fc.nat(payload.length - 1),
      to: fc.nat(255),
      count: fc.constantFrom(3, 3, 3, 2, 4, 0, -1, 2_147_483_647),
      cut: fc.nat(payload.length)
    })
    fc.assert(
      fc.property(mutation, fc.boolean(), ({ at, count, cut, to }, whole) => {
        const bytes = payload.slice()
        bytes[at] = to
        const head = forged(made(), (header) => writeInt32(header, fieldAt.recordCount, count))
        const seen = whole ? bytes : bytes.subarray(0, cut)
        const decoded = decodeRecords(head, seen)
        const checked = checkRecords(head, seen, { needsKeys: false, times: undefined })
        const isRight = Either.isRight(decoded) && decoded.right.every(({ offset }, index) => offset === index)
        expect(checked.rejection === undefined).toBe(isRight)
      }),
      { numRuns: 3000 }
    )
  })
})

describe("records that the topic does not take are named", () => {
  test("without a key where the log is compacted", () => {
    const batch = made({ codec: "zstd" }, [record(0), record(1, now, null), record(2), record(3, now, null)])
    const said = refusal(batch, { opening: { ...plain, needsKeys: true } })
    expect([said?.error, said?.records?.map(({ index }) => index)]).toEqual(["INVALID_RECORD", [1, 3]])
    expect(kept(made({ codec: "zstd" }), { opening: { ...plain, needsKeys: true } }).codec).toBe("zstd")
  })
  test("larger than max.decompressed.message.bytes, where the batch is compressed", () => {
    const batch = made({ codec: "gzip" }, [record(0), { ...record(1), value: bytesOf("x".repeat(5000)) }, record(2)])
    const said = refusal(batch, { opening: { ...plain, recordBytesMax: 1000 } })
    expect([said?.error, said?.records?.map(({ index }) => index)]).toEqual(["INVALID_RECORD", [1]])
    expect(said?.message).toContain("over the topic's max.decompressed.message.bytes of 1000")
    expect(kept(batch, { opening: { ...plain, recordBytesMax: 6000 } }).codec).toBe("gzip")
    const large = made({}, [{ ...record(0), value: bytesOf("x".repeat(5000)) }])
    expect(kept(large, { opening: { ...plain, recordBytesMax: 1000 } }).codec).toBe("none")
  })
  test("with a time that is out of bounds, be it in the middle of the batch; a record without a time has none to check", () => {
    const bounds = { timestampBeforeMaxMs: 100, timestampAfterMaxMs: 100 }
    const times = (codec: "none" | "gzip", ...list: ReadonlyArray<number>) =>
      made(
        { codec },
        list.map((timestamp, index) => record(index, timestamp))
      )
    for (const codec of ["none", "gzip"] as const) {
      for (const [list, wrong] of [
        [[now, now - 101, now], [1]],
        [
          [now - 200, now, now + 200],
          [0, 2]
        ],
        [
          [now, now + 101, now + 300],
          [1, 2]
        ]
      ] as const) {
        const said = refusal(times(codec, ...list), bounds)
        expect([said?.error, said?.records?.map(({ index }) => index)]).toEqual(["INVALID_TIMESTAMP", [...wrong]])
        expect(said?.records?.[0]?.message).toContain(`it should be from ${now - 100} to ${now + 100}`)
      }
      expect(kept(times(codec, now, -1, now + 100), bounds).recordCount).toBe(3)
      expect(kept(times(codec, now - 900, now + 900), { ...bounds, timestampType: "LogAppendTime" }).recordCount).toBe(2)
    }
  })
  test("a response names at most a thousand of them", () => {
    const batch = made(
      {},
      Array.from({ length: 3000 }, (_, i) => record(i, now, null))
    )
    const said = refusal(batch, { opening: { ...plain, needsKeys: true } })
    expect(said?.records).toHaveLength(1000)
    expect(said?.message).toContain("3000 of the batch's records")
  })
})
