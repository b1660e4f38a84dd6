import { expect, test } from "bun:test"
import { type Event, shownReport, type TortureReport, violationsOf } from "../../../scripts/torture/report.ts"

const event = (fault: Event["fault"], seconds: number, any: number): Event => ({
  fault,
  what: "broker 1",
  atSeconds: 0,
  seconds,
  steps: { "others serve": 0.5, started: 1 },
  notes: 0,
  pausesMs: { any, ours: any + 100 }
})
const report = (events: ReadonlyArray<Event>, complaints: ReadonlyArray<string>): TortureReport => ({
  command: "./franz torture --seed 1",
  seed: 1,
  seconds: 10,
  clients: ["ours"],
  sent: 3,
  acknowledged: 3,
  unknown: 0,
  failed: 0,
  read: 3,
  noted: 2,
  notes: [],
  ...violationsOf(complaints),
  events,
  complaints
})

test("the report has one row for each fault, with the quantiles of its events, and counts what was lost, stored twice and out of order", () => {
  const text = shownReport(report([event("kill", 2, 400), event("term", 1, 100), event("kill", 4, 600)], []))
  expect(text).toContain("| kill | 2 | 0.4 / 0.6 / 0.6 | 0.5 / 0.7 / 0.7 | 2.0 / 4.0 / 4.0 | 0, 0, 0 |")
  expect(text).toContain("| term | 1 | 0.1 / 0.1 / 0.1 | 0.2 / 0.2 / 0.2 | 1.0 / 1.0 / 1.0 | 0, 0, 0 |")
  expect(text).toContain("2 errors retried")
  expect(text).toContain("Acknowledged messages lost: 0. Stored twice: 0. Out of order: 0. The logs of all replicas are equal, and verify.")
  const bad = shownReport(report([event("kill", 2, 400)], ["L1: gone", "L1: gone too", "L4: twice", "L8: the reader skipped"]))
  expect(bad).toContain("| 2.0 / 2.0 / 2.0 | 2, 1, 0 |")
  expect(shownReport(report([event("kill", 2, 400), event("term", 1, 100)], ["L1: gone"]))).toContain("| 1.0 / 1.0 / 1.0 | see below |")
  expect(bad).toContain("Acknowledged messages lost: 2. Stored twice: 1. Out of order: 0. 4 violations.")
})
