import { describe, expect, test } from "bun:test"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { Effect, Either } from "effect"
import fc from "fast-check"
import { layer, layerTypescript } from "../../../adapters/compression/compression.ts"
import { RecordBatch, verify } from "../../../domain/log/batch.ts"
import { type Codec, codecs } from "../../../domain/log/codec.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { encodeBatch, readRecords } from "../../../domain/log/record.ts"
import { Compression, CompressionFault } from "../../../src/ports/compression.ts"
import { batchVectors, fromHex, recordsOf } from "../../domain/log/batch-vectors.ts"

const native = await Effect.runPromise(Effect.provide(Compression, layer))
const typescript = await Effect.runPromise(Effect.provide(Compression, layerTypescript))
const ways = [
  ["native", native],
  ["typescript", typescript]
] as const
const packing = codecs.filter((codec) => codec !== "none")
const cases = ways.flatMap(([name, compression]) => packing.map((codec) => [name, codec, compression] as const))

const mebibyte = 1_048_576
const faultOf = (result: Either.Either<unknown, CompressionFault>): CompressionFault | undefined => Either.getOrUndefined(Either.flip(result))
const unpack = (compression: typeof native, codec: Codec, bytes: Uint8Array, maxBytes: number = mebibyte): Uint8Array =>
  Uint8Array.from(Either.getOrThrow(compression.decompress(codec, bytes, maxBytes)))

