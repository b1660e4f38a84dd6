import { expect, test } from "bun:test"
import fc from "fast-check"
import { LineSplitter } from "../../../../src/cli/shell/line-splitter.ts"

const split = (text: Uint8Array, cuts: ReadonlyArray<number>, lineBytesMax = 1000): Array<string> | "too long" => {
  const splitter = new LineSplitter(lineBytesMax)
  const lines: Array<string> = []
  const places = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1)), text.length])].sort((a, b) => a - b)
  for (const [index, from] of places.entries()) {
    const found = splitter.push(text.subarray(from, places[index + 1] ?? from))
    if (found === "too long") return found
    for (const line of found) lines.push(Buffer.from(line).toString("latin1"))
  }
  const rest = splitter.rest()
  if (rest !== undefined) lines.push(Buffer.from(rest).toString("latin1"))
  return lines
}

test("the lines are the same wherever the stream is cut, byte for byte", () => {
  const byte = fc.oneof({ weight: 3, arbitrary: fc.constant(10) }, { weight: 7, arbitrary: fc.integer({ min: 0, max: 255 }) })
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 200 }), fc.array(fc.nat(), { maxLength: 20 }), (bytes, cuts) => {
      const expected = Buffer.from(bytes).toString("latin1").split("\n")
      if (expected.at(-1) === "") expected.pop()
      expect(split(Uint8Array.from(bytes), cuts)).toEqual(expected)
    })
  )
})

test("a carriage return belongs to the message, and a last line needs no newline", () => expect(split(Buffer.from("a\r\n\nb"), [])).toEqual(["a\r", "", "b"]))

test("a line over the bound is noticed before it is gathered", () => {
  expect(split(Buffer.from(`${"x".repeat(10)}\n`), [3, 6], 10)).toEqual(["x".repeat(10)])
  expect(split(Buffer.from(`${"x".repeat(11)}\n`), [], 10)).toBe("too long")
  expect(split(Buffer.from("x".repeat(11)), [3, 6], 10)).toBe("too long")
})
