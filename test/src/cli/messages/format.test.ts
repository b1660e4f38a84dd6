import { expect, test } from "bun:test"
import { Either } from "effect"
import { formatOf } from "../../../../src/cli/messages/format.ts"
import { ConsumedRecord } from "../../../../src/client/consumer/fetch/record.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const full = new ConsumedRecord("orders", 3, {
  offset: 7,
  timestamp: 1000,
  key: bytes("k"),
  value: Uint8Array.of(0xff, 0),
  headers: [
    { key: "a", value: bytes("1") },
    { key: "a", value: null }
  ]
})
const empty = new ConsumedRecord("orders", 0, { offset: 8, timestamp: -1, key: null, value: null, headers: [] })
const written = (format: string, nullText = "") => [...Either.getOrThrow(formatOf(format, nullText))([full, empty])]

test("every token, with nothing added between messages", () =>
  expect(written("%t [%p] @%o %T k=%k(%K) (%S) %h\\n")).toEqual([...bytes("orders [3] @7 1000 k=k(1) (2) a=1,a=NULL\norders [0] @8 -1 k=(-1) (-1) \n")]))
test("values byte for byte, and their lengths as big-endian numbers", () => expect(written("%R%s")).toEqual([0, 0, 0, 2, 0xff, 0, 0xff, 0xff, 0xff, 0xff]))
test("null keys and values as the text that is asked for", () => expect(written("%k=%s;", "NULL").slice(-10)).toEqual([...bytes("NULL=NULL;")]))
test("escapes, and what is no escape", () => expect(written("\\x41\\t\\r\\0\\\\%%é").slice(0, 8)).toEqual([0x41, 9, 13, 0, 0x5c, 0x25, ...bytes("é")]))
test("an unknown token or escape is named", () => {
  expect(formatOf("%s %q", "")).toMatchObject({ left: expect.stringContaining("there is no token '%q'; expected %s ") })
  expect(formatOf("100%", "")).toMatchObject({ left: expect.stringContaining("there is no token '%'") })
  expect(formatOf("\\q", "")).toMatchObject({ left: expect.stringContaining("there is no escape '\\q'") })
  expect(formatOf("\\x4", "")).toMatchObject({ left: expect.stringContaining("there is no escape '\\x'") })
})