/** Bytes similar to records: runs, near and far repetitions, and noise. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.nat(255), fc.nat(40_000)).map(([byte, size]) => new Uint8Array(size).fill(byte)),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(300))
        .map(([word, times]) => Uint8Array.from({ length: word.length * times }, (_, i) => word[i % word.length] as number))
    ),
    { maxLength: 12 }
  )
  .map((parts) => Uint8Array.from(Buffer.concat(parts)))

test("both implementations exist", () => {
  expect(native.names).toEqual({ snappy: "native", lz4: "native" })
  expect(typescript.names).toEqual({ snappy: "typescript", lz4: "typescript" })
})

describe.each(ways)("%s", (_, compression) => {
  test.each(batchVectors.map((vector, i) => [`${i} ${vector.kind} ${vector.codec}`, vector] as const))("Kafka's batch %s", (_, vector) => {
    const batch = new RecordBatch(fromHex(vector.hex))
    const records = Either.getOrThrow(readRecords(batch, compression.decompress, mebibyte))
    expect(recordsOf(records)).toEqual(vector.records)
  })

  test("a batch in any codec is decoded", () => {
    for (const codec of codecs) {
      const records = Array.from({ length: 1000 }, (_, i) => ({
        timestamp: i,
        key: new Uint8Array([i & 0xff]),
        value: new Uint8Array(100).fill(i),
        headers: []
      }))
      const batch = new RecordBatch(encodeBatch({ codec, records }, { crc32c, compress: compression.compress }))
      expect([verify(batch, crc32c), batch.codec]).toEqual([undefined, codec])
      expect(Either.getOrThrow(readRecords(batch, compression.decompress, mebibyte))).toEqual(records.map((record, offset) => ({ offset, ...record })))
    }
  })
})

describe.each(cases)("%s %s", (_, codec, compression) => {
  test("both implementations decompress what either compressed", () =>
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const packed = compression.compress(codec, bytes)
        for (const [, other] of ways) expect(unpack(other, codec, packed)).toEqual(bytes)
      }),
      { numRuns: 40 }
    ))

  test("the size bound is exact to the byte", () =>
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const packed = compression.compress(codec, bytes)
        expect(unpack(compression, codec, packed, bytes.length)).toEqual(bytes)
        if (bytes.length > 0) expect(faultOf(compression.decompress(codec, packed, bytes.length - 1))?.kind).toBe("tooLarge")
      }),
      { numRuns: 40 }
    ))

  test("a decompression bomb is refused", () => {
    const bomb = native.compress(codec, new Uint8Array(64 * mebibyte))
    expect(bomb.length).toBeLessThan(4 * mebibyte)
    const fault = faultOf(compression.decompress(codec, bomb, mebibyte))
    expect(fault).toBeInstanceOf(CompressionFault)
    expect([fault?.codec, fault?.kind]).toEqual([codec, "tooLarge"])
  })

  test("random bytes, and damaged compressed bytes, give bytes within the bound or a typed fault", () =>
    fc.assert(
      fc.property(anyBytes, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), fc.nat(), fc.boolean(), (bytes, changes, cut, garbage) => {
        const packed = garbage ? bytes : Uint8Array.from(compression.compress(codec, bytes))
        for (const [at, byte] of changes) if (packed.length > 0) packed[at % packed.length] = byte
        const result = compression.decompress(codec, packed.subarray(0, packed.length - (cut % (packed.length + 1))), 50_000)
        if (Either.isRight(result)) expect(result.right.length).toBeLessThanOrEqual(50_000)
        else expect(result.left).toBeInstanceOf(CompressionFault)
      }),
      { numRuns: 300 }
    ))

  test("a truncated stream is a fault", () => {
    const packed = compression.compress(
      codec,
      Uint8Array.from({ length: 90_000 }, (_, i) => i % 251)
    )
    for (const size of [0, 1, 7, 20, packed.length >> 1, packed.length - 1])
      expect(faultOf(compression.decompress(codec, packed.subarray(0, size), mebibyte))?.kind).toBe("corrupt")
  })
})

describe("other clients' framing", () => {
  test("an empty raw snappy block decodes to no bytes, and one with a byte too many is corrupt, in both implementations", () => {
    for (const compression of [native, typescript]) {
      expect(compression.decompress("snappy", Uint8Array.from([0]), 8)).toEqual(Either.right(new Uint8Array(0)))
      expect(faultOf(compression.decompress("snappy", Uint8Array.from([0, 0]), 8))?.kind).toBe("corrupt")
    }
  })
  test("raw snappy without a frame, as librdkafka writes it", async () => {
    const { compressSync } = await import("snappy")
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 13)
    for (const [, compression] of ways) expect(unpack(compression, "snappy", compressSync(bytes))).toEqual(bytes)
  })

  test("snappy with a length beyond its bytes is refused before memory is allocated", () => {
    for (const [, compression] of ways)
      expect(faultOf(compression.decompress("snappy", new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2]), 2 ** 40))?.kind).toBe("corrupt")
  })

  test("lz4 with block and content checksums; a flipped bit in the content is found", async () => {
    const { compressFrameSync } = await import("lz4-napi")
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i) % 251)
    const packed = compressFrameSync(Buffer.from(bytes), { blockChecksums: true, contentChecksum: true })
    for (const [, compression] of ways) {
      expect(unpack(compression, "lz4", packed)).toEqual(bytes)
      const damaged = Uint8Array.from(packed)
      damaged[packed.length >> 1] = (damaged[packed.length >> 1] as number) ^ 1
      expect(faultOf(compression.decompress("lz4", damaged, mebibyte))?.kind).toBe("corrupt")
    }
  })

  test("lz4 blocks that refer to the block before (lz4js, lz4.frame of Python)", () => {
    // Eight literals, then a block of one match that reaches back into the first. The header's checksum byte is found by trying: only one value is accepted.
    const text = new TextEncoder().encode("abcdefgh")
    const first = [0x80, ...text]
    const second = [0x04, 8, 0, 0x50, ...text.subarray(0, 5)]
    const frame = (hc: number) =>
      new Uint8Array([4, 0x22, 0x4d, 0x18, 0x40, 0x40, hc, first.length, 0, 0, 0, ...first, second.length, 0, 0, 0, ...second, 0, 0, 0, 0])
    const read = Array.from({ length: 256 }, (_, hc) => typescript.decompress("lz4", frame(hc), 100)).filter(Either.isRight)
    expect(read.map(({ right }) => new TextDecoder().decode(right))).toEqual(["abcdefghabcdefghabcde"])
    // Kafka's Java client refuses it ("Dependent block stream is unsupported"), and a broker must return that error to the producer.
    const said = Array.from({ length: 256 }, (_, hc) => typescript.frameRefusal("lz4", frame(hc))).filter((each) => each !== undefined)
    expect(said).toEqual([expect.stringContaining("linked")])
    for (const [, codec, compression] of cases) expect(compression.frameRefusal(codec, compression.compress(codec, text))).toBeUndefined()
  })

  test("concatenated gzip members and zstd frames are one stream", () => {
    const half = new Uint8Array(1000).fill(7)
    const whole = new Uint8Array(2000).fill(7)
    expect(unpack(native, "gzip", Buffer.concat([gzipSync(half), gzipSync(half)]))).toEqual(whole)
    const twice = Buffer.concat([zstdCompressSync(half), Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]), zstdCompressSync(half)])
    expect(unpack(native, "zstd", twice)).toEqual(whole)
    expect(faultOf(native.decompress("zstd", twice, 1999))?.kind).toBe("tooLarge")
  })

  test.each(cases)(
    "%s %s: the bound of the size holds for whatever decompresses, and is told for any bytes",
    (_, codec, compression) => {
      fc.assert(
        fc.property(anyBytes, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat(30), (bytes, changes, cut) => {
          const packed = Uint8Array.from(compression.compress(codec, bytes))
          expect(compression.sizeBound(codec, packed)).toBeGreaterThanOrEqual(bytes.length)
          const damaged = packed.slice(0, packed.length - Math.max(0, cut - 20))
          for (const [at, byte] of changes) damaged[at % damaged.length] = byte
          const bound = compression.sizeBound(codec, damaged)
          const unpacked = compression.decompress(codec, damaged, 8 * mebibyte)
          if (Either.isRight(unpacked)) expect(bound).toBeGreaterThanOrEqual(unpacked.right.length)
        }),
        { numRuns: 60 }
      )
      for (const bytes of [new Uint8Array(0), new Uint8Array(50).fill(7)]) expect(compression.sizeBound(codec, bytes)).toBeLessThanOrEqual(100)
    },
    300_000
  )

  test("codec none returns the bytes unchanged", () => {
    const bytes = new Uint8Array(10)
    expect(native.compress("none", bytes)).toBe(bytes)
    expect(Either.getOrThrow(native.decompress("none", bytes, 10))).toBe(bytes)
  })
})
