import { expect, test } from "bun:test"
import { Schema } from "effect"
import { fingerprintOf } from "../fingerprint.ts"
import type { History, JournalReading, Operation, Outcome, TopicCommand } from "../history.ts"
import { event, failed, given, invariants, ok, unknown } from "./given.ts"
import { answeredIsJournalled, checkMetadata, foldOf, sameImages, singleSequence, snapshotIsFold } from "./metadata.ts"

const stream = "__cluster_metadata"
/** A sum represents a state: enough to tell one fold from another. */
const fold = foldOf({
  stream,
  initial: 0,
  evolve: (sum: number, { topic }: { readonly topic: string }) => sum * 10 + topic.length,
  event: Schema.Struct({ topic: Schema.String }),
  state: Schema.Number
})
const added = (index: number, topic: string, commandId?: string) => event(index, { _tag: "TopicAdded", topic, topicId: `id-${topic}` }, commandId)
const journal = (events: JournalReading["events"], snapshot?: JournalReading["snapshot"], at = 50): JournalReading => ({ at, stream, events, snapshot })
const three = [added(0, "a"), added(1, "bb"), added(2, "ccc")]
const topic = (name: string, outcome: Outcome<string>, action: TopicCommand["action"] = "add"): Operation<TopicCommand, string> => ({
  process: "admin-1",
  input: { action, topic: name },
  invoked: 1,
  completed: 2,
  outcome
})
const image = (index: number, state: string): History["images"][number] => ({ at: 20, node: "broker-1", stream, index, fingerprint: fingerprintOf(state) })

test("a journal, its images, its snapshots and its answers pass", () => {
  const history = given({
    journals: [journal(three.slice(0, 2), undefined, 10), journal(three, { index: 2, json: '{"state":12}' })],
    images: [image(0, "0"), image(2, "12"), image(3, "123")],
    topics: [topic("a", ok("id-a")), topic("bb", unknown), topic("z", unknown), topic("q", failed)]
  })
  expect(checkMetadata(history, stream, [fold])).toEqual([])
})

test("M1: an event that changed, a gap, an end that fell", () => {
  expect(invariants(singleSequence(given({ journals: [journal(three, undefined, 10), journal([added(0, "a"), added(1, "x"), added(2, "ccc")])] })))).toEqual([
    "M1"
  ])
  expect(invariants(singleSequence(given({ journals: [journal([added(0, "a"), added(2, "bb")])] })))).toEqual(["M1"])
  expect(invariants(singleSequence(given({ journals: [journal(three, undefined, 10), journal(three.slice(0, 2))] })))).toEqual(["M1"])
})
test("M1: a node with another state, or more events", () => {
  expect(invariants(sameImages(given({ journals: [journal(three)], images: [image(2, "13")] }), [fold]))).toEqual(["M1"])
  expect(invariants(sameImages(given({ journals: [journal(three)], images: [image(4, "1234")] }), [fold]))).toEqual(["M1"])
  expect(invariants(sameImages(given({ journals: [journal([event(0, { _tag: "Odd" })])] }), [fold]))).toEqual(["M1"])
})
test("M2: a snapshot that skips an event, is ahead, or is no snapshot", () => {
  expect(invariants(snapshotIsFold(given({ journals: [journal(three, { index: 2, json: '{"state":1}' })] }), [fold]))).toEqual(["M2"])
  expect(invariants(snapshotIsFold(given({ journals: [journal(three, { index: 4, json: '{"state":1234}' })] }), [fold]))).toEqual(["M2"])
  expect(invariants(snapshotIsFold(given({ journals: [journal(three, { index: 2, json: "torn" })] }), [fold]))).toEqual(["M2"])
})
test("M4: an answer without its event, or with another's", () => {
  const check = (topics: History["topics"], events = three) => invariants(answeredIsJournalled(given({ journals: [journal(events)], topics }), stream))
  expect(check([topic("z", ok("id-z"))])).toEqual(["M4"])
  expect(check([topic("a", ok("id-other"))])).toEqual(["M4"])
  expect(check([topic("a", ok(""), "remove")])).toEqual(["M4"])
  expect(check([topic("a", { _tag: "fail", error: "TopicExists" })])).toEqual(["M4"])
})
test("M4: a command that was decided twice", () => {
  const check = (events: JournalReading["events"], topics: History["topics"] = []) =>
    invariants(answeredIsJournalled(given({ journals: [journal(events)], topics }), stream))
  expect(check([added(0, "a", "client:1"), added(1, "b"), added(2, "c", "client:1")])).toEqual(["M4"])
  expect(check([added(0, "a", "client:1"), added(1, "b", "client:1"), added(2, "c")])).toEqual([])
  expect(check([added(0, "a"), added(1, "a")], [topic("a", ok("id-a"))])).toEqual(["M4"])
})
