import { describe, expect, test } from "bun:test"
import { Either } from "effect"
import { decodeAt, decodeRequest } from "../../../../src/protocol/codec/compile.ts"
import { structTagsMax } from "../../../../src/protocol/codec/compile-reader.ts"
import { DecodeError } from "../../../../src/protocol/codec/decode-error.ts"
import { decodeRequestHeader } from "../../../../src/protocol/codec/frame.ts"
import { Heartbeat } from "../../../../src/protocol/message/12-heartbeat.ts"
import { DescribeGroups } from "../../../../src/protocol/message/15-describe-groups.ts"
import {
  type AnyField,
  type AnyWire,
  array,
  bool,
  bytes,
  int8,
  int32,
  nullable,
  schema,
  struct,
  tagged,
  text,
  uint32,
  uuid
} from "../../../../src/protocol/type/wire.ts"

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text.replaceAll(" ", ""))
/** Reads a message of one field, in a plain (0) or a flexible (1) version. */
const read = (field: AnyWire | AnyField, version: 0 | 1, from: string) =>
  Either.map(
    decodeAt(schema({ name: "One", versions: [0, 1], flexible: 1 }, { field }), version, hex(from)),
    ({ value }) => value as { readonly field: unknown }
  )
const errorOf = (field: AnyWire | AnyField, version: 0 | 1, from: string): string => {
  const error = Either.getOrThrow(Either.flip(read(field, version, from)))
  expect(error).toBeInstanceOf(DecodeError)
  return `${error.field} @${error.position}: ${error.reason}`
}
const valueOf = (field: AnyWire | AnyField, version: 0 | 1, from: string) => Either.getOrThrow(read(field, version, from)).field

describe("lengths", () => {
  test.each([
    ["text longer than the frame", text, 0, "0005 616263", "field @2: 5 bytes expected, 3 left"],
    ["compact text longer than the frame", text, 1, "09 6162", "field @1: 8 bytes expected, 2 left"],
    ["text beyond 32,767 bytes", text, 1, "818002", "field @3: text of 32768 bytes, at most 32767 allowed"],
    ["negative text", text, 0, "fffe", "field @0: length -2"],
    ["negative bytes", bytes, 0, "80000000", "field @0: length -2147483648"],
    ["bytes of 2 GiB", bytes, 0, "7fffffff 00", "field @4: 2147483647 bytes expected, 1 left"],
    ["compact bytes of 4 GiB", bytes, 1, "ffffffff0f 00", "field @5: 4294967294 bytes expected, 1 left"],
    ["no byte at all", int32, 0, "", "field @0: 4 bytes expected, 0 left"],
    ["a UUID cut short", uuid, 0, "0011", "field @0: 16 bytes expected, 2 left"]
  ] as const)("%s", (_, field, version, from, said) => expect(errorOf(field, version, from)).toBe(said))

  test("an array's count is checked against the bytes that are left before memory is taken", () => {
    expect(errorOf(array(int32), 0, "7fffffff 00000000")).toBe("field @4: 2147483647 elements of at least 4 bytes announced, 4 bytes left")
    expect(errorOf(array(int32), 0, "fffffffe")).toBe("field @0: length -2")
    expect(errorOf(array(struct({ a: text, b: uuid })), 1, "03 00")).toBe("field @1: 2 elements of at least 18 bytes announced, 1 bytes left")
    // A struct without fields takes no byte; its count is bounded all the same.
    expect(errorOf(array(struct({})), 0, "7fffffff")).toBe("field @4: 2147483647 elements of at least 1 bytes announced, 0 bytes left")
  })
})

describe("null", () => {
  test("only where the version allows it", () => {
    expect(valueOf(nullable(text), 0, "ffff")).toBe(null)
    expect(valueOf(nullable(text), 1, "00 00")).toBe(null)
    expect(errorOf(text, 0, "ffff")).toBe("field @2: null where this version allows none")
    expect(errorOf(array(bool), 1, "00 00")).toBe("field @1: null where this version allows none")
  })
  test("a struct says by one byte whether it is there", () => {
    const maybe = nullable(struct({ a: int8 }))
    expect(valueOf(maybe, 0, "ff")).toBe(null)
    expect(valueOf(maybe, 0, "01 07")).toEqual({ a: 7 })
    expect(errorOf(maybe, 0, "02 07")).toBe("field @0: 2 where 1 announces a struct and -1 none")
  })
})

describe("varints", () => {
  test("up to 32 bits in five bytes", () => {
    expect(errorOf(text, 1, "ffffffffff01")).toBe("field @4: varint of more than 32 bits")
    expect(errorOf(text, 1, "80808080 10")).toBe("field @4: varint of more than 32 bits")
    expect(errorOf(text, 1, "8080")).toBe("field @2: 1 bytes expected, 0 left")
    expect(valueOf(text, 1, "82 00 61 00")).toBe("a")
  })
})

