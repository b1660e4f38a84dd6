import { expect, test } from "bun:test"
import {
  encodeGroupMetadataKey,
  encodeGroupMetadataValue,
  encodeOffsetCommitKey,
  encodeOffsetCommitValue
} from "../../../../src/protocol/message/consumer-offsets.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

// The bytes are those of Apache Kafka 4.3's own records for the same commits and the same group.
test("the records of groups have the bytes that Kafka's coordinator writes", () => {
  expect(hex(encodeOffsetCommitKey({ group: "watched", topic: "seen", partition: 0 }))).toBe("000100077761746368656400047365656e00000000")
  const committed = { offset: 8n, leaderEpoch: -1, metadata: "m", commitTimestamp: 0x01a227d51895n }
  expect(hex(encodeOffsetCommitValue({ ...committed, expireTimestamp: 0x01a22cfb7495n }))).toBe("0001000000000000000800016d000001a227d51895000001a22cfb7495")
  expect(hex(encodeOffsetCommitValue({ ...committed, leaderEpoch: 5 }))).toBe("000300000000000000080000000500016d000001a227d51895")
  expect(hex(encodeGroupMetadataKey({ group: "watched" }))).toBe("0002000777617463686564")
  const memberId = "raw-dadc6e92-c37c-45c7-a66d-495badc4d08e"
  const member = {
    memberId,
    groupInstanceId: null,
    clientId: "raw",
    clientHost: "/127.0.0.1",
    rebalanceTimeout: 20_000,
    sessionTimeout: 10_000,
    subscription: Buffer.from("000100000000ffffffff", "hex"),
    assignment: Buffer.from([0, 1, 2])
  }
  const group = { protocolType: "consumer", generation: 1, protocol: "range", leader: memberId, currentStateTimestamp: 0x01a227d518b2n, members: [member] }
  expect(hex(encodeGroupMetadataValue(group))).toBe(
    "00030008636f6e73756d657200000001000572616e676500287261772d64616463366539322d633337632d343563372d613636642d343935626164633464303865000001a227d518b20000000100287261772d64616463366539322d633337632d343563372d613636642d343935626164633464303865ffff0003726177000a2f3132372e302e302e3100004e20000027100000000a000100000000ffffffff00000003000102"
  )
  const empty = { protocolType: "consumer", generation: 2, protocol: null, leader: null, currentStateTimestamp: 0x01a227d518d1n, members: [] }
  expect(hex(encodeGroupMetadataValue(empty))).toBe("00030008636f6e73756d657200000002ffffffff000001a227d518d100000000")
})
