import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import fc from "fast-check"
import { jsonMessage, recordJson } from "../../../../src/cli/messages/json-record.ts"
import { ConsumedRecord } from "../../../../src/client/consumer/fetch/record.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const read = (line: string) => jsonMessage(bytes(line))
/** Sent text is bytes. */
const asBytes = (part: string | Uint8Array | null | undefined) =>
  part === null || part === undefined ? null : [...(typeof part === "string" ? bytes(part) : part)]

const anyBytes = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 9 }), fc.string({ unit: "binary" }).map(bytes), fc.constant(bytes("\ufeffmark")))
const anyRecord = fc.record({
  offset: fc.nat(),
  timestamp: fc.integer({ min: -1 }),
  key: anyBytes,
  value: anyBytes,
  headers: fc.array(fc.record({ key: fc.string({ unit: "binary" }), value: anyBytes }), { maxLength: 3 })
})

test("what is written is read again, byte for byte", () =>
  fc.assert(
    fc.property(anyRecord, fc.nat({ max: 9 }), (record, partition) => {
      const line = recordJson(new ConsumedRecord("orders", partition, record))
      expect(line).not.toContain("\n")
      const message = Either.getOrThrow(read(line))
      expect(asBytes(message.key)).toEqual(asBytes(record.key))
      expect(asBytes(message.value)).toEqual(asBytes(record.value))
      expect(message.headers.map(({ key, value }) => [key, asBytes(value)])).toEqual(record.headers.map(({ key, value }) => [key, asBytes(value)]))
      expect([message.partition, message.timestamp]).toEqual([partition, record.timestamp < 0 ? undefined : record.timestamp])
    })
  ))

test("a value is all that a message needs", () => expect(read('{"value":"v"}')).toEqual(Either.right({ key: null, value: "v", headers: [] })))

describe("a line that is no message says what is wrong", () => {
  const cases: ReadonlyArray<readonly [line: string, why: string]> = [
    ["", "no JSON: "],
    ["hello", 'one object a line, e.g. {"key":"k","value":"v"}.'],
    ["[1]", "[1] is no object."],
    ['{"key":"k"}', 'A tombstone is {"key":"k","value":null}.'],
    ['{"valu":"v"}', 'there is no field "valu" in a message.'],
    ['{"value":{"cents":1}}', 'value is {"cents":1}: expected text or null.'],
    ['{"value":"v","valueBase64":"dg=="}', "both value and valueBase64."],
    ['{"valueBase64":"d"}', 'valueBase64 is "d": expected base64 text.'],
    ['{"valueBase64":"d.=="}', "expected base64 text."],
    ['{"value":"v","partition":1.5}', "partition is 1.5: expected a whole number."],
    ['{"value":"v","partition":-1}', "partition is -1"],
    ['{"value":"v","timestamp":"now"}', 'timestamp is "now"'],
    ['{"value":"v","headers":{"a":"1"}}', 'headers is {"a":"1"}: expected a list'],
    ['{"value":"v","headers":[{"key":"a"}]}', 'the header "a" has no value'],
    ['{"value":"v","headers":[{"key":"a","valu":"1"}]}', "a header is "]
  ]
  for (const [line, why] of cases)
    test(line === "" ? "an empty line" : line, () => expect(Either.flip(read(line))).toMatchObject({ right: expect.stringContaining(why) }))
  test("bytes that are no UTF-8", () => expect(jsonMessage(Uint8Array.of(0x22, 0xff, 0x22))).toMatchObject({ left: expect.stringContaining("no JSON") }))
})