describe("text", () => {
  test.each(["ff", "c0af", "eda080", "f4908080", "e282"])("that is not UTF-8 is refused: %s", (bad) => {
    const size = (bad.length / 2).toString(16).padStart(4, "0")
    expect(errorOf(text, 0, size + bad)).toBe("field @2: text is not valid UTF-8")
  })
  test("keeps a byte order mark", () => expect(valueOf(text, 0, "0004 efbbbf61")).toBe("\ufeffa"))
  test("long and short, ASCII and not", () => {
    for (const value of ["", "a", "ä", "🙂".repeat(3), "x".repeat(31), "x".repeat(32), `${"x".repeat(40)}ü`]) {
      const utf8 = new TextEncoder().encode(value)
      expect(valueOf(text, 0, utf8.length.toString(16).padStart(4, "0") + utf8.toHex())).toBe(value)
    }
  })
})

describe("tagged fields", () => {
  const flagged = tagged(0, 1, uint32, 9)
  test("absent, present, unknown", () => {
    expect(valueOf(flagged, 1, "00")).toBe(9)
    expect(valueOf(flagged, 1, "01 00 04 80000000")).toBe(0x80000000)
    expect(Either.getOrThrow(read(flagged, 1, "02 05 01 aa 07 00"))).toEqual({
      field: 9,
      unknownTags: [
        { tag: 5, data: hex("aa") },
        { tag: 7, data: hex("") }
      ]
    } as never)
  })
  test("end where their size says", () => {
    expect(errorOf(flagged, 1, "01 00 03 000000 00")).toBe("field @3: 4 bytes expected, 3 left")
    expect(errorOf(flagged, 1, "01 00 05 0000000000")).toBe("field @7: tagged field of 5 bytes, 4 of them read")
    expect(errorOf(flagged, 1, "01 00 7f 00000000")).toBe("field @3: 127 bytes expected, 4 left")
  })
  test("a flood is refused by its count", () => expect(errorOf(flagged, 1, "ffffffff0f 0000")).toBe(" @5: 4294967295 tagged fields announced, 2 bytes left"))
})

test("bytes are views over the frame, not copies", () => {
  const frame = hex("00000002 0102")
  const value = Either.getOrThrow(decodeAt(schema({ name: "One", versions: [0, 0] }, { field: bytes }), 0, frame)).value.field
  expect(value.buffer).toBe(frame.buffer)
  expect([...value]).toEqual([1, 2])
})

describe("elements", () => {
  const ofNames = (count: number): Uint8Array => {
    const body = new Uint8Array(4 + 2 * count)
    new DataView(body.buffer).setInt32(0, count)
    return body
  }
  const elementsMax = 1000
  test("are bounded over all arrays of a request: small frames become large objects", () => {
    expect(Either.isRight(decodeRequest(DescribeGroups, 0, ofNames(elementsMax), 0, { elementsMax }))).toBe(true)
    const error = Either.getOrThrow(Either.flip(decodeRequest(DescribeGroups, 0, ofNames(elementsMax + 1), 0, { elementsMax })))
    expect(`${error.kind}, ${error.field} @${error.position}: ${error.reason}`).toBe("elements, groups @4: 1001 elements, at most 1000 are served")
  })
  test("unknown tagged fields count, in a body and in a header", () => {
    const tags = (count: number) => new Uint8Array([...varint(count), ...Array.from({ length: count }, () => [99, 0]).flat()])
    const varint = (value: number) => [(value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, value >> 14]
    const heartbeat = (count: number) => new Uint8Array([2, 103, 0, 0, 0, 1, 2, 109, 0, ...tags(count)])
    expect(Either.isRight(decodeRequest(Heartbeat, 4, heartbeat(elementsMax), 0, { elementsMax }))).toBe(true)
    expect(Either.isLeft(decodeRequest(Heartbeat, 4, heartbeat(elementsMax + 1), 0, { elementsMax }))).toBe(true)
    expect(Either.isLeft(decodeRequest(Heartbeat, 4, heartbeat(structTagsMax + 1)))).toBe(true)
    const header = (count: number) => new Uint8Array([0, 12, 0, 4, 0, 0, 0, 7, 0xff, 0xff, ...tags(count)])
    expect(decodeRequestHeader(header(10))).toMatchObject({ _tag: "Right", right: { bodyAt: 33 } })
    expect(Either.isLeft(decodeRequestHeader(header(1001)))).toBe(true)
  })
})
