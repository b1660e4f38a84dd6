import { expect, test } from "bun:test"
import { Either } from "effect"
import { EncodeError } from "../../../../src/protocol/codec/encode-error.ts"
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from "../../../../src/protocol/message/consumer-protocol.ts"

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text.replaceAll(" ", ""))

test("a subscription in its first and last version", () => {
  expect(encodeSubscription({ topics: ["a"] }, 0)).toEqual(hex("0000 00000001 0001 61 ffffffff"))
  const owned = { topics: ["a"], ownedPartitions: [{ topic: "a", partitions: [1] }], generationId: 4, rackId: "r" }
  const bytes = encodeSubscription(owned)
  expect(bytes).toEqual(hex("0003 00000001 0001 61 ffffffff 00000001 0001 61 00000001 00000001 00000004 0001 72"))
  expect(Either.getOrThrow(decodeSubscription(bytes))).toEqual({ ...owned, userData: null })
})

test("an assignment", () => {
  const bytes = encodeAssignment({ assignedPartitions: [{ topic: "a", partitions: [0, 2] }], userData: hex("ff") }, 1)
  expect(bytes).toEqual(hex("0001 00000001 0001 61 00000002 00000000 00000002 00000001 ff"))
  expect(Either.getOrThrow(decodeAssignment(bytes))).toEqual({ assignedPartitions: [{ topic: "a", partitions: [0, 2] }], userData: hex("ff") })
})

test("a newer version is read as the last one that we know", () => {
  expect(Either.getOrThrow(decodeAssignment(hex("0009 00000000 ffffffff cafe")))).toEqual({ assignedPartitions: [], userData: null })
})

test("bytes that are no subscription", () => {
  expect(Either.getOrThrow(Either.flip(decodeSubscription(hex("00"))))).toMatchObject({ field: "version", position: 0 })
  expect(Either.getOrThrow(Either.flip(decodeSubscription(hex("ffff 00000000"))))).toMatchObject({
    reason: "ConsumerProtocolSubscription has versions 0 to 3, not -1"
  })
  expect(Either.getOrThrow(Either.flip(decodeSubscription(hex("0000 00000001 0005 61"))))).toMatchObject({ field: "topics[0]", position: 8 })
})

test("a version that does not exist is not written", () => expect(() => encodeSubscription({ topics: [] }, 4)).toThrow(EncodeError))
