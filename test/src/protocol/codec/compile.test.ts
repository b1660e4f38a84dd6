import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse } from "../../../../src/protocol/codec/compile.ts"
import { EncodeError } from "../../../../src/protocol/codec/encode-error.ts"
import { joined } from "../../../../src/protocol/codec/joined.ts"
import { Produce } from "../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { Metadata } from "../../../../src/protocol/message/03-metadata.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { CreateTopics } from "../../../../src/protocol/message/19-create-topics.ts"
import type { RequestDraft, RequestOf } from "../../../../src/protocol/type/wire.ts"

const refused = (write: () => unknown): string => {
  try {
    write()
  } catch (cause) {
    expect(cause).toBeInstanceOf(EncodeError)
    return (cause as EncodeError).message
  }
  return "nothing was refused"
}
const heartbeat = { groupId: "g", generationId: 3, memberId: "m" }

describe("reading", () => {
  test("fields that the version lacks have Kafka's default", () => {
    const bytes = joined(encodeRequest(Heartbeat, 0, heartbeat))
    expect(bytes.toHex()).toBe("0001670000000300016d")
    expect(Either.getOrThrow(decodeRequest(Heartbeat, 0, bytes))).toEqual({ ...heartbeat, groupInstanceId: null })
  })
  test("a fault names the path and the byte", () => {
    const bytes = joined(
      encodeRequest(CreateTopics, 7, {
        topics: [{ name: "a", numPartitions: 1, replicationFactor: 1, assignments: [], configs: [{ name: "k", value: "v" }] }],
        timeoutMs: 1
      })
    )
    bytes[14] = 0xff
    const error = Either.getOrThrow(Either.flip(decodeRequest(CreateTopics, 7, bytes)))
    expect(error).toMatchObject({ _tag: "DecodeError", field: "topics[0].configs[0].value", position: 14 })
    expect(error.message).toBe("topics[0].configs[0].value: text is not valid UTF-8 (byte 14)")
  })
  test("bytes behind the last field are left alone, as Kafka does", () => {
    expect(Either.isRight(decodeRequest(Heartbeat, 0, Uint8Array.fromHex("0001670000000300016dffff")))).toBe(true)
  })
  test("a version that does not exist", () => {
    expect(Either.getOrThrow(Either.flip(decodeRequest(Heartbeat, 5, new Uint8Array(9)))).reason).toBe("HeartbeatRequest has versions 0 to 4, not 5")
    expect(Either.isLeft(decodeResponse(Heartbeat, -1, new Uint8Array(9)))).toBe(true)
    expect(Either.isLeft(decodeResponse(Heartbeat, 0.5, new Uint8Array(9)))).toBe(true)
  })
})

describe("writing", () => {
  test("a value that the version cannot carry is refused, unless it may be lost", () => {
    expect(refused(() => encodeRequest(Heartbeat, 2, { ...heartbeat, groupInstanceId: "i" }))).toStartWith(
      "groupInstanceId: version 2 does not carry this field"
    )
    expect(refused(() => encodeRequest(Heartbeat, 2, { ...heartbeat, groupInstanceId: null }))).toBe("nothing was refused")
    expect(refused(() => encodeResponse(Heartbeat, 0, { errorCode: 0, throttleTimeMs: 7 }))).toBe("nothing was refused")
  })
  test("a default struct counts as not there", () => {
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 0n, abortedTransactions: null, records: null }
    const withLeader = (leaderId: number) => ({ throttleTimeMs: 0, responses: [{ topic: "a", partitions: [{ ...partition, currentLeader: { leaderId } }] }] })
    expect(refused(() => encodeResponse(Fetch, 11, withLeader(-1)))).toBe("nothing was refused")
    expect(refused(() => encodeResponse(Fetch, 11, withLeader(3)))).toStartWith("responses[0].partitions[0].currentLeader: version 11 does not carry")
    expect(joined(encodeResponse(Fetch, 12, withLeader(3))).length).toBeGreaterThan(joined(encodeResponse(Fetch, 12, withLeader(-1))).length)
  })
  test("numbers outside their type", () => {
    for (const generationId of [2 ** 31, -(2 ** 31) - 1, 1.5, Number.NaN]) {
      expect(refused(() => encodeRequest(Heartbeat, 0, { ...heartbeat, generationId }))).toBe(`generationId: ${generationId} is not an int32`)
    }
    const epochs = {
      throttleTimeMs: 0,
      responses: [{ topic: "a", partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 2n ** 63n, abortedTransactions: null, records: null }] }]
    }
    expect(refused(() => encodeResponse(Fetch, 11, epochs))).toBe("responses[0].partitions[0].highWatermark: 9223372036854775808 is not an int64")
  })
  test("null, nothing, and text that is too long", () => {
    expect(refused(() => encodeRequest(Heartbeat, 0, { ...heartbeat, memberId: null as never }))).toBe("memberId: null where this version allows none")
    expect(refused(() => encodeRequest(Heartbeat, 0, { groupId: "g", generationId: 1 } as never))).toBe("memberId: no value")
    expect(refused(() => encodeRequest(Heartbeat, 0, { ...heartbeat, memberId: "x".repeat(0x8000) }))).toBe(
      "memberId: text of 32768 bytes, at most 32767 allowed"
    )
    expect(refused(() => encodeRequest(Metadata, 0, { topics: null }))).toBe("topics: null where this version allows none")
    expect(refused(() => encodeRequest(Metadata, 12, { topics: [{ name: null, topicId: "no" }] }))).toContain("topics[0].topicId: 'no' is not a UUID")
  })
  test("a version that does not exist", () => expect(refused(() => encodeRequest(Heartbeat, 5, heartbeat))).toBe("HeartbeatRequest has versions 0 to 4, not 5"))

  test("large records are handed on without a copy, small ones are not", () => {
    const small = new Uint8Array(1023).fill(1)
    const large = new Uint8Array(1024).fill(2)
    const partition = (index: number, records: Uint8Array) => ({ index, records })
    const chunks = encodeRequest(Produce, 9, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 1,
      topicData: [{ name: "a", partitionData: [partition(0, small), partition(1, large)] }]
    })
    expect(chunks.filter((chunk) => chunk === large).length).toBe(1)
    expect(chunks.every((chunk) => chunk === large || chunk.buffer !== small.buffer)).toBe(true)
    const read = Either.getOrThrow(decodeRequest(Produce, 9, joined(chunks)))
    expect(read.topicData[0]?.partitionData.map(({ records }) => records)).toEqual([small, large])
  })
  test("unknown tagged fields are written back, in order", () => {
    const unknownTags = [
      { tag: 9, data: Uint8Array.of(1) },
      { tag: 4, data: Uint8Array.of() }
    ]
    const read = Either.getOrThrow(decodeRequest(Heartbeat, 4, joined(encodeRequest(Heartbeat, 4, { ...heartbeat, unknownTags }))))
    expect(read.unknownTags).toEqual(unknownTags.toReversed())
  })
  test("what was read may be written", () => {
    const read: RequestOf<typeof Fetch> = Either.getOrThrow(
      decodeRequest(Fetch, 12, joined(encodeRequest(Fetch, 12, { maxWaitMs: 1, minBytes: 1, topics: [] })))
    )
    const draft: RequestDraft<typeof Fetch> = read
    expect(read).toMatchObject({ maxBytes: 0x7fffffff, sessionEpoch: -1, replicaId: -1, clusterId: null })
    expect(joined(encodeRequest(Fetch, 12, draft))).toEqual(joined(encodeRequest(Fetch, 12, read)))
  })
})
