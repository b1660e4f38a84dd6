import { expect, test } from "bun:test"
import { latestOfKeyStays } from "./compacted.ts"
import { batch, failed, given, invariants, log, ok, polled, sent, trimmed, unknown } from "./given.ts"
import { checkLog, noDuplicates, noLostAck, noPhantom, oneValue, producerOrder, readStays, startStays } from "./log.ts"

const whole = log("final", 100, batch(0, ["a", "b"]), batch(2, ["c"]))
const sends = [sent("a", 0, 1), sent("b", 1, 2), sent("c", 2, 3)]

test("a run in which everything is where it should be passes", () => {
  const history = given({
    sends,
    logs: [log("fetch", 5, batch(0, ["a", "b"])), log("disk", 6, batch(0, ["a", "b"])), whole],
    polls: [polled("a", 0), polled("c", 2)]
  })
  expect(checkLog(history)).toEqual([])
})

test("L1: an acknowledged record that is missing, or is another", () => {
  expect(invariants(noLostAck(given({ sends, logs: [log("final", 100, batch(0, ["a", "b"]))] })))).toEqual(["L1"])
  expect(invariants(noLostAck(given({ sends, logs: [log("final", 100, batch(0, ["a", "c", "b"]))] })))).toEqual(["L1"])
})
test("L1: neither an unanswered send nor one with acks=1 has to be there", () => {
  expect(noLostAck(given({ sends: [...sends, sent("d", unknown, 4), sent("e", 3, 5, { acks: 1 })], logs: [whole] }))).toEqual([])
})

test("L2: one offset and leader epoch with two values", () => {
  expect(invariants(oneValue(given({ logs: [log("fetch", 1, batch(0, ["x"])), log("final", 100, batch(0, ["a"]))] })))).toEqual(["L2"])
})
test("L2: what was never synced may be followed by another record under a higher epoch (decision 0007)", () => {
  const read = log("fetch", 1, batch(0, ["x"]))
  expect(
    oneValue(given({ sends: [sent("a", 0, 5)], logs: [read, log("final", 100, batch(0, ["a"], { leaderEpoch: 1 }))], polls: [polled("x", 0, { since: 1 })] }))
  ).toEqual([])
})
test("L2: not so once it was acknowledged, or on a disk after a crash", () => {
  const other = batch(0, ["x"], { leaderEpoch: 1 })
  expect(invariants(oneValue(given({ sends: [sent("a", 0, 5)], logs: [log("fetch", 6, other)] })))).toEqual(["L2"])
  expect(invariants(oneValue(given({ sends: [sent("a", 0, 5)], polls: [polled("x", 0, { since: 6 })] })))).toEqual(["L2"])
  expect(invariants(oneValue(given({ logs: [log("disk", 1, batch(0, ["a"])), log("final", 100, other)] })))).toEqual(["L2"])
  expect(invariants(oneValue(given({ logs: [log("disk", 1, batch(0, ["a", "b"])), log("disk", 2, batch(0, ["a"]))] })))).toEqual(["L2"])
})

test("L2: with several replicas what a consumer was given stays, and what a disk had after a crash may be cut off", () => {
  const replicated = new Set(["t"])
  const other = batch(0, ["x"], { leaderEpoch: 1 })
  const short = log("final", 100, batch(0, ["a"]))
  expect(oneValue(given({ replicated, logs: [log("disk", 1, other), log("disk", 2, batch(0, ["a"])), whole] }))).toEqual([])
  expect(invariants(oneValue(given({ replicated, logs: [log("fetch", 1, other), whole] })))).toEqual(["L2"])
  expect(invariants(oneValue(given({ replicated, polls: [polled("x", 0, { since: 1, at: 2 })], logs: [whole] })))).toEqual(["L2"])
  expect(readStays(given({ replicated, polls: [polled("b", 1)], logs: [whole] }))).toEqual([])
  expect(invariants(readStays(given({ replicated, polls: [polled("b", 1)], logs: [short] })))).toEqual(["L2"])
  expect(readStays(given({ replicated, polls: [polled("b", 1)], logs: [short], trims: [trimmed(2, ok(2), 5)] }))).toEqual([])
})

test("L3: a record that no client sent, that was sent elsewhere, or whose send failed", () => {
  expect(invariants(noPhantom(given({ sends, polls: [polled("z", 0)] })))).toEqual(["L3"])
  expect(invariants(noPhantom(given({ sends: [sent("a", unknown, 1, { partition: 1 })], logs: [log("fetch", 5, batch(0, ["a"]))] })))).toEqual(["L3"])
  expect(invariants(noPhantom(given({ sends: [sent("a", failed, 1)], polls: [polled("a", 0)] })))).toEqual(["L3"])
  expect(noPhantom(given({ sends: [sent("a", unknown, 1, { partition: undefined })], polls: [polled("a", 0)] }))).toEqual([])
})

