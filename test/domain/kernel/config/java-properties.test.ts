import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Either } from "effect"
import fc from "fast-check"
import { readProperties } from "../../../../domain/kernel/config/java-properties.ts"

interface Vector {
  readonly text: string
  readonly entries?: Readonly<Record<string, string>>
  readonly error?: string
}
const vectors = readFileSync(join(import.meta.dir, "data/properties-vectors.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Vector)

const read = (text: string): Vector => {
  const entries = Either.all(readProperties(text))
  return Either.isLeft(entries)
    ? { text, error: "Malformed \\uxxxx encoding." }
    : { text, entries: Object.fromEntries(entries.right.map(({ name, value }) => [name, value])) }
}

describe("a properties file", () => {
  test("is read as java.util.Properties reads it (PropertiesVectors.java made the vectors)", () => {
    expect(vectors.length).toBeGreaterThan(1000)
    for (const vector of vectors) expect(read(vector.text)).toEqual(vector)
  })
  test("every entry has the number of its first line", () => {
    const lines = readProperties("# one\\\na=1\r\n\r\nb=\\\n  2\\\n  3\rc=\\u00g0\nd=4").map(Either.merge)
    expect(lines).toEqual([
      { name: "a", value: "1", line: 2 },
      { name: "b", value: "23", line: 4 },
      { line: 7, reason: "\\u00g0: expected four hexadecimal digits after \\u; a backslash itself is written \\\\" },
      { name: "d", value: "4", line: 8 }
    ])
  })
  test("any name and value are read again from a file that escapes them", () => {
    const escape = (text: string) => [...text].map((char) => (/[\p{L}\p{N}]/u.test(char) ? char : char.replace(/[^]/g, unicode))).join("")
    const unicode = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "binary" }), fc.string({ unit: "binary" }), (name, value) => {
        expect(read(`${escape(name)}=${escape(value)}`).entries).toEqual({ [name]: value })
      })
    )
  })
  test("any text gives entries or reasons, never a throw", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: fc.constantFrom("\\", "\n", "\r", "a", "=", "u", "0", " ", "#") }), (text) =>
        Array.isArray(readProperties(text))
      )
    )
  })
})
