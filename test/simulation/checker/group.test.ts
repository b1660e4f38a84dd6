import { expect, test } from "bun:test"
import { encodeAssignment, encodeSubscription } from "../../../src/protocol/message/consumer-protocol.ts"
import type { Commit, History, JournalEvent, OffsetQuestion, Operation, Outcome } from "../history.ts"
import { event, given, invariants, ok, polled } from "./given.ts"
import { checkGroups, currentCommits, lastCommit, oneOwner } from "./group.ts"

const base64 = (bytes: Uint8Array): string => bytes.toBase64()
const partitions = new Map([["t", 2]])
const groupId = "g"

const joined = (memberId: string) => ({
  _tag: "MemberJoined",
  groupId,
  memberId,
  protocols: [{ name: "range", metadata: base64(encodeSubscription({ topics: ["t"], ownedPartitions: [] })) }]
})
const started = (generation: number) => ({ _tag: "GenerationStarted", groupId, generation, protocolName: "range", leader: "m1" })
const assigned = (generation: number, owners: Record<string, ReadonlyArray<number>>) => ({
  _tag: "AssignmentsSet",
  groupId,
  generation,
  assignments: Object.entries(owners).map(([memberId, owned]) => ({
    memberId,
    assignment: base64(encodeAssignment({ assignedPartitions: [{ topic: "t", partitions: [...owned] }] }))
  }))
})
const removed = (memberId: string) => ({ _tag: "MemberRemoved", groupId, memberId })
const committed = (memberId: string, generation: number, offset: number) => ({
  _tag: "OffsetsCommitted",
  groupId,
  memberId,
  generation,
  offsets: [{ topic: "t", partition: 0, offset }]
})
const journal = (events: ReadonlyArray<{ readonly _tag: string } & Record<string, unknown>>, more: Partial<History> = {}): History => {
  const list: ReadonlyArray<JournalEvent> = events.map((each, index) => event(index, each))
  return given({ partitions, journals: [{ at: 50, stream: "__group_metadata-0", events: list, snapshot: undefined }], ...more })
}
const two = [joined("m1"), joined("m2"), started(1)]
const stable = [...two, assigned(1, { m1: [0], m2: [1] })]

const commit = (
  memberId: string,
  generation: number,
  offset: number,
  invoked: number,
  completed: number,
  outcome: Outcome<void> = ok(undefined)
): Operation<Commit, void> => ({
  process: "member-1",
  input: { group: groupId, memberId, generation, topic: "t", partition: 0, offset },
  invoked,
  completed,
  outcome
})
const read = (value: number, invoked: number, completed: number): Operation<OffsetQuestion, number> => ({
  process: "auditor",
  input: { group: groupId, topic: "t", partition: 0 },
  invoked,
  completed,
  outcome: ok(value)
})

test("a group that shares, commits and reads passes", () => {
  const events = [...stable, committed("m1", 1, 5), removed("m2"), started(2), assigned(2, { m1: [0, 1] }), committed("m1", 2, 9)]
  const history = journal(events, {
    polls: [polled("a", 0), polled("b", 0, { partition: 1, memberId: "m2" }), polled("c", 1, { partition: 1, generation: 2 })],
    commits: [commit("m1", 1, 5, 1, 2), commit("m1", 2, 9, 5, 6)],
    offsetReads: [read(-1, 0, 1), read(5, 3, 4), read(9, 7, 8)]
  })
  expect(checkGroups(history)).toEqual([])
})

test("G1: a partition of two members, of none, or of a client that is no member", () => {
  expect(invariants(oneOwner(journal([...two, assigned(1, { m1: [0, 1], m2: [1] })])))).toEqual(["G1"])
  expect(invariants(oneOwner(journal([...two, assigned(1, { m1: [0] })])))).toEqual(["G1"])
  expect(invariants(oneOwner(journal([...two, assigned(1, { m1: [0], m3: [1] })])))).toEqual(["G1"])
})
test("G1: two members that read one partition within a generation", () => {
  expect(invariants(oneOwner(journal(stable, { polls: [polled("a", 0), polled("b", 1, { memberId: "m2" })] })))).toEqual(["G1"])
})

test("G3: a commit of an older generation, of an unknown member, or of none while there are members", () => {
  expect(invariants(currentCommits(journal([...stable, started(2), committed("m1", 1, 5)])))).toEqual(["G3"])
  expect(invariants(currentCommits(journal([...stable, removed("m2"), committed("m2", 1, 5)])))).toEqual(["G3"])
  expect(invariants(currentCommits(journal([...stable, committed("", -1, 5)])))).toEqual(["G3"])
  expect(currentCommits(journal([committed("", -1, 5)]))).toEqual([])
})
test("G3: a commit that was answered ok, and is not there or is another's", () => {
  expect(invariants(currentCommits(journal(stable, { commits: [commit("m1", 1, 5, 1, 2)] })))).toEqual(["G3"])
  expect(invariants(currentCommits(journal([...stable, committed("m2", 1, 5)], { commits: [commit("m1", 1, 5, 1, 2)] })))).toEqual(["G3"])
})

test("G4: an offset that was replaced before the question, or never committed", () => {
  const events = [...stable, committed("m1", 1, 5), committed("m1", 1, 9)]
  const commits = [commit("m1", 1, 5, 1, 2), commit("m1", 1, 9, 3, 4)]
  expect(invariants(lastCommit(journal(events, { commits, offsetReads: [read(5, 5, 6)] })))).toEqual(["G4"])
  expect(invariants(lastCommit(journal(events, { commits, offsetReads: [read(7, 5, 6)] })))).toEqual(["G4"])
  expect(invariants(lastCommit(journal(events, { commits, offsetReads: [read(-1, 5, 6)] })))).toEqual(["G4"])
})
test("G4: while a commit is under way either value is right, but no reader goes back", () => {
  const events = [...stable, committed("m1", 1, 5), committed("m1", 1, 9)]
  const commits = [commit("m1", 1, 5, 1, 2), commit("m1", 1, 9, 3, 10)]
  expect(lastCommit(journal(events, { commits, offsetReads: [read(5, 4, 5), read(9, 6, 7)] }))).toEqual([])
  expect(invariants(lastCommit(journal(events, { commits, offsetReads: [read(9, 4, 5), read(5, 6, 7)] })))).toEqual(["G4"])
})