test("L4: a sequence at two offsets", () => {
  const twice = log("disk", 5, batch(0, ["a"], { baseSequence: 4 }), batch(1, ["b"], { baseSequence: 4 }))
  expect(invariants(noDuplicates(given({ logs: [twice] })))).toEqual(["L4"])
  expect(
    noDuplicates(
      given({ logs: [log("disk", 5, batch(0, ["a"], { producerId: -1n, baseSequence: -1 }), batch(1, ["b"], { producerId: -1n, baseSequence: -1 }))] })
    )
  ).toEqual([])
})
test("L4: a value of an idempotent producer at two offsets, also in two partitions", () => {
  const again = batch(1, ["a"], { producerId: 8n })
  expect(invariants(noDuplicates(given({ sends: [sent("a", 0, 1)], logs: [log("final", 9, batch(0, ["a"]), again)] })))).toEqual(["L4"])
  const elsewhere = { ...log("final", 9, batch(0, ["a"], { producerId: 8n })), partition: 1 }
  expect(invariants(noDuplicates(given({ sends: [sent("a", 0, 1)], logs: [log("final", 9, batch(0, ["a"])), elsewhere] })))).toEqual(["L4"])
  expect(noDuplicates(given({ sends: [sent("a", 0, 1, { idempotent: false })], logs: [log("final", 9, batch(0, ["a"]), again)] }))).toEqual([])
})
test("L4: an acknowledgement without an offset, or with that of another", () => {
  expect(invariants(noDuplicates(given({ sends: [sent("a", -1, 1)] })))).toEqual(["L4"])
  expect(invariants(noDuplicates(given({ sends: [sent("a", 0, 1), sent("b", 0, 2)] })))).toEqual(["L4"])
})

test("L5: a later send at an earlier offset", () => {
  expect(invariants(producerOrder(given({ sends: [sent("a", 1, 1), sent("b", 0, 2)] })))).toEqual(["L5"])
  expect(producerOrder(given({ sends: [sent("a", 1, 1), { ...sent("b", 0, 2), process: "producer-2" }] }))).toEqual([])
})
test("L5: a gap between batches, or within one", () => {
  expect(invariants(producerOrder(given({ logs: [log("final", 9, batch(0, ["a"]), batch(2, ["b"]))] })))).toEqual(["L5"])
  expect(invariants(producerOrder(given({ logs: [log("final", 9, batch(1, ["a"]))] })))).toEqual(["L5"])
  expect(invariants(producerOrder(given({ logs: [log("fetch", 9, batch(5, ["a", "b"], { lastOffset: 7 }))] })))).toEqual(["L5"])
  expect(producerOrder(given({ logs: [log("fetch", 9, batch(5, ["a", "b"]))] }))).toEqual([])
})

test("L1, L5: what was deleted, or may have been, need not be there; what was not must", () => {
  const rest = { ...log("final", 100, batch(1, ["b"]), batch(2, ["c"])), end: 3 }
  expect(checkLog(given({ sends, logs: [rest], trims: [trimmed(1, ok(1), 5)] }))).toEqual([])
  expect(checkLog(given({ sends, logs: [rest], trims: [trimmed(1, unknown, 5)] }))).toEqual([])
  expect(checkLog(given({ sends, logs: [rest], trims: [trimmed(-1, unknown, 5)] }))).toEqual([])
  expect(invariants(checkLog(given({ sends, logs: [rest], trims: [trimmed(1, failed, 5)] })))).toEqual(["L1", "L5"])
  expect(invariants(checkLog(given({ sends, logs: [rest] })))).toEqual(["L1", "L5"])
  expect(invariants(noLostAck(given({ sends, logs: [{ ...log("final", 100), end: 3 }], trims: [trimmed(1, ok(1), 5)] })))).toEqual(["L1"])
})

const keyed = (value: string, outcome: Parameters<typeof sent>[1], at: number, key: string) => sent(value, outcome, at, { key })
const compacted = new Set(["t"])
const updates = [keyed("a", 0, 1, "k"), keyed("b", 1, 2, "l"), keyed("c", 2, 3, "k"), keyed("d", 3, 4, "m")]
const without0 = batch(0, ["b", "c"], { offsets: [1, 2], lastOffset: 2 })

