import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { Either } from "effect"
import { kafkaError } from "../../domain/kernel/error-code.ts"
import { attribute, fieldAt, headerSize, lengthOverhead } from "../../domain/log/batch.ts"
import { codecId } from "../../domain/log/codec.ts"
import { crc32c } from "../../domain/log/crc32c.ts"
import { writeInt32, writeInt64 } from "../../domain/log/int.ts"
import { type BatchToWrite, encodeBatch, type RecordToWrite } from "../../domain/log/record.ts"
import { decodeResponseFrame, requestFrame } from "../../src/protocol/codec/frame.ts"
import { joined } from "../../src/protocol/codec/joined.ts"
import { Produce } from "../../src/protocol/message/00-produce.ts"
import { ListOffsets } from "../../src/protocol/message/02-list-offsets.ts"
import { franz, franzDoes, type Node, up } from "./support/franz.ts"
import { temporaryDirectory } from "./support/process.ts"
import { RawConnection } from "./support/raw.ts"

const data = temporaryDirectory()
let node: Node
let connection: RawConnection
beforeAll(async () => {
  node = await up(join(data.path, "cluster"))
  const topics = [
    ["plain"],
    ["opened", "--config", "compression.type=lz4"],
    ["compacted", "--config", "cleanup.policy=compact"],
    ["unopened", "--config", "franz.produce.validate=header"]
  ] as const
  for (const [name, ...more] of topics) await franzDoes(["topic", "create", name, "--leader", node.address, ...more])
  connection = await RawConnection.open(node.port)
}, 300_000)
afterAll(async () => {
  connection?.close()
  await node?.process.kill("SIGTERM")
  data.remove()
})

const key = new Uint8Array([1])
const made = (
  fields: Partial<BatchToWrite> = {},
  records: ReadonlyArray<RecordToWrite> = [0, 1, 2].map(() => ({ timestamp: 1000, key, value: key }))
): Uint8Array => encodeBatch({ codec: "none", records, ...fields }, { crc32c, compress: (_, bytes) => bytes })
/** Changes a batch and updates its CRC. */
const forged = (change: (bytes: Uint8Array) => void, from = made()): Uint8Array => {
  change(from)
  writeInt32(from, fieldAt.crc, crc32c(from, fieldAt.attributes))
  return from
}
const counts = (recordCount: number, lastOffsetDelta: number) =>
  forged((bytes) => {
    writeInt32(bytes, fieldAt.recordCount, recordCount)
    writeInt32(bytes, fieldAt.lastOffsetDelta, lastOffsetDelta)
  })
const int64Max = [0x7f, 255, 255, 255, 255, 255, 255, 255]
const withAttribute = (bit: number) => forged((bytes) => bytes.set([bit], fieldAt.attributes + 1))
const withPayload = (payload: Uint8Array, codec: "none" | "gzip" | "zstd", count = 1): Uint8Array => {
  const bytes = new Uint8Array(headerSize + payload.length)
  bytes.set(made().subarray(0, headerSize))
  bytes.set(payload, headerSize)
  return forged((batch) => {
    writeInt32(batch, fieldAt.batchLength, batch.length - lengthOverhead)
    batch.set([0, codecId(codec)], fieldAt.attributes)
    writeInt32(batch, fieldAt.recordCount, count)
    writeInt32(batch, fieldAt.lastOffsetDelta, count - 1)
  }, bytes)
}
const changed = (at: number, to: number): Uint8Array => made().map((byte, i) => (i === at ? to : byte))

const produce = async (topic: string, records: Uint8Array) => {
  const answer = await connection.call(Produce, 11, { acks: -1, timeoutMs: 10_000, topicData: [{ name: topic, partitionData: [{ index: 0, records }] }] })
  const partition = answer.responses[0]?.partitionResponses[0]
  return { error: kafkaError(partition?.errorCode ?? 0), message: partition?.errorMessage ?? "" }
}
const end = async (topic: string): Promise<bigint | undefined> => {
  const answer = await connection.call(ListOffsets, 7, { replicaId: -1, topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1n }] }] })
  return answer.topics[0]?.partitions[0]?.offset
}

const record = made({}, [{ timestamp: 1000, key, value: key }]).subarray(headerSize)

