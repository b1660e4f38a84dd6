import { expect, test } from "bun:test"
import { Either, Option } from "effect"
import { lineMessages } from "../../../../src/cli/messages/line-message.ts"

const bytes = (text: string) => new TextEncoder().encode(text)
const none = {
  keySeparator: Option.none<string>(),
  key: Option.none<string>(),
  header: [] as ReadonlyArray<string>,
  timestamp: Option.none<string>(),
  partition: Option.none<number>(),
  nulls: false,
  json: false
}
const messageOf = (words: Partial<typeof none>, line: string) => Either.flatMap(lineMessages({ ...none, ...words }, 5000), (make) => make(bytes(line)))

test("headers, key, partition and timestamp of all lines", () =>
  expect(messageOf({ header: ["a=1", "a=2=3", "b"], key: Option.some("k"), partition: Option.some(2), timestamp: Option.some("2s") }, "v")).toEqual(
    Either.right({
      value: bytes("v"),
      key: "k",
      partition: 2,
      timestamp: 3000,
      headers: [
        { key: "a", value: "1" },
        { key: "a", value: "2=3" },
        { key: "b", value: null }
      ]
    })
  ))
test("empty keys and values stay empty, or are null with --null", () => {
  const keySeparator = Option.some(":")
  expect(messageOf({ keySeparator }, ":")).toEqual(Either.right({ key: bytes(""), value: bytes("") }))
  expect(messageOf({ keySeparator, nulls: true }, ":")).toEqual(Either.right({ key: null, value: null }))
  expect(messageOf({ keySeparator, nulls: true }, "k:v:w")).toEqual(Either.right({ key: bytes("k"), value: bytes("v:w") }))
})
test("the options replace the parts of a JSON line, and add headers", () => {
  const line = '{"key":"k","value":"v","partition":1,"timestamp":7,"headers":[{"key":"a","value":"1"}]}'
  const added = messageOf({ json: true, header: ["b=2"], key: Option.some("K"), timestamp: Option.some("9"), partition: Option.some(0) }, line)
  expect(added).toEqual(
    Either.right({
      key: "K",
      value: "v",
      partition: 0,
      timestamp: 9,
      headers: [
        { key: "a", value: "1" },
        { key: "b", value: "2" }
      ]
    })
  )
  expect(messageOf({ json: true, partition: Option.some(-1) }, line)).toEqual(
    Either.right({ key: "k", value: "v", timestamp: 7, headers: [{ key: "a", value: "1" }] })
  )
})
test("options that contradict each other, or that cannot be read", () => {
  const keySeparator = Option.some(":")
  const cases = [
    [{ json: true, keySeparator }, "omit it with --json."],
    [{ key: Option.some("k"), keySeparator }, "omit it with --key."],
    [{ json: true, nulls: true }, "--null is for lines without --json"],
    [{ keySeparator: Option.some("") }, "--key-separator: expected at least one character."],
    [{ header: ["=1"] }, "--header =1: expected NAME=VALUE"],
    [{ timestamp: Option.some("soon") }, "--timestamp soon: expected ms since 1970"]
  ] as const
  for (const [words, why] of cases) expect(messageOf(words, "v")).toMatchObject({ left: expect.stringContaining(why) })
})
