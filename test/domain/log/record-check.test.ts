import { describe, expect, test } from "bun:test"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { layer } from "../../../adapters/compression/compression.ts"
import { xxhash32 } from "../../../adapters/compression/xxhash32.ts"
import { type AppendContext, decideAppend, emptyLog } from "../../../domain/log/append.ts"
import { attribute, fieldAt, headerSize, lengthOverhead, RecordBatch, verify } from "../../../domain/log/batch.ts"
import { type Codec, codecId, codecs } from "../../../domain/log/codec.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt16, writeInt32, writeInt64 } from "../../../domain/log/int.ts"
import { decodeRecords, encodeBatch, readRecords } from "../../../domain/log/record.ts"
import { checkRecords, RecordCheck, type RecordRules } from "../../../domain/log/record-check.ts"
import { writeVarint, writeVarlong } from "../../../domain/log/varint.ts"
import { Compression } from "../../../src/ports/compression.ts"

const packing = await Effect.runPromise(Effect.provide(Compression, layer))
const now = 1_700_000_000_000
/** Timeout in ms of tests with many cases, on a busy machine. */
const deadlineMs = 120_000
const context: AppendContext = {
  leaderEpoch: 7,
  now,
  crc32c,
  packing,
  batchBytesMax: 1_000_000,
  segmentBytesMax: 1_000_000_000,
  timestampType: "CreateTime",
  timestampBeforeMaxMs: Number.POSITIVE_INFINITY,
  timestampAfterMaxMs: 3_600_000,
  opening: { codec: undefined, level: undefined, needsKeys: false }
}
const rules: RecordRules = { needsKeys: false, times: { from: Number.NEGATIVE_INFINITY, to: now + 3_600_000 } }

/** Bytes of zigzag varints and of the other fields of a record. */
const varint = (value: number): ReadonlyArray<number> => {
  const bytes = new Uint8Array(10)
  return [...bytes.subarray(0, writeVarint(bytes, 0, value))]
}
const varlong = (value: number): ReadonlyArray<number> => {
  const bytes = new Uint8Array(10)
  return [...bytes.subarray(0, writeVarlong(bytes, 0, value))]
}
const sized = (body: ReadonlyArray<number>): ReadonlyArray<number> => [...varint(body.length), ...body]
const key = [...varint(1), 107]
const value = [...varint(1), 118]
const record = (index: number, timestampDelta = 0): ReadonlyArray<number> =>
  sized([0, ...varlong(timestampDelta), ...varint(index), ...key, ...value, ...varint(0)])