/** Refused because of the batch's header, the codec's frames or the timestamp. */
const everywhere: ReadonlyArray<readonly [what: string, records: Uint8Array, error: string, says: RegExp]> = [
  ["fewer records than offsets", counts(2, 2), "INVALID_RECORD", /2 records over 3 offsets/],
  ["more records than offsets", counts(9, 2), "INVALID_RECORD", /9 records over 3 offsets/],
  ["2^31 - 1 records", counts(0x7fff_ffff, 0x7fff_fffe), "INVALID_RECORD", /2147483647 records do not fit/],
  ["2^31 - 1 records in gzip", withPayload(new Uint8Array(gzipSync(record)), "gzip", 0x7fff_ffff), "INVALID_RECORD", /2147483647 records do not fit/],
  ["2^31 - 1 records in zstd", withPayload(new Uint8Array(zstdCompressSync(record)), "zstd", 0x7fff_ffff), "INVALID_RECORD", /2147483647 records do not fit/],
  ["no bytes in gzip", withPayload(new Uint8Array(0), "gzip"), "INVALID_RECORD", /do not fit/],
  ["no bytes in zstd", withPayload(new Uint8Array(0), "zstd"), "INVALID_RECORD", /do not fit/],
  ["no records", counts(0, -1), "INVALID_RECORD", /0 records over 0 offsets/],
  ["a negative count", counts(-5, 2), "INVALID_RECORD", /-5 records/],
  ["a last offset before the first", counts(3, -3), "INVALID_RECORD", /3 records over -2 offsets/],
  ["a base offset", made({ baseOffset: 5 }), "INVALID_RECORD", /base offset/],
  ["a negative base offset", forged((bytes) => writeInt64(bytes, 0, -1)), "INVALID_RECORD", /base offset 0; this one has -1/],
  ["a base offset of 2^63 - 1", forged((bytes) => bytes.set(int64Max, 0)), "INVALID_RECORD", /base offset/],
  ["a base timestamp of 2^63 - 1", forged((bytes) => bytes.set(int64Max, fieldAt.baseTimestamp)), "INVALID_TIMESTAMP", /2\^53/],
  ["the far future", made({}, [{ timestamp: 4_000_000_000_000, key, value: key }]), "INVALID_TIMESTAMP", /4000000000000/],
  ["a wrong CRC", changed(fieldAt.crc, 1), "CORRUPT_MESSAGE", /CRC/],
  ["a last offset that was spoiled on the way", made().map((byte, at) => (at === fieldAt.lastOffsetDelta ? byte ^ 0x80 : byte)), "CORRUPT_MESSAGE", /CRC/],
  ["a spoiled record", changed(headerSize + 5, 77), "CORRUPT_MESSAGE", /CRC/],
  ["magic 0", changed(fieldAt.magic, 0), "INVALID_RECORD", /format 0/],
  ["magic 1", changed(fieldAt.magic, 1), "INVALID_RECORD", /format 1/],
  ["magic 9", changed(fieldAt.magic, 9), "CORRUPT_MESSAGE", /magic 9/],
  ["a length under the header's", changed(fieldAt.batchLength + 3, 7), "CORRUPT_MESSAGE", /length of 7/],
  ["a length over the request's", changed(fieldAt.batchLength, 0x7f), "CORRUPT_MESSAGE", /cut/],
  ["a negative length", changed(fieldAt.batchLength, 0xff), "CORRUPT_MESSAGE", /length of -/],
  ["a control bit", withAttribute(attribute.control), "INVALID_RECORD", /control/],
  ["a control bit and a transactional one", withAttribute(attribute.control | attribute.transactional), "INVALID_RECORD", /control/],
  ["a transactional bit", withAttribute(attribute.transactional), "INVALID_TXN_STATE", /[Tt]ransaction/],
  ["log append time by the producer", withAttribute(attribute.logAppendTime), "INVALID_TIMESTAMP", /log append time/],
  ["an unknown codec", withAttribute(7), "UNSUPPORTED_COMPRESSION_TYPE", /7/],
  ["a producer without a sequence", made({ producerId: 5n, producerEpoch: 0 }), "INVALID_RECORD", /sequence/],
  ["a producer without an epoch", made({ producerId: 5n, baseSequence: 0 }), "INVALID_RECORD", /epoch/],
  ["half a batch", made().subarray(0, 70), "CORRUPT_MESSAGE", /cut/],
  ["half a header", made().subarray(0, 30), "CORRUPT_MESSAGE", /cut/],
  ["bytes of nothing", new Uint8Array(500), "INVALID_RECORD", /format 0/],
  ["two batches", new Uint8Array([...made(), ...made()]), "INVALID_RECORD", /exactly one/]
]

