import { expect, test } from "bun:test"
import { parseClientLine } from "../../../scripts/torture/client-line.ts"
import { Observed } from "../../../scripts/torture/observed.ts"
import { quantiles } from "../../../scripts/torture/pauses.ts"
import { checkLog } from "../../../test/simulation/checker/log.ts"
import type { BatchRead } from "../../../test/simulation/history.ts"

/** What clients printed, and what was wrong with it. */
const observed = (...lines: ReadonlyArray<string>) => {
  const complaints: Array<string> = []
  const seen = new Observed("t", (complaint) => complaints.push(complaint))
  for (const text of lines) {
    const line = parseClientLine(text.replaceAll(" ", "\t"))
    if (line === undefined) throw new Error(`'${text}' is no line`)
    seen.take("java", line)
  }
  return { seen, complaints }
}
const batch = (baseOffset: number, baseSequence: number, ...values: ReadonlyArray<string>): BatchRead => ({
  baseOffset,
  lastOffset: baseOffset + values.length - 1,
  leaderEpoch: 0,
  producerId: 1n,
  producerEpoch: 0,
  baseSequence,
  values
})
/** The invariants that do not hold for what clients printed, where partition 0 has these batches in the end. */
const violations = (lines: ReadonlyArray<string>, batches: ReadonlyArray<BatchRead>): ReadonlyArray<string> => {
  const { complaints, seen } = observed(...lines)
  const since = seen.recorder.next()
  seen.recorder.logs.push({ topic: "t", partition: 0, since, at: seen.recorder.next(), source: "final", batches, end: batches.at(-1)?.lastOffset ?? 0 })
  const values = batches.flatMap(({ baseOffset, values: of }) => of.map((value, nth) => [value, baseOffset + nth] as const))
  seen.locate(0, new Map(values))
  return [...complaints.map((complaint) => complaint.slice(0, 2)), ...checkLog(seen.recorder.history).map(({ invariant }) => invariant)]
}

test("L1, L3, L4, L5: what clients saw of a whole log is no violation, and every loss, duplicate, phantom and exchange is one", () => {
  const sent = ["s 1 0 a", "s 2 0 b", "a 3 0 0 a", "a 4 0 1 b", "r 0 0 a", "r 0 1 b"]
  expect(violations(sent, [batch(0, 0, "a", "b")])).toEqual([])
  expect(violations(sent, [batch(0, 0, "a")])).toContain("L1")
  expect(violations(sent, [batch(0, 0, "a", "b"), batch(2, 1, "b")])).toContain("L4")
  expect(violations(sent, [batch(0, 0, "a", "b", "c")])).toContain("L3")
  expect(violations(["s 1 0 a", "s 2 0 b", "a 3 0 1 a", "a 4 0 0 b"], [batch(0, 0, "b", "a")])).toContain("L5")
  expect(violations(["s 1 0 a", "a 3 0 0 a", "r 0 0 x"], [batch(0, 0, "a")])).toContain("L2")
})

test("L1: a message that was acknowledged without an offset must be in its partition", () => {
  expect(violations(["s 1 0 a", "a 3 0 -1 a"], [batch(0, 0, "a")])).toEqual([])
  expect(violations(["s 1 0 a", "a 3 0 -1 a"], [])).toEqual(["L1"])
})

test("a message of unknown outcome may be stored or not, and one that failed must not", () => {
  for (const batches of [[], [batch(0, 0, "a")]]) expect(violations(["s 1 0 a", "u 2 a timed-out"], batches)).toEqual([])
  expect(violations(["s 1 0 a", "f 2 a too-large"], [batch(0, 0, "a")])).toEqual(["L3"])
})

test("L8: a reader that skips an offset or goes back is a violation, and so is an error that no fault excuses", () => {
  expect(observed("r 0 0 a", "r 0 1 b", "r 1 0 c").complaints).toEqual([])
  expect(observed("r 0 0 a", "r 0 2 b").complaints).toEqual(["L8: the reader of java was given t-0@2 after 0"])
  expect(observed("r 0 0 a", "r 0 1 b", "r 0 1 b").complaints).toEqual(["L8: the reader of java was given t-0@1 after 1"])
  expect(observed("! fenced", "? retry").complaints).toEqual(["java: fenced"])
})

test("the pause of an event is the longest time without an acknowledgement in one partition that ends after it began", () => {
  const { seen } = observed("a 1000 0 0 a", "a 1900 0 1 b", "a 2000 1 0 c", "a 2100 1 1 d", "a 5000 0 2 e", "a 5100 1 2 f", "a 5200 0 3 g")
  expect(seen.acknowledgements.pausesSince(1950)).toEqual({ java: 3100, any: 3100 })
  seen.acknowledgements.forgetBefore(1950)
  expect(seen.acknowledgements.pausesSince(1950)).toEqual({ java: 3100, any: 3100 })
  expect(seen.acknowledgements.pausesSince(5000)).toEqual({ java: 3000, any: 3000 })
  expect([seen.acknowledgements.allSince(5050, ["java"], 2), seen.acknowledgements.allSince(5150, ["java"], 2)]).toEqual([true, false])
  expect(seen.acknowledgements.allSince(5050, ["java", "ours"], 2)).toBe(false)
})

test("quantiles are values by nearest rank", () => {
  expect(quantiles([])).toBeUndefined()
  expect(quantiles([5])).toEqual({ p50: 5, p99: 5, max: 5 })
  const to200 = Array.from({ length: 200 }, (_, n) => 200 - n)
  expect(quantiles(to200)).toEqual({ p50: 100, p99: 198, max: 200 })
})
