import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { attribute, fieldAt, RecordBatch, verify } from "../../../domain/log/batch.ts"
import type { BatchFault } from "../../../domain/log/batch-fault.ts"
import { endTransactionRecord, readControlRecord } from "../../../domain/log/control-record.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../domain/log/int.ts"
import { type BatchToWrite, decodeRecords, encodeBatch, type RecordToWrite, viewRecords } from "../../../domain/log/record.ts"
import { batchVectors, fromHex, headerOf, headerOfVector, recordsOf } from "./batch-vectors.ts"

const encoding = { crc32c, compress: (_codec: string, bytes: Uint8Array) => bytes }
const encode = (batch: Omit<BatchToWrite, "codec">): RecordBatch => new RecordBatch(encodeBatch({ codec: "none", ...batch }, encoding))
const decode = (batch: RecordBatch) => Either.getOrThrow(decodeRecords(batch, batch.records))
const faultOf = (batch: RecordBatch): BatchFault | undefined => Either.getOrUndefined(Either.flip(decodeRecords(batch, batch.records)))

const bytes = fc.option(fc.uint8Array({ maxLength: 40 }))
const anyRecord: fc.Arbitrary<RecordToWrite> = fc.record({
  timestamp: fc.oneof(fc.integer({ min: 1_700_000_000_000, max: 1_800_000_000_000 }), fc.integer({ min: -1, max: 2 ** 52 })),
  key: bytes,
  value: bytes,
  headers: fc.array(fc.record({ key: fc.string({ unit: "grapheme", maxLength: 8 }), value: bytes }), { maxLength: 3 })
})
const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 80 })

describe("Kafka's batches", () => {
  test.each(batchVectors.map((vector, i) => [`${i} ${vector.kind} ${vector.codec}`, vector] as const))("%s: header and CRC", (_, vector) => {
    const batch = new RecordBatch(fromHex(vector.hex))
    expect(headerOf(batch)).toEqual(headerOfVector(vector))
    expect(batch.recordCount).toBe(vector.records.length)
    expect(batch.sizeInBytes).toBe(batch.bytes.length)
    expect(verify(batch, crc32c)).toBeUndefined()
  })

  test.each(batchVectors.filter(({ codec }) => codec === "none").map((vector, i) => [`${i} ${vector.kind}`, vector] as const))(
    "%s: records, read and written byte-equal",
    (_, vector) => {
      const batch = new RecordBatch(fromHex(vector.hex))
      expect(recordsOf(decode(batch))).toEqual(vector.records)
      // With log append time every record reads as the leader's time; its own is still in the bytes, and is read when the bit is cleared.
      const plain = new RecordBatch(batch.bytes.slice())
      plain.bytes[fieldAt.attributes + 1] = (plain.bytes[fieldAt.attributes + 1] as number) & ~attribute.logAppendTime
      const written = encode({
        records: decode(plain),
        baseOffset: batch.baseOffset,
        leaderEpoch: batch.partitionLeaderEpoch,
        producerId: batch.producerId,
        producerEpoch: batch.producerEpoch,
        baseSequence: batch.baseSequence,
        isTransactional: batch.isTransactional,
        isControl: batch.isControl,
        ...(batch.timestampType === "LogAppendTime" ? { logAppendTime: batch.maxTimestamp } : {})
      })
      expect(written.bytes.toHex()).toBe(vector.hex)
    }
  )

  test.each(["commit", "abort"] as const)("the %s marker", (outcome) => {
    const vector = batchVectors.find(({ kind }) => kind === `control-${outcome}`)
    const batch = new RecordBatch(fromHex(vector?.hex ?? ""))
    const [record] = decode(batch)
    expect(record && Either.getOrThrow(readControlRecord(record))).toEqual({ outcome, coordinatorEpoch: 7 })
    expect(record).toMatchObject(endTransactionRecord({ outcome, coordinatorEpoch: 7 }, Number(vector?.maxTimestamp)))
  })
})

describe("encode and decode", () => {
  test("are each other's inverse", () =>
    fc.assert(
      fc.property(anyRecords, fc.nat(2 ** 50), (records, baseOffset) => {
        const batch = encode({ records, baseOffset })
        expect(verify(batch, crc32c)).toBeUndefined()
        expect(batch.maxTimestamp).toBe(Math.max(...records.map(({ timestamp }) => timestamp)))
        expect(decode(batch)).toEqual(records.map((record, i) => ({ offset: baseOffset + i, headers: [], ...record })))
      })
    ))

  test("a record without headers may leave them out", () => {
    const record = { timestamp: 5, key: null, value: new Uint8Array([1]) }
    expect(decode(encode({ records: [record] }))).toEqual([{ offset: 0, ...record, headers: [] }])
  })

  test("keys and values are views of the batch", () => {
    const batch = encode({ records: [{ timestamp: 1, key: new Uint8Array([7]), value: null }] })
    expect(decode(batch)[0]?.key?.buffer).toBe(batch.bytes.buffer)
  })

  test("a view reads its key, value and headers whenever they are asked for", () =>
    fc.assert(
      fc.property(anyRecords, (records) => {
        const views = Either.getOrThrow(viewRecords(encode({ records }), (_, bytes) => Either.right(bytes), 1_000_000))
        const read = () => views.map(({ headers, key, timestamp, value }) => ({ headers, value, timestamp, key }))
        const expected = records.map(({ headers = [], key, timestamp, value }) => ({ headers, value, timestamp, key }))
        expect(read()).toEqual(expected)
        expect(read()).toEqual(expected)
      })
    ))

  test("any bytes give records or one fault with a position within them", () =>
    fc.assert(
      fc.property(anyRecords, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.nat(), (records, changes, cut) => {
        const whole = encode({ records })
        const batch = new RecordBatch(whole.bytes.slice(0, whole.bytes.length - (cut % 8)))
        for (const [at, byte] of changes) {
          const from = fieldAt.recordCount
          batch.bytes[from + (at % (batch.bytes.length - from))] = byte
        }
        const fault = faultOf(batch)
        if (fault !== undefined) expect(fault.position).toBeWithin(0, batch.bytes.length + 1)
      }),
      { numRuns: 1000 }
    ))

  test.each([2 ** 31 - 1, 1_000_000, -1])("a count of %p is refused before memory is taken", (count) => {
    const batch = encode({ records: [{ timestamp: 1, key: null, value: null }] })
    writeInt32(batch.bytes, fieldAt.recordCount, count)
    expect(faultOf(batch)).toMatchObject({ _tag: "BatchFault", error: "INVALID_RECORD" })
  })

  test("a byte after the last record is refused", () => {
    const batch = encode({ records: [{ timestamp: 1, key: null, value: null }] })
    expect(faultOf(new RecordBatch(new Uint8Array([...batch.bytes, 0])))).toMatchObject({ error: "INVALID_RECORD" })
  })
})
