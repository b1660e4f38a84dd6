import { describe, expect, test } from "bun:test"
import { Either, Option } from "effect"
import { type Range, rangeOf } from "../../../../src/cli/messages/range.ts"
import { timeOf } from "../../../../src/cli/shell/time.ts"

const now = Date.UTC(2026, 10, 29, 12)
const range = (from: ReadonlyArray<string>, more: { readonly fromTime?: string; readonly toTime?: string; readonly last?: number } = {}) =>
  rangeOf({ from, fromTime: Option.fromNullable(more.fromTime), toTime: Option.fromNullable(more.toTime), last: Option.fromNullable(more.last) }, now)

describe("times", () => {
  const cases: ReadonlyArray<readonly [text: string, ms: number | undefined]> = [
    ["0", 0],
    ["1764400000000", 1_764_400_000_000],
    ["2026-11-29", Date.UTC(2026, 10, 29)],
    ["2026-11-29T10:00", Date.UTC(2026, 10, 29, 10)],
    ["2026-11-29T10:00:01.5", Date.UTC(2026, 10, 29, 10, 0, 1, 500)],
    ["2026-11-29T10:00:00Z", Date.UTC(2026, 10, 29, 10)],
    ["2026-11-29T10:00:00+0200", Date.UTC(2026, 10, 29, 8)],
    ["90s", now - 90_000],
    ["15m", now - 900_000],
    ["7d", now - 7 * 86_400_000],
    ["999999999999d", 0],
    ["2026-13-01", undefined],
    ["1969-01-01", undefined],
    ["yesterday", undefined],
    ["-5", undefined],
    ["", undefined]
  ]
  for (const [text, ms] of cases) test(text === "" ? "nothing" : text, () => expect(timeOf(text, now)).toBe(ms as number))
})

describe("where reading begins and ends", () => {
  const cases: ReadonlyArray<readonly [from: ReadonlyArray<string>, start: Range["start"], untilMs?: number]> = [
    [[], undefined],
    [["start"], "start"],
    [["beginning"], "start"],
    [["earliest"], "start"],
    [["end"], "end"],
    [["latest"], "end"],
    [["42"], { offset: 42 }],
    [["-10"], { last: 10 }],
    [["s@1000"], { timestamp: 1000 }],
    [["s@1000", "e@2000"], { timestamp: 1000 }, 2000],
    [["e@15m"], undefined, now - 900_000]
  ]
  for (const [from, start, untilMs] of cases) test(from.join(" ") || "nothing", () => expect(range(from)).toEqual(Either.right({ start, untilMs })))
  test("by options of their own", () => {
    expect(range([], { fromTime: "1h", toTime: "2026-11-29" })).toEqual(
      Either.right({ start: { timestamp: now - 3_600_000 }, untilMs: Date.UTC(2026, 10, 29) })
    )
    expect(range([], { last: 3 })).toEqual(Either.right({ start: { last: 3 }, untilMs: undefined }))
  })
})

describe("what cannot be read", () => {
  const wrong: ReadonlyArray<readonly [Either.Either<Range, string>, string]> = [
    [range(["middle"]), "--from middle: expected start (earliest), end (latest), an offset"],
    [range(["99999999999999999"]), "--from 99999999999999999: expected"],
    [range(["-0"]), "--from -0: expected a whole number of messages from 1."],
    [range(["s@noon"]), "--from s@noon: expected ms since 1970"],
    [range([], { last: 0 }), "--last 0: expected a whole number of messages from 1."],
    [range([], { toTime: "noon" }), "--to-time noon: expected"],
    [range(["start"], { last: 1 }), "give one of --from, --from-time and --last."],
    [range(["e@1"], { toTime: "2" }), "give one of --to-time and --from e@TIME."]
  ]
  for (const [found, why] of wrong) test(why, () => expect(found).toMatchObject({ left: expect.stringContaining(why) }))
})