/** Refused where the broker looks at every record: everywhere but with franz.produce.validate=header. */
const gzip = (payload: Uint8Array) => withPayload(new Uint8Array(gzipSync(payload)), "gzip")
const inside: ReadonlyArray<readonly [what: string, records: Uint8Array, error: string]> = [
  ["no gzip", withPayload(new Uint8Array(50).fill(7), "gzip"), "INVALID_RECORD"],
  ["no zstd", withPayload(new Uint8Array(50).fill(7), "zstd"), "INVALID_RECORD"],
  ["gzip that is cut", withPayload(new Uint8Array(gzipSync(new Uint8Array(1000))).subarray(0, 20), "gzip"), "INVALID_RECORD"],
  ["gzip of nothing", gzip(new Uint8Array(0)), "INVALID_RECORD"],
  ["gzip of zeros", gzip(new Uint8Array(500)), "INVALID_RECORD"],
  ["a thousand records said, and one in gzip", withPayload(new Uint8Array(gzipSync(record)), "gzip", 1000), "INVALID_RECORD"],
  ["a thousand records said, and one in zstd", withPayload(new Uint8Array(zstdCompressSync(record)), "zstd", 1000), "INVALID_RECORD"],
  ["a batch in a batch", gzip(made()), "INVALID_RECORD"],
  ["gzip in gzip", gzip(new Uint8Array(gzipSync(record))), "INVALID_RECORD"],
  ["bytes that are no records", withPayload(new Uint8Array(50).fill(0xff), "none"), "INVALID_RECORD"],
  [
    "a record that is longer than its batch",
    withPayload(
      record.map((byte, i) => (i === 0 ? 0x7e : byte)),
      "none"
    ),
    "INVALID_RECORD"
  ],
  ["fewer records than the header says", withPayload(new Uint8Array([...record, ...record]), "none", 1), "INVALID_RECORD"],
  // The record's header count, its last byte, says 2^31 - 1.
  [
    "2^31 - 1 headers",
    withPayload(new Uint8Array([(record.length - 2 + 5) * 2, ...record.subarray(1, -1), 0xfe, 0xff, 0xff, 0xff, 0x0f]), "none"),
    "INVALID_RECORD"
  ]
]

describe("malicious records", () => {
  for (const topic of ["plain", "opened", "compacted", "unopened"])
    test(`${topic}: each is refused with Kafka's error and a message, and not stored`, async () => {
      for (const [what, records, error, says] of everywhere) {
        const found = await produce(topic, records.slice())
        expect({ what, error: found.error as string }).toEqual({ what, error })
        expect({ what, message: found.message }).toEqual({ what, message: expect.stringMatching(says) as unknown as string })
      }
      expect(await end(topic)).toBe(0n)
    })
  for (const topic of ["plain", "opened", "compacted"])
    test(`${topic}: invalid records inside a batch are refused, too`, async () => {
      for (const [what, records, error] of inside) expect({ what, error: (await produce(topic, records.slice())).error as string }).toEqual({ what, error })
      expect(await end(topic)).toBe(0n)
    })
  test("unopened: a largest timestamp of 2^63 - 1 is refused, because retention would rely on it", async () => {
    const records = forged((bytes) => bytes.set(int64Max, fieldAt.maxTimestamp))
    expect(await produce("unopened", records)).toMatchObject({ error: "INVALID_TIMESTAMP", message: expect.stringContaining("2^53") })
  })
  test("compacted: a record without a key is refused and named", async () => {
    const records = made({}, [
      { timestamp: 1000, key, value: key },
      { timestamp: 1000, key: null, value: key }
    ])
    expect(await produce("compacted", records)).toMatchObject({ error: "INVALID_RECORD", message: expect.stringContaining("without a key") })
    expect(await end("compacted")).toBe(0n)
  })
  test("an id of another producer: an older epoch is fenced, a gap is refused, and the records of the real producer are unchanged", async () => {
    const mine = (producerEpoch: number, baseSequence: number) => made({ producerId: 4711n, producerEpoch, baseSequence })
    expect((await produce("plain", mine(3, 0))).error).toBe("NONE")
    expect((await produce("plain", mine(2, 3))).error).toBe("INVALID_PRODUCER_EPOCH")
    expect((await produce("plain", mine(3, 90))).error).toBe("OUT_OF_ORDER_SEQUENCE_NUMBER")
    expect((await produce("plain", mine(3, 0))).error).toBe("NONE")
    expect((await produce("plain", mine(3, 3))).error).toBe("NONE")
    expect(await end("plain")).toBe(6n)
  })
})

