import { describe, expect, test } from "bun:test"
import { apis } from "../../src/protocol/message/registry.ts"
import { messagesFile, readLines } from "./lines.ts"
import { checkMessage, type MessageVector } from "./message-vectors.ts"
import { tally } from "./report.ts"

const lines = readLines<MessageVector>(messagesFile)
const byName = Map.groupBy(lines, ({ value }) => value.name)
const nameOf = ({ name, version }: MessageVector): string => `${name} version ${version}`

describe("Kafka's messages are read, compared and written byte-equal", () => {
  test.each([...byName.keys()])("%s", (name) => {
    const own = byName.get(name) ?? []
    expect(tally(own, nameOf, checkMessage)).toEqual({ passed: own.length, total: own.length, firstFailure: undefined })
  })
})

describe("the vectors hold what we describe", () => {
  test("every message in every version", () => {
    const described = apis.flatMap(({ request, response }) => [request, response]).flatMap(({ name, versions: [first, last] }) => versionsOf(name, first, last))
    const held = lines.filter(({ value }) => value.kind !== "header").map(({ value }) => nameOf(value))
    expect(described.toSorted()).toEqual([...new Set(held)].toSorted())
  })
})
const versionsOf = (name: string, first: number, last: number): ReadonlyArray<string> =>
  Array.from({ length: last - first + 1 }, (_, index) => `${name} version ${first + index}`)

describe("a difference is found", () => {
  const heartbeat = byName.get("HeartbeatRequest")?.[0]?.value as MessageVector
  test.each([
    ["another value", { ...heartbeat, json: { ...(heartbeat.json as object), generationId: 7 } }, "generationId: read with another value"],
    ["a field we do not know", { ...heartbeat, json: { ...(heartbeat.json as object), colour: "red" } }, "colour: read with another value"],
    ["a byte too many", { ...heartbeat, hex: `${heartbeat.hex}00` }, "1 bytes are left behind the last field"],
    ["a byte too few", { ...heartbeat, hex: heartbeat.hex.slice(0, -2) }, "memberId: "],
    ["another name", { ...heartbeat, name: "HeartBeatRequest" }, "no such message"]
  ])("%s", (_, vector, said) => expect(checkMessage(vector)).toStartWith(said))
})
