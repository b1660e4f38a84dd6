import { expect, test } from "bun:test"
import type { Dumped } from "../../../../domain/log/inspection.ts"
import type { Record as LogRecord } from "../../../../domain/log/record.ts"
import { dumpJson, dumpLines, shownBytes } from "../../../../src/cli/log/dump-text.ts"
import { makeBatch } from "../../../domain/log/make-batch.ts"

const utf8 = new TextEncoder()
const record: LogRecord = { offset: 41, timestamp: 1000, key: utf8.encode("k"), value: new Uint8Array([0xff, 0]), headers: [{ key: "h", value: null }] }
const piece: Dumped = {
  _tag: "Batch",
  position: 12,
  batch: makeBatch(1, { baseOffset: 41, leaderEpoch: 3, producerId: 9n, producerEpoch: 1, baseSequence: 5 }),
  records: [record],
  unreadable: undefined
}

test("a batch and its records as lines", () => {
  expect([...dumpLines(piece)]).toEqual([
    `@12  offsets 41-41  records 1  bytes ${piece.batch.sizeInBytes}  epoch 3  producer 9 epoch 1 sequence 5-5  codec none  time 1970-01-01T00:00:01.000Z  crc ok`,
    '  41  1970-01-01T00:00:01.000Z  key "k"  value hex:ff00  headers "h"=null'
  ])
})

test("the same as JSON, exact", () => {
  const [batch, line] = [...dumpJson(piece)].map((text) => JSON.parse(text) as Record<string, unknown>)
  expect(batch).toMatchObject({ type: "batch", position: 12, baseOffset: 41, leaderEpoch: 3, producerId: "9", crcOk: true })
  expect(line).toEqual({ type: "record", offset: 41, timestamp: 1000, key: "k", valueBase64: "/wA=", headers: [{ key: "h", value: null }] })
})

test("what would move a terminal's cursor or hide itself is escaped, and long values are cut with their size", () => {
  expect(shownBytes(utf8.encode("a\u001b[2J\n\u202e\u0085"))).toBe('"a\\u001b[2J\\n\\u202e\\u0085"')
  expect(shownBytes(utf8.encode("x".repeat(1000)))).toBe(`"${"x".repeat(200)}"… (1000 bytes)`)
  expect(shownBytes(new Uint8Array(1000).fill(0xfe))).toBe(`hex:${"fe".repeat(100)}… (1000 bytes)`)
  expect(shownBytes(null)).toBe("null")
})

test("damage and index entries", () => {
  expect([...dumpLines({ _tag: "Damage", position: 5, until: 9, reason: "torn" })]).toEqual(["@5  DAMAGED up to byte 8: torn"])
  expect([...dumpLines({ _tag: "OffsetEntry", slot: 1, entry: { offset: 7, position: 4096 } })]).toEqual(["1  offset 7  byte 4096"])
  expect([...dumpLines({ _tag: "TimeEntry", slot: 0, entry: { timestamp: 1000, offset: 7 } })]).toEqual([
    "0  timestamp 1000 (1970-01-01T00:00:01.000Z)  offset 7"
  ])
})
