import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { masked, printable, printableJson, printableLines } from "../../../domain/kernel/printable.ts"

const harmful = /(?!\t)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("a", "\u001b", "\n", "\t", "\u009b", "\u202e", "\ud800", "\\", '"', "\u2028") })
)

describe("text from clients", () => {
  test.each([
    ["\u001b[2Jcleared", "\\u001b[2Jcleared"],
    ["\u009b31m", "\\u009b31m"],
    ["a\nb\r\tc\u0007\u007f", "a\\u000ab\\u000d\tc\\u0007\\u007f"],
    ["abc\u202ecba\u2066\u200b\ufeff", "abc\\u202ecba\\u2066\\u200b\\ufeff"],
    ["half \ud83d, line\u2028", "half \\ud83d, line\\u2028"],
    ["tag \u{e0041}", "tag \\udb40\\udc41"],
    ["größe 日本 🦜 \\u001b", "größe 日本 🦜 \\u001b"]
  ])("%j is printed as %j", (text, shown) => expect(printable(text)).toBe(shown))
  test("all control characters are replaced, a second call changes nothing, and other text is unchanged", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text)).not.toMatch(harmful)
        expect(printable(printable(text))).toBe(printable(text))
        expect(printableLines(text).replaceAll("\n", "")).not.toMatch(harmful)
        expect(masked(text)).not.toMatch(harmful)
        if (!harmful.test(text)) expect(printable(text)).toBe(text)
      })
    )
  })
  test("JSON keeps its value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), anyText, (value, text) => {
        const json = printableJson(JSON.stringify({ value, text, [text]: 1 }))
        expect(json).not.toMatch(harmful)
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ value, text, [text]: 1 })))
      })
    )
  })
})
