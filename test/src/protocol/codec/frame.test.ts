import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import { decodeRequest } from "../../../../src/protocol/codec/compile.ts"
import { decodeCorrelationId, decodeRequestHeader, decodeResponseFrame, requestFrame, responseFrame } from "../../../../src/protocol/codec/frame.ts"
import { joined } from "../../../../src/protocol/codec/joined.ts"
import { Fetch } from "../../../../src/protocol/message/01-fetch.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { SaslHandshake } from "../../../../src/protocol/message/17-sasl-handshake.ts"
import { ApiVersions } from "../../../../src/protocol/message/18-api-versions.ts"

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text.replaceAll(" ", ""))
const heartbeat = { groupId: "g", generationId: 3, memberId: "m" }
const headerOf = (frame: Uint8Array) => Either.getOrThrow(decodeRequestHeader(frame))

describe("a request's frame", () => {
  test("is length, header, body", () => {
    const frame = joined(requestFrame(Heartbeat, 0, { correlationId: 5, clientId: "me" }, heartbeat))
    expect(frame).toEqual(hex("00000016 000c 0000 00000005 0002 6d65 0001 67 00000003 0001 6d"))
    const { header, bodyAt } = headerOf(frame.subarray(4))
    expect(header).toEqual({ apiKey: 12, apiVersion: 0, correlationId: 5, clientId: "me", unknownTags: [] })
    expect(Either.getOrThrow(decodeRequest(Heartbeat, 0, frame.subarray(4), bodyAt))).toMatchObject(heartbeat)
  })
  test("has a flexible header with a client id of two length bytes", () => {
    const tags = [{ tag: 3, data: hex("aa") }]
    const frame = joined(requestFrame(Heartbeat, 4, { correlationId: 5, clientId: null, tags }, heartbeat))
    expect(frame.subarray(4, 18)).toEqual(hex("000c 0004 00000005 ffff 01 03 01 aa"))
    expect(headerOf(frame.subarray(4)).header).toMatchObject({ clientId: null, unknownTags: tags })
  })
  test("of an API without flexible versions never has tags", () => {
    const frame = joined(requestFrame(SaslHandshake, 1, { correlationId: 1, clientId: "a" }, { mechanism: "PLAIN" }))
    expect(headerOf(frame.subarray(4)).bodyAt).toBe(11)
  })
  test("of an unknown API, of a version from the future, of ControlledShutdown 0", () => {
    expect(headerOf(hex("7000 0000 00000009 0001 61 ff")).header).toMatchObject({ apiKey: 0x7000, correlationId: 9, clientId: "a" })
    expect(headerOf(hex("0012 0063 00000009 0001 61 00 ff"))).toMatchObject({ header: { apiVersion: 99, clientId: "a" }, bodyAt: 12 })
    expect(headerOf(hex("0007 0000 00000009 0000"))).toMatchObject({ header: { correlationId: 9, clientId: null }, bodyAt: 8 })
  })
  test("that is not Kafka's", () => {
    const http = new TextEncoder().encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    expect(Either.getOrThrow(Either.flip(decodeRequestHeader(http)))).toMatchObject({ field: "header", position: 10 })
    expect(Either.isLeft(decodeRequestHeader(hex("000c 00")))).toBe(true)
    expect(Either.getOrThrow(Either.flip(decodeRequestHeader(hex("000c 0004 00000005 ffff 7f")))).reason).toBe("127 tagged fields announced, 0 bytes left")
  })
})

describe("a response's frame", () => {
  test("plain and flexible", () => {
    expect(joined(responseFrame(Heartbeat, 1, 5, { throttleTimeMs: 1, errorCode: 27 }))).toEqual(hex("0000000a 00000005 00000001 001b"))
    expect(joined(responseFrame(Heartbeat, 4, 5, { throttleTimeMs: 1, errorCode: 27 }))).toEqual(hex("0000000c 00000005 00 00000001 001b 00"))
  })
  test("of ApiVersions has the first header in every version (KIP-511)", () => {
    const frame = joined(responseFrame(ApiVersions, 3, 5, { errorCode: 0, apiKeys: [], throttleTimeMs: 0 }))
    expect(frame).toEqual(hex("0000000c 00000005 0000 01 00000000 00"))
    expect(Either.getOrThrow(decodeResponseFrame(ApiVersions, 3, frame.subarray(4)))).toMatchObject({ correlationId: 5, value: { apiKeys: [] } })
  })
  test("is read by the API and version of its request", () => {
    const records = new Uint8Array(5000).fill(7)
    const chunks = responseFrame(Fetch, 12, 0x7fffffff, {
      throttleTimeMs: 0,
      responses: [{ topic: "a", partitions: [{ partitionIndex: 0, errorCode: 0, highWatermark: 1n, abortedTransactions: null, records }] }]
    })
    expect(chunks).toContain(records)
    const frame = joined(chunks)
    expect(new DataView(frame.buffer).getInt32(0)).toBe(frame.length - 4)
    expect(Either.getOrThrow(decodeCorrelationId(frame.subarray(4)))).toBe(0x7fffffff)
    const { value } = Either.getOrThrow(decodeResponseFrame(Fetch, 12, frame.subarray(4)))
    expect(value.responses[0]?.partitions[0]).toMatchObject({ highWatermark: 1n, records, preferredReadReplica: -1 })
  })
  test("cut short", () => {
    expect(Either.getOrThrow(Either.flip(decodeResponseFrame(Heartbeat, 4, hex("00000005"))))).toMatchObject({ field: "header", position: 4 })
    expect(Either.getOrThrow(Either.flip(decodeResponseFrame(Heartbeat, 4, hex("00000005 00 0000"))))).toMatchObject({ field: "throttleTimeMs", position: 5 })
    expect(Either.isLeft(decodeCorrelationId(hex("0000")))).toBe(true)
  })
})
