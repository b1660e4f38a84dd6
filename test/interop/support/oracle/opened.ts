import { Effect } from "effect"
import { layerTypescript } from "../../../../adapters/compression/compression.ts"
import { xxhash32 } from "../../../../adapters/compression/xxhash32.ts"
import { fieldAt } from "../../../../domain/log/batch.ts"
import { codecs } from "../../../../domain/log/codec.ts"
import { crc32c } from "../../../../domain/log/crc32c.ts"
import { writeInt32 } from "../../../../domain/log/int.ts"
import { type BatchToWrite, encodeBatch } from "../../../../domain/log/record.ts"
import { Compression } from "../../../../src/ports/compression.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { InitProducerId } from "../../../../src/protocol/message/22-init-producer-id.ts"
import type { Scenario, Side } from "./side.ts"

const { compress } = await Effect.runPromise(Effect.provide(Compression, layerTypescript))
const text = new TextEncoder()

/** Records of these times, with keys unless `key` is null. */
const timed = (times: ReadonlyArray<number>, fields: Partial<BatchToWrite> = {}, key: string | null = "key"): Uint8Array =>
  encodeBatch(
    {
      codec: "none",
      records: times.map((timestamp, at) => ({ timestamp, key: key === null ? null : text.encode(`${key} ${at}`), value: new Uint8Array(200).fill(65 + at) })),
      ...fields
    },
    { crc32c, compress }
  )
/** Changes the batch and updates its CRC. */
const forged = (batch: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array => {
  const bytes = batch.slice()
  change(bytes)
  writeInt32(bytes, fieldAt.crc, crc32c(bytes, fieldAt.attributes))
  return bytes
}
const counted = (count: number) => (bytes: Uint8Array) => {
  writeInt32(bytes, fieldAt.recordCount, count)
  writeInt32(bytes, fieldAt.lastOffsetDelta, count - 1)
}

/** An LZ4 frame as Python's lz4.frame writes it: its header says that blocks refer to the block before. */
const linked = (bytes: Uint8Array) => {
  bytes[fieldAt.records + 4] = (bytes[fieldAt.records + 4] as number) & ~0x20
  bytes[fieldAt.records + 6] = xxhash32(bytes, fieldAt.records + 4, fieldAt.records + 6) >>> 8
}

const send = (side: Side, name: string, label: string, records: Uint8Array, version = 9) =>
  side.ask(`${name}: ${label}`, Produce, version, { acks: -1, timeoutMs: 10_000, topicData: [{ name, partitionData: [{ index: 0, records }] }] })
const stored = (side: Side, name: string) =>
  side.ask(`${name}: what is kept`, Fetch, 12, {
    maxWaitMs: 0,
    minBytes: 0,
    topics: [{ topic: name, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }] }]
  })

/** Every compression.type with every codec, and with batches that cannot be decompressed. */
export const keptCodecs: Scenario = async (side) => {
  for (const type of ["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]) {
    const name = `kept-${type}`
    await side.topic(name, 1, { "compression.type": type })
    for (const codec of codecs) await send(side, name, codec, timed([1000, 1001, 995], { codec }))
    await stored(side, name)
  }
  await side.topic("kept-stamped", 1, { "compression.type": "gzip", "message.timestamp.type": "LogAppendTime" })
  for (const codec of codecs) await send(side, "kept-stamped", codec, timed([1000, 1001], { codec }))
  await stored(side, "kept-stamped")
  await side.topic("kept-sequences", 1, { "compression.type": "zstd" })
  const { producerId } = await side.call(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 60_000 })
  const mine = (baseSequence: number) => timed([1000, 1001], { codec: "lz4", producerId, producerEpoch: 0, baseSequence })
  for (const [label, sequence] of [
    ["first", 0],
    ["next", 2],
    ["a gap", 9],
    ["the next again", 2]
  ] as const)
    await send(side, "kept-sequences", label, mine(sequence))
  await stored(side, "kept-sequences")
}

/** Batches that contradict their header, where the broker decompresses them. */
export const wrongInside: Scenario = async (side) => {
  await side.topic("inside", 1, { "compression.type": "lz4" })
  const gzip = timed([1000], { codec: "gzip" })
  await send(
    side,
    "inside",
    "what is no gzip",
    forged(gzip, (bytes) => (bytes[fieldAt.records] = 0xff))
  )
  await send(
    side,
    "inside",
    "gzip that is damaged",
    forged(gzip, (bytes) => (bytes[fieldAt.records + 14] = 0xff))
  )
  await send(side, "inside", "lz4 of linked blocks", forged(timed([1000], { codec: "lz4" }), linked))
  await send(side, "inside", "two records, and one is there", forged(gzip, counted(2)))
  await send(side, "inside", "two records, and three are there", forged(timed([1000, 1001, 1002], { codec: "gzip" }), counted(2)))
  await send(side, "inside", "two records of plain text, and one is there", forged(timed([1000]), counted(2)))
  await send(
    side,
    "inside",
    "a length of a key that is too long",
    forged(timed([1000]), (bytes) => (bytes[fieldAt.records + 5] = 0x7e))
  )
  await side.topic("inside-small", 1, { "compression.type": "uncompressed", "max.message.bytes": "1000" })
  await send(
    side,
    "inside-small",
    "small while compressed",
    timed(
      Array.from({ length: 20 }, () => 1000),
      { codec: "gzip" }
    )
  )
  await send(side, "inside-small", "small", timed([1000], { codec: "gzip" }))
  await stored(side, "inside")
}

