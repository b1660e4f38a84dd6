import { describe, expect, test } from "bun:test"
import { EventText } from "../../../../src/cli/admin/event-text.ts"
import { jsonLines, plainLines } from "../../../../src/cli/messages/record-text.ts"
import { ConsumedRecord } from "../../../../src/client/consumer/fetch/record.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const record = (of: {
  value: Uint8Array | null
  key?: Uint8Array | null
  offset?: number
  headers?: ReadonlyArray<{ key: string; value: Uint8Array | null }>
}) => new ConsumedRecord("orders", 3, { offset: of.offset ?? 7, timestamp: 1_000, key: of.key ?? null, value: of.value, headers: of.headers ?? [] })

describe("lines", () => {
  test("values byte for byte, with a newline each; a tombstone is an empty line", () => {
    const odd = Uint8Array.from([0xff, 0, 0x0d])
    expect([...plainLines([record({ value: odd }), record({ value: null }), record({ value: bytes("a") })])]).toEqual([0xff, 0, 0x0d, 10, 10, 97, 10])
  })
  test("with the key and what separates it", () =>
    expect(
      new TextDecoder().decode(plainLines([record({ key: bytes("k"), value: bytes("v") }), record({ value: bytes("w") })], { separator: bytes(": ") }))
    ).toBe("k: v\n: w\n"))
  test("as JSON; bytes that are no text become base64 under another name", () => {
    const lines = new TextDecoder().decode(
      jsonLines([
        record({
          key: bytes("k"),
          value: Uint8Array.from([0xff, 0xfe]),
          headers: [
            { key: "h", value: bytes("1") },
            { key: "n", value: null }
          ]
        })
      ])
    )
    expect(lines.endsWith("\n")).toBe(true)
    expect(JSON.parse(lines)).toEqual({
      topic: "orders",
      partition: 3,
      offset: 7,
      timestamp: 1000,
      key: "k",
      valueBase64: "//4=",
      headers: [
        { key: "h", value: "1" },
        { key: "n", value: null }
      ]
    })
  })
})

describe("events", () => {
  const event = (offset: number, value: unknown) =>
    record({
      offset,
      key: bytes("PartitionPlaced"),
      value: bytes(typeof value === "string" ? value : JSON.stringify(value)),
      headers: [
        { key: "cause", value: bytes("CreateTopics") },
        { key: "actor", value: bytes("kcat@127.0.0.1:5") }
      ]
    })
  test("a partition is called by its topic's name once that is known", () => {
    const text = new EventText()
    expect(text.line(event(1, { _tag: "PartitionPlaced", v: 1, topicId: "abc", partition: 2, leader: 1 }))).toContain(
      "  abc-2 leader=1  (CreateTopics, kcat@127.0.0.1:5)"
    )
    text.line(event(2, { _tag: "TopicAdded", v: 1, topic: "orders", topicId: "abc", configs: {} }))
    expect(text.line(event(3, { _tag: "PartitionPlaced", v: 1, topicId: "abc", partition: 2, replicas: [1] }))).toContain("  orders-2 replicas=[1]  (")
  })
  test("what is no JSON is shown as it is", () => expect(new EventText().line(event(1, "oops"))).toContain("value=oops"))
})
