import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import {
  assign,
  copyBatch,
  fieldAt,
  headerSize,
  RecordBatch,
  readableBatches,
  splitBatches,
  stampLogAppendTime,
  verify,
  viewBatch,
  viewHeader
} from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import { batchVectors, fromHex } from "./batch-vectors.ts"

const all = batchVectors.map(({ hex }) => fromHex(hex))
const joined = new Uint8Array(Buffer.concat(all))
const first = (): RecordBatch => new RecordBatch((all[0] as Uint8Array).slice())
const bytesOf = (batches: ReadonlyArray<RecordBatch>) => batches.map(({ bytes }) => bytes.toHex())
const errorOf = (result: Either.Either<unknown, { readonly error: string }>): string | undefined => Either.getOrUndefined(Either.flip(result))?.error

describe("splitting", () => {
  test("whole batches are split where they were joined, as views", () => {
    const batches = Either.getOrThrow(splitBatches(joined))
    expect(bytesOf(batches)).toEqual(batchVectors.map(({ hex }) => hex))
    expect(batches.every(({ bytes }) => bytes.buffer === joined.buffer)).toBe(true)
    expect(bytesOf(Either.getOrThrow(readableBatches(joined)))).toEqual(bytesOf(batches))
  })

  test("a cut batch is a fault in a Produce and left out of a Fetch", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: (all[61] as Uint8Array).length - 1 }), (cut) => {
        const bytes = joined.subarray(0, joined.length - cut)
        expect(errorOf(splitBatches(bytes))).toBe("CORRUPT_MESSAGE")
        expect(Either.getOrThrow(readableBatches(bytes)).length).toBe(61)
      })
    ))

  test("any bytes give batches or a fault, never an exception", () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(60), fc.boolean(), (noise, at, magic) => {
        const bytes = Uint8Array.from(noise)
        if (magic && bytes.length > fieldAt.magic) bytes.set([0, 0, 0, 49 + at], fieldAt.batchLength)
        if (magic && bytes.length > fieldAt.magic) bytes[fieldAt.magic] = 2
        for (const read of [splitBatches, readableBatches]) {
          const result = read(bytes)
          if (Either.isRight(result)) for (const batch of result.right) decodeRecords(batch, batch.records)
          else expect(result.left.position).toBeWithin(0, bytes.length)
        }
      }),
      { numRuns: 2000 }
    ))

  test.each([0, 1, 3, 9, 255])("magic %p is refused by name", (magic) => {
    const batch = first()
    batch.bytes[fieldAt.magic] = magic
    expect(errorOf(splitBatches(batch.bytes))).toBe(magic < 2 ? "INVALID_RECORD" : "CORRUPT_MESSAGE")
    expect(errorOf(readableBatches(batch.bytes))).toBe(magic < 2 ? "INVALID_RECORD" : "CORRUPT_MESSAGE")
  })

  test.each([
    ["a length of 48", fieldAt.batchLength, [0, 0, 0, 48]],
    ["a negative length", fieldAt.batchLength, [255, 255, 255, 255]],
    ["a base offset beyond 2^53", fieldAt.baseOffset, [0, 0x20, 0, 0]],
    ["a negative base offset", fieldAt.baseOffset, [255, 255, 255, 255]],
    ["a negative last offset delta", fieldAt.lastOffsetDelta, [255, 255, 255, 255]]
  ])("%s is CORRUPT_MESSAGE", (_, at, bytes) => {
    const batch = first()
    batch.bytes.set(bytes, at)
    expect(errorOf(readableBatches(batch.bytes))).toBe("CORRUPT_MESSAGE")
    // The append path checks the offsets of a produced batch together with all else that the CRC covers.
    const isLength = at === fieldAt.batchLength
    expect(errorOf(splitBatches(batch.bytes)) as string | undefined).toBe(isLength ? "CORRUPT_MESSAGE" : undefined)
  })

  test("every field is read from the header alone", () => {
    const whole = first()
    const header = Either.getOrThrow(viewHeader(whole.bytes.subarray(0, headerSize), 0)) as RecordBatch
    expect(header.sizeInBytes).toBe(whole.bytes.length)
    expect(header.nextOffset).toBe(whole.nextOffset)
    expect(Either.getOrThrow(viewBatch(whole.bytes.subarray(0, headerSize), 0))).toBeUndefined()
    expect(Either.getOrThrow(viewHeader(whole.bytes.subarray(0, headerSize - 1), 0))).toBeUndefined()
  })
})

describe("the CRC", () => {
  test("finds any single flipped bit from the CRC on (L6)", () =>
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.nat(), fc.nat(7), (bytes, at, bit) => {
        const batch = new RecordBatch(bytes.slice())
        const where = fieldAt.crc + (at % (bytes.length - fieldAt.crc))
        batch.bytes[where] = (batch.bytes[where] as number) ^ (1 << bit)
        expect(verify(batch, crc32c)?.error).toBe("CORRUPT_MESSAGE")
      }),
      { numRuns: 500 }
    ))

  test("a codec that does not exist is named, not decompressed", () => {
    const batch = first()
    batch.bytes[fieldAt.attributes + 1] = 7
    const stamped = new RecordBatch(batch.bytes)
    stampLogAppendTime(stamped, 5, crc32c)
    expect(stamped.codec).toBeUndefined()
    expect(verify(stamped, crc32c)?.error).toBe("UNSUPPORTED_COMPRESSION_TYPE")
  })
})

describe("patching", () => {
  test("assign moves the batch and keeps its CRC", () =>
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER - 1000), fc.nat(2 ** 31 - 1), (offset, epoch) => {
        const batch = first()
        assign(batch, offset, epoch)
        expect([batch.baseOffset, batch.lastOffset, batch.partitionLeaderEpoch]).toEqual([offset, offset + 4, epoch])
        expect(verify(batch, crc32c)).toBeUndefined()
      })
    ))

  test("log append time is stamped over every record", () => {
    const batch = first()
    stampLogAppendTime(batch, 1_800_000_000_000, crc32c)
    expect(verify(batch, crc32c)).toBeUndefined()
    expect([batch.timestampType, batch.maxTimestamp, batch.codec]).toEqual(["LogAppendTime", 1_800_000_000_000, "none"])
    expect(Either.getOrThrow(decodeRecords(batch, batch.records)).every(({ timestamp }) => timestamp === 1_800_000_000_000)).toBe(true)
  })

  test("a copy shares no memory with its source", () => {
    const batch = first()
    const copied = copyBatch(batch)
    assign(batch, 5, 5)
    expect(copied.bytes.toHex()).toBe(batchVectors[0]?.hex as string)
  })
})