test("L1, L5: of a compacted topic earlier records of a key may be gone, and nothing else", () => {
  expect(checkLog(given({ compacted, sends: updates, logs: [log("final", 100, without0, batch(3, ["d"]))] }))).toEqual([])
  expect(invariants(checkLog(given({ sends: updates, logs: [log("final", 100, without0, batch(3, ["d"]))] })))).toEqual(["L1", "L5"])
  const lacking = [
    log("final", 100, without0),
    log("final", 100, batch(0, ["a", "b"]), batch(3, ["d"])),
    log("final", 100, batch(2, ["c"]), batch(3, ["d"])),
    log("final", 100)
  ]
  for (const one of lacking) expect(invariants(latestOfKeyStays(given({ compacted, sends: updates, logs: [one] })))).toEqual(["L1"])
})
test("L1: a record is superseded by one of its key in the same partition whose send did not fail, answered or not", () => {
  const rest = log("final", 100, batch(1, ["b"]))
  expect(latestOfKeyStays(given({ compacted, sends: [keyed("a", 0, 1, "k"), keyed("b", unknown, 2, "k")], logs: [rest] }))).toEqual([])
  expect(invariants(latestOfKeyStays(given({ compacted, sends: [keyed("a", 0, 1, "k"), keyed("b", failed, 2, "k")], logs: [rest] })))).toEqual(["L1"])
  expect(
    invariants(latestOfKeyStays(given({ compacted, sends: [keyed("a", 1, 1, "k"), keyed("b", 0, 2, "k")], logs: [log("final", 9, batch(0, ["b"]))] })))
  ).toEqual(["L1"])
  const elsewhere = { ...rest, partition: 1 }
  expect(
    invariants(latestOfKeyStays(given({ compacted, sends: [keyed("a", 0, 1, "k"), keyed("b", unknown, 2, "k")], logs: [log("final", 100), elsewhere] })))
  ).toEqual(["L1"])
  expect(
    latestOfKeyStays(given({ compacted, sends: [keyed("a", unknown, 1, "k"), sent("b", 1, 2, { acks: 1, key: "l" })], logs: [log("final", 100)] }))
  ).toEqual([])
})
test("L1: what a compacted log had on disk after a crash it has after the next, or a later one of the key", () => {
  const sends = [keyed("a", unknown, 1, "k"), keyed("b", unknown, 2, "l"), keyed("c", unknown, 3, "k")]
  const before = log("disk", 10, batch(0, ["a", "b"]))
  expect(latestOfKeyStays(given({ compacted, sends, logs: [before, log("disk", 20, without0), log("final", 30, without0)] }))).toEqual([])
  expect(invariants(latestOfKeyStays(given({ compacted, sends, logs: [before, log("disk", 20, batch(1, ["b"]))] })))).toEqual(["L1"])
  expect(latestOfKeyStays(given({ compacted, sends, logs: [log("disk", 5, batch(0, ["a"])), before, log("fetch", 20, batch(2, ["c"]))] }))).toEqual([])
  expect(invariants(latestOfKeyStays(given({ compacted, sends: updates, logs: [log("disk", 3.9, batch(0, ["a", "b"]))] })))).toEqual(["L1"])
  expect(latestOfKeyStays(given({ compacted, sends: updates, logs: [log("disk", 3.2, batch(0, ["a", "b"]))] }))).toEqual([])
})
test("L3: a record with another key than it was sent with", () => {
  const one = (key: string) => given({ compacted, sends: [keyed("a", 0, 1, "k")], logs: [log("final", 9, batch(0, ["a"], { keys: [key] }))] })
  expect(noPhantom(one("k"))).toEqual([])
  expect(invariants(noPhantom(one("l")))).toEqual(["L3"])
})
test("L2: a record of a compacted log keeps its offset", () => {
  const moved = log("final", 9, batch(0, ["b", "c"], { lastOffset: 2 }))
  expect(invariants(oneValue(given({ compacted, sends: updates, logs: [moved] })))).toEqual(["L2"])
})
test("L5: offsets of a compacted log that do not rise, or are outside of their batch", () => {
  const wrong = [
    log("final", 9, batch(2, ["c"]), batch(1, ["b"])),
    log("final", 9, batch(0, ["b", "a"], { offsets: [1, 0] })),
    log("final", 9, batch(0, ["a"], { offsets: [3], lastOffset: 2 })),
    log("disk", 9, batch(0, ["a"], { lastOffset: -1 }))
  ]
  for (const one of wrong) expect(invariants(producerOrder(given({ compacted, logs: [one] })))).toEqual(["L5"])
  expect(
    producerOrder(given({ compacted, logs: [log("fetch", 9, batch(1, [], { lastOffset: 3 }), batch(6, ["a"], { offsets: [7], lastOffset: 8 }))] }))
  ).toEqual([])
})

test("L7: what was deleted is read afterwards", () => {
  const trims = [trimmed(2, ok(2), 5)]
  expect(invariants(startStays(given({ trims, logs: [log("fetch", 6, batch(0, ["a", "b"]))] })))).toEqual(["L7"])
  expect(invariants(startStays(given({ trims, polls: [polled("a", 0, { since: 6 })] })))).toEqual(["L7"])
  expect(startStays(given({ trims, logs: [log("fetch", 5, batch(0, ["a", "b"])), log("fetch", 6, batch(0, ["a", "b", "c"]))] }))).toEqual([])
  expect(startStays(given({ trims, logs: [log("disk", 6, batch(0, ["a", "b"]))], polls: [polled("a", 0, { since: 4 })] }))).toEqual([])
})