const body = (...fields: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<number> => sized([0, ...varlong(0), ...varint(0), ...fields.flat()])

interface Header {
  readonly codec?: Codec
  readonly count?: number
  readonly lastOffsetDelta?: number
  readonly baseTimestamp?: number
  readonly maxTimestamp?: number
  readonly attributes?: number
}
/** A batch around any bytes, with a valid CRC. */
const around = (
  payload: Uint8Array,
  { attributes = 0, baseTimestamp = now, codec = "none", count = 1, lastOffsetDelta, maxTimestamp }: Header = {}
): RecordBatch => {
  const bytes = new Uint8Array(headerSize + payload.length)
  bytes.set(payload, headerSize)
  writeInt32(bytes, fieldAt.batchLength, bytes.length - lengthOverhead)
  bytes[fieldAt.magic] = 2
  writeInt16(bytes, fieldAt.attributes, attributes | codecId(codec))
  writeInt32(bytes, fieldAt.lastOffsetDelta, lastOffsetDelta ?? count - 1)
  writeInt64(bytes, fieldAt.baseTimestamp, baseTimestamp)
  writeInt64(bytes, fieldAt.maxTimestamp, maxTimestamp ?? baseTimestamp)
  writeInt64(bytes, fieldAt.producerId, -1)
  writeInt16(bytes, fieldAt.producerEpoch, -1)
  writeInt32(bytes, fieldAt.baseSequence, -1)
  writeInt32(bytes, fieldAt.recordCount, count)
  writeInt32(bytes, fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  return new RecordBatch(bytes)
}
const packed = (codec: Codec, bytes: ArrayLike<number>, header: Header = {}) => around(packing.compress(codec, Uint8Array.from(bytes)), { codec, ...header })
const decided = (batch: RecordBatch, more: Partial<AppendContext> = {}, end = 0) => decideAppend({ ...emptyLog, end }, [batch], { ...context, ...more })
const refusal = (batch: RecordBatch, more: Partial<AppendContext> = {}, end = 0) => Either.getOrUndefined(Either.flip(decided(batch, more, end)))

/** Payloads that contradict their batch's header, and Kafka's error for each. */
const wrong: ReadonlyArray<readonly [what: string, payload: ReadonlyArray<number>, header: Header, error?: "INVALID_TIMESTAMP"]> = [
  ["one record, and 2^31 - 1 are said", record(0), { count: 0x7fff_ffff }],
  ["one record, and a thousand are said", record(0), { count: 1000 }],
  ["one record, and two are said", record(0), { count: 2 }],
  ["two records, and one is said", [...record(0), ...record(1)], {}],
  ["none said, none there", [], { count: 0 }],
  ["none said, one there", record(0), { count: 0 }],
  ["a negative count", record(0), { count: -1 }],
  ["more offsets than records", [...record(0), ...record(1)], { count: 2, lastOffsetDelta: 5 }],
  ["fewer offsets than records", [...record(0), ...record(1)], { count: 2, lastOffsetDelta: 0 }],
  ["no bytes", [], {}],
  ["bytes behind the last record", [...record(0), 0, 0, 0], {}],
  ["a record that is longer than the batch", [...varint(5000), ...record(0).slice(1)], {}],
  ["a record of negative length", [...varint(-1), ...record(0).slice(1)], {}],
  ["a record of no length", [0], {}],
  ["a record that is too short for its fields", [...varint(4), ...record(0).slice(1)], {}],
  ["a record with bytes behind its fields", sized([...record(0).slice(1), 0, 0]), {}],
  ["the first of two with bytes behind its fields", [...sized([...record(0).slice(1), 0, 0]), ...record(1)], { count: 2 }],
  ["numbers that go down", [...record(1), ...record(0)], { count: 2 }],
  ["the same number twice", [...record(0), ...record(0)], { count: 2 }],
  ["a first number of 5", record(5), {}],
  ["a negative number", record(-1), {}],
  ["a time far behind the header's", record(0, 7_200_000), {}, "INVALID_TIMESTAMP"],
  ["a time of 2^62", sized([0, ...Array.from({ length: 8 }, () => 0x80), 0x80, 0x01, ...varint(0), ...key, ...value, 0]), {}, "INVALID_TIMESTAMP"],
  ["a time of eleven bytes", sized([0, ...Array.from({ length: 10 }, () => 0xff), 0x01, ...varint(0), ...key, ...value, 0]), {}],
  ["2^31 - 1 headers", body(key, value, varint(0x7fff_ffff)), {}],
  ["-1 headers", body(key, value, varint(-1)), {}],
  ["two headers, and none is there", body(key, value, varint(2)), {}],
  ["a header without key", body(key, value, varint(1), varint(-1), value), {}],
  ["a key that leaves the record", body([...varint(900), 107], value, [0]), {}],
  ["a key that ends in the next record", [...body([...varint(9), 107], value, [0]), ...record(1)], { count: 2 }],
  ["a key of length -2", body(varint(-2), value, [0]), {}],
  ["a value that leaves the record", body(key, [...varint(900), 118], [0]), {}],
  ["a value of 2^31 - 1 bytes", body(key, [...varint(0x7fff_ffff), 118], [0]), {}],
  ["a length of six bytes", body([0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 107], value, [0]), {}],
  ["a batch inside", [...around(Uint8Array.from(record(0))).bytes], {}],
  ["control records", record(0), { attributes: attribute.control }]
]

describe("batches that no consumer could read", () => {
  for (const codec of codecs)
    test(`${codec}: each is refused where it is written, on a topic with default settings`, () => {
      for (const [what, payload, header, error = "INVALID_RECORD"] of wrong) {
        const said = refusal(packed(codec, payload, header))
        expect({ what, error: said?.error as string }).toEqual({ what, error })
        expect(said?.message.length).toBeGreaterThan(10)
      }
      expect(Either.isRight(decided(packed(codec, [...record(0), ...record(1)], { count: 2 })))).toBe(true)
    })

  test.each(codecs.filter((codec) => codec !== "none"))("%s: truncated, damaged, empty or unrelated bytes do not decompress", (codec) => {
    const good = packing.compress(codec, Uint8Array.from(Array.from({ length: 30 }, (_, i) => record(i)).flat()))
    const header = { codec, count: 30 }
    for (const bad of [new Uint8Array(0), good.subarray(0, good.length >> 1), good.subarray(0, -1), new Uint8Array(40).fill(7), packing.compress(codec, good)])
      expect(refusal(around(bad, header))?.error).toBe("INVALID_RECORD")
    expect(Either.isRight(decided(around(good, header)))).toBe(true)
  })

  test("an lz4 frame of linked blocks, which Java's client does not read, is refused where records are looked at; independent blocks are taken", () => {
    const good = packed("lz4", record(0))
    const linked = good.records.slice()
    linked[4] = (linked[4] as number) & ~0x20
    const descriptorEnd = 6 + ((linked[4] as number) & 8 ? 8 : 0)
    linked[descriptorEnd] = xxhash32(linked, 4, descriptorEnd) >>> 8
    expect(Either.getOrThrow(packing.decompress("lz4", linked, 100))).toEqual(Uint8Array.from(record(0)))
    expect(refusal(around(linked, { codec: "lz4" }))).toMatchObject({ error: "INVALID_RECORD", message: expect.stringContaining("linked") })
    expect(Either.isRight(decided(good))).toBe(true)
    expect(Either.isRight(decided(around(linked, { codec: "lz4" }), { opening: undefined }))).toBe(true)
  })

  test("a timestamp out of range is refused with log append time, too", () => {
    const [, payload = []] = wrong.find(([what]) => what === "a time of 2^62") ?? []
    expect(refusal(packed("gzip", payload), { timestampType: "LogAppendTime" })?.error).toBe("INVALID_TIMESTAMP")
    expect(Either.isRight(decided(packed("gzip", record(0, 10 ** 13)), { timestampType: "LogAppendTime" }))).toBe(true)
  })

  test("with the header alone to look at, a count is still bounded by what the bytes can decompress to", () => {
    for (const codec of codecs) {
      expect(refusal(packed(codec, record(0), { count: 0x7fff_ffff }), { opening: undefined })?.error).toBe("INVALID_RECORD")
      expect(Either.isRight(decided(packed(codec, record(0)), { opening: undefined }))).toBe(true)
    }
    // Many records in few bytes are valid.
    const many = Array.from({ length: 100_000 }, () => ({ timestamp: now, key: null, value: null }))
    for (const codec of codecs)
      expect(
        Either.isRight(decided(new RecordBatch(encodeBatch({ codec, records: many }, { crc32c, compress: packing.compress })), { opening: undefined }))
      ).toBe(true)
  })

  test("an append past the largest offset is refused, and nothing is changed", () => {
    const last = Number.MAX_SAFE_INTEGER - 2
    const two = () => packed("none", [...record(0), ...record(1)], { count: 2 })
    expect(Either.getOrThrow(decided(two(), {}, last))).toMatchObject({ baseOffset: last, lastOffset: last + 1 })
    for (const end of [last + 1, last + 2]) {
      const batch = two()
      const before = batch.bytes.slice()
      expect(refusal(batch, {}, end)).toMatchObject({ error: "INVALID_RECORD", message: expect.stringContaining("last offset") })
      expect(batch.bytes).toEqual(before)
    }
  })

  test("a wrong largest timestamp is corrected under a valid CRC, because retention relies on it", () => {
    for (const codec of ["none", "gzip"] as const)
      for (const maxTimestamp of [0, -1, -5, now + 99, now + 3_600_001, -(2 ** 62), 2 ** 62]) {
        const batch = packed(codec, [...record(0, 5), ...record(1, -7)], { count: 2, maxTimestamp })
        expect(Either.isRight(decided(batch))).toBe(true)
        expect([batch.maxTimestamp, verify(batch, crc32c)]).toEqual([now + 5, undefined])
      }
  })
})

interface Run {
  readonly length: number
  readonly keySize: number
  readonly valueSize: number
  readonly step: number
  readonly headers: number
}
/** Runs of records that are made alike, with others between them. */
const anyRun: fc.Arbitrary<Run> = fc.record({
  length: fc.integer({ min: 1, max: 100 }),
  keySize: fc.constantFrom(-1, 0, 1, 8, 63, 64, 200),
  valueSize: fc.constantFrom(-1, 0, 1, 50, 63, 64, 100, 8191),
  step: fc.constantFrom(0, 0, 0, 1, -1, 63, 64, 1000),
  headers: fc.constantFrom(0, 0, 0, 1, 3)
})
const made = (runs: ReadonlyArray<Run>, baseTimestamp: number): RecordBatch => {
  let timestamp = baseTimestamp
  const records = runs.flatMap(({ headers, keySize, length, step, valueSize }) =>
    Array.from({ length }, () => {
      const bytes = (size: number) => (size < 0 ? null : new Uint8Array(size).fill(9))
      const each = { timestamp, key: bytes(keySize), value: bytes(valueSize), headers: Array.from({ length: headers }, () => ({ key: "h", value: bytes(2) })) }
      timestamp += step
      return each
    })
  )
  return new RecordBatch(encodeBatch({ codec: "none", records }, { crc32c, compress: packing.compress }))
}
const anyBatch = fc.tuple(fc.array(anyRun, { minLength: 1, maxLength: 4 }), fc.constantFrom(now, now, -1, 0)).map(([runs, at]) => made(runs, at))

/** A consumer's result: the largest timestamp, or that the records cannot be decoded. */
const decoded = (batch: RecordBatch, bytes: Uint8Array): number | undefined => {
  const records = Either.getOrUndefined(decodeRecords(batch, bytes.subarray(headerSize)))
  if (records === undefined || records.some(({ offset, timestamp }, index) => offset !== index || timestamp > now + 3_600_000)) return undefined
  return records.reduce((max, { timestamp }) => Math.max(max, timestamp), -1)
}
const checked = (batch: RecordBatch, bytes: Uint8Array): number | undefined => {
  const found = checkRecords(batch, bytes, rules, headerSize)
  return found.rejection === undefined ? found.maxTimestamp : undefined
}

describe("the walk over records", () => {
  test(
    "takes what a consumer can read, with the same largest time, and nothing else; whatever was changed",
    () =>
      fc.assert(
        fc.property(anyBatch, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 }), fc.boolean(), (batch, changes, near) => {
          expect(checked(batch, batch.bytes)).toBe(decoded(batch, batch.bytes))
          const bytes = batch.bytes.slice()
          const room = bytes.length - headerSize
          // Near the start of a record are its lengths; most bytes of a large one are its value's.
          for (const [at, byte] of changes) bytes[headerSize + (near ? at % Math.min(room, 40) : at % room)] = byte
          expect(checked(batch, bytes)).toBe(decoded(batch, bytes))
        }),
        { numRuns: 300 }
      ),
    deadlineMs
  )

  test(
    "in steps of any size it finds the same",
    () =>
      fc.assert(
        fc.property(anyBatch, fc.integer({ min: 1, max: 100 }), fc.nat(), fc.nat(255), (batch, most, at, byte) => {
          const bytes = batch.bytes.slice()
          bytes[headerSize + (at % (bytes.length - headerSize))] = byte
          const whole = checkRecords(batch, bytes, rules, headerSize)
          const check = new RecordCheck(batch, bytes, headerSize, rules)
          let steps = 1
          while (check.step(most)) steps++
          expect(steps).toBeLessThanOrEqual(Math.ceil(batch.recordCount / most) + 1)
          expect(check.rejection).toEqual(whole.rejection)
          if (whole.rejection === undefined) expect(check.maxTimestamp).toBe(whole.maxTimestamp)
        }),
        { numRuns: 150 }
      ),
    deadlineMs
  )

  test(
    "records of a run that break a rule are named, wherever they are in it",
    () =>
      fc.assert(
        fc.property(fc.integer({ min: 33, max: 9000 }), fc.uniqueArray(fc.nat(8999), { maxLength: 20 }), fc.boolean(), (count, places, keys) => {
          const bad = places.filter((place) => place < count).toSorted((a, b) => a - b)
          const records = Array.from({ length: count }, (_, i) => ({
            timestamp: !keys && bad.includes(i) ? now + 5_000_000 : now,
            key: keys && bad.includes(i) ? null : new Uint8Array([1]),
            value: new Uint8Array([2])
          }))
          const batch = new RecordBatch(encodeBatch({ codec: "none", records }, { crc32c, compress: packing.compress }))
          const { rejection } = checkRecords(batch, batch.bytes, { ...rules, needsKeys: keys }, headerSize)
          expect(rejection?.records?.map(({ index }) => index) ?? []).toEqual(bad)
        }),
        { numRuns: 60 }
      ),
    deadlineMs
  )
})

test(
  "what is taken can be read: whatever a client sends, a consumer reads what was acknowledged",
  () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...codecs),
        anyBatch,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
        fc.boolean(),
        (codec, plain, changes, inside) => {
          const payload = plain.records.slice()
          if (inside) for (const [at, byte] of changes) payload[at % payload.length] = byte
          const batch = packed(codec, payload, { count: plain.recordCount, baseTimestamp: plain.baseTimestamp })
          if (!inside) for (const [at, byte] of changes) batch.bytes[fieldAt.attributes + (at % (batch.bytes.length - fieldAt.attributes))] = byte
          writeInt32(batch.bytes, fieldAt.crc, crc32c(batch.bytes, fieldAt.attributes))
          if (Either.isLeft(decided(batch))) return
          const read = Either.getOrThrow(readRecords(batch, packing.decompress, 33_554_432))
          expect(read.map(({ offset }) => offset)).toEqual(Array.from({ length: batch.recordCount }, (_, i) => i))
        }
      ),
      { numRuns: 200 }
    ),
  deadlineMs
)