/** The peak memory of the node, bytes. */
const peak = (): number => {
  const [, kib = ""] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${node.process.child.pid}/status`, "utf8")) ?? []
  return Number(kib) * 1024
}

describe("requests that would exhaust the node's memory", () => {
  const mebibyte = 1_048_576
  test("bombs: refused within bounds where the broker opens batches, and never opened where it does not", async () => {
    const zeros = new Uint8Array(512 * mebibyte)
    const bombs = [
      withPayload(new Uint8Array(zstdCompressSync(zeros)), "zstd"),
      withPayload(new Uint8Array(gzipSync(zeros.subarray(0, 128 * mebibyte))), "gzip")
    ]
    for (const bomb of bombs) expect(bomb.length).toBeLessThan(mebibyte / 4)
    const before = { plain: await end("plain"), unopened: await end("unopened") }
    const warm = peak()
    for (let round = 0; round < 4; round++)
      for (const bomb of bombs) {
        expect((await produce("unopened", bomb.slice())).error).toBe("NONE")
        for (const topic of ["plain", "opened", "compacted"]) expect((await produce(topic, bomb.slice())).error).toBe("MESSAGE_TOO_LARGE")
      }
    // Opened once, the smaller one alone would take 128 MiB.
    expect((peak() - warm) / mebibyte).toBeLessThan(120)
    expect(await end("plain")).toBe(before.plain)
    expect(await end("unopened")).toBe((before.unopened ?? 0n) + 8n)
    for (const topic of ["opened", "compacted"]) expect(await end(topic)).toBe(0n)
  }, 300_000)

  test("a batch that needs long validation is handled before later requests of its connection", async () => {
    const many = Array.from({ length: 400_000 }, () => ({ timestamp: 1000, key, value: null }))
    const payload = made({}, many).subarray(headerSize)
    const sequenced = (from: Uint8Array, baseSequence: number) =>
      forged((bytes) => {
        writeInt64(bytes, fieldAt.producerId, 99)
        bytes.set([0, 0], fieldAt.producerEpoch)
        writeInt32(bytes, fieldAt.baseSequence, baseSequence)
      }, from)
    const before = (await end("plain")) ?? 0n
    const long = sequenced(withPayload(new Uint8Array(zstdCompressSync(payload)), "zstd", many.length), 0)
    const errors: Array<string> = []
    for (const records of [long, sequenced(made(), many.length), sequenced(made(), many.length + 3)])
      connection.send(
        joined(
          requestFrame(
            Produce,
            11,
            { correlationId: 7, clientId: "raw" },
            { acks: -1, timeoutMs: 10_000, topicData: [{ name: "plain", partitionData: [{ index: 0, records }] }] }
          )
        )
      )
    for (let answer = 0; answer < 3; answer++) {
      const { value } = Either.getOrThrow(decodeResponseFrame(Produce, 11, await connection.frame()))
      errors.push(kafkaError(value.responses[0]?.partitionResponses[0]?.errorCode ?? 0))
    }
    expect(errors).toEqual(["NONE", "NONE", "NONE"])
    expect(await end("plain")).toBe(before + BigInt(many.length + 6))
  }, 300_000)

  test("a batch with 100,000 headers is stored and read, opened or not", async () => {
    const headers = Array.from({ length: 100_000 }, (_, n) => ({ key: `h${n % 10}`, value: null }))
    const before = { plain: await end("plain"), compacted: await end("compacted") }
    const warm = peak()
    for (const topic of ["plain", "compacted"] as const) {
      for (let round = 0; round < 5; round++) expect((await produce(topic, made({}, [{ timestamp: 1000, key, value: key, headers }]))).error).toBe("NONE")
      expect(await end(topic)).toBe((before[topic] ?? 0n) + 5n)
    }
    expect((peak() - warm) / mebibyte).toBeLessThan(64)
  }, 300_000)

  test("the logs on the disk are valid", async () => {
    connection.close()
    await node.process.kill("SIGTERM")
    expect((await franz("log", "verify", join(data.path, "cluster")).end()).code).toBe(0)
  }, 300_000)
})