/** Timestamp bounds, set on an existing topic. */
export const times: Scenario = async (side) => {
  const now = Date.now()
  await side.topic("times", 1, { "message.timestamp.before.max.ms": "100000000", "message.timestamp.after.max.ms": "100000000" })
  const far = 1_000_000_000
  for (const codec of ["none", "gzip"] as const) {
    await send(side, "times", `${codec}, right`, timed([now], { codec }))
    await send(side, "times", `${codec}, all too late`, timed([now + far, now + far], { codec }))
    await send(side, "times", `${codec}, the last two too late`, timed([now, now + far, now + far], { codec }))
    await send(side, "times", `${codec}, the middle one too early`, timed([now, now - far, now], { codec }))
    await send(side, "times", `${codec}, without a time`, timed([-1, -1], { codec }))
    await send(side, "times", `${codec}, some without a time`, timed([now, -1], { codec }))
  }
  await send(side, "times", "too early, v7", timed([now - far]), 7)
  await send(side, "times", "too early, v8", timed([now - far]), 8)
  await stored(side, "times")
}

/** Where the second record of an uncompressed batch begins, whose first has a length of two bytes. */
const secondRecord = (batch: Uint8Array): number =>
  fieldAt.records + 2 + ((((batch[fieldAt.records] as number) & 0x7f) | ((batch[fieldAt.records + 1] as number) << 7)) >>> 1)
/** The batch with other bytes in its records, compressed. */
const inGzip = (batch: Uint8Array, change: (bytes: Uint8Array) => void): Uint8Array => {
  const plain = batch.slice()
  change(plain)
  const packed = compress("gzip", plain.subarray(fieldAt.records))
  const bytes = new Uint8Array(fieldAt.records + packed.length)
  bytes.set(plain.subarray(0, fieldAt.records))
  bytes.set(packed, fieldAt.records)
  return forged(bytes, (made) => {
    writeInt32(made, fieldAt.batchLength, made.length - 12)
    made[fieldAt.attributes + 1] = 1
  })
}

/** False headers with a valid CRC, and payloads that contradict their header. */
export const hostile: Scenario = async (side) => {
  await side.topic("hostile", 1)
  const now = Date.now()
  const good = timed([now, now, now])
  const field = (at: number, ...to: ReadonlyArray<number>) => forged(good, (bytes) => bytes.set(to, at))
  const counts = (records: number, lastDelta: number) =>
    forged(good, (bytes) => {
      writeInt32(bytes, fieldAt.recordCount, records)
      writeInt32(bytes, fieldAt.lastOffsetDelta, lastDelta)
    })
  const int64Max = [0x7f, 255, 255, 255, 255, 255, 255, 255]
  const all: ReadonlyArray<readonly [label: string, records: Uint8Array]> = [
    ["fewer records than offsets", counts(2, 2)],
    ["more records than offsets", counts(9, 2)],
    ["many records", counts(0x7fff_ffff, 0x7fff_fffe)],
    ["no records", counts(0, -1)],
    ["a negative count", counts(-5, 2)],
    ["a last offset before the first", counts(3, -3)],
    ["a negative base offset", field(0, 255, 255, 255, 255, 255, 255, 255, 255)],
    ["a base timestamp of 2^63 - 1", field(fieldAt.baseTimestamp, ...int64Max)],
    ["a max timestamp of 2^63 - 1", field(fieldAt.maxTimestamp, ...int64Max)],
    ["a control bit", field(fieldAt.attributes + 1, 0x20)],
    ["an unknown codec", field(fieldAt.attributes + 1, 7)],
    ["a producer without a sequence", timed([now], { producerId: 5n, producerEpoch: 0 })],
    ["a length under the header's", good.map((byte, at) => (at === fieldAt.batchLength + 3 ? 7 : byte))],
    ["a negative length", good.map((byte, at) => (at === fieldAt.batchLength ? 255 : byte))],
    ["magic 9", good.map((byte, at) => (at === fieldAt.magic ? 9 : byte))],
    ["fewer records inside", counts(4, 3)],
    ["more records inside", counts(2, 1)],
    ["records that are none", forged(good, (bytes) => bytes.fill(0xff, fieldAt.records))],
    ["gzip that is none", forged(timed([now], { codec: "gzip" }), (bytes) => bytes.fill(7, fieldAt.records))],
    ["a good one", good],
    ["2^31 - 1 records in gzip", forged(timed([now], { codec: "gzip" }), counted(0x7fff_ffff))],
    ["a thousand records in zstd", forged(timed([now], { codec: "zstd" }), counted(1000))],
    ["a largest time of 0", field(fieldAt.maxTimestamp, 0, 0, 0, 0, 0, 0, 0, 0)],
    [
      "a time far behind the header's",
      forged(timed([now, now + 90_000_000]), (bytes) => bytes.copyWithin(fieldAt.maxTimestamp, fieldAt.baseTimestamp, fieldAt.baseTimestamp + 8))
    ],
    // A record of 209 bytes: its length, attributes and time before the number; the length of its key behind that.
    ["the same number twice", forged(timed([now, now]), (bytes) => bytes.set([0], secondRecord(bytes) + 4))],
    ["a key of length -2", forged(timed([now]), (bytes) => bytes.set([3], fieldAt.records + 5))],
    ["the same number twice, in gzip", inGzip(timed([now, now]), (bytes) => bytes.set([0], secondRecord(bytes) + 4))]
  ]
  for (const [label, records] of all) await send(side, "hostile", label, records)
}
