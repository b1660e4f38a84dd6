import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { Either, Schema } from "effect"
import fc from "fast-check"
import { Event } from "../../../domain/group/event.ts"
import { type Groups, GroupsState, groupsDecider, noGroups } from "../../../domain/group/groups.ts"
import { defaults } from "../../../domain/group/limits.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { decodeEvents, encodeEvents } from "../../../domain/kernel/decode-events.ts"

const linesOf = (name: string): ReadonlyArray<string> =>
  readFileSync(new URL(`./data/${name}`, import.meta.url), "utf8")
    .split("\n")
    .filter((line) => line !== "")

/** A journal and snapshots of the version whose groups had no type, see data/README.md. */
const journal = linesOf("journal-of-classic-groups.jsonl")
interface Saved {
  readonly after: number
  readonly state: { readonly v: number; readonly groups: ReadonlyArray<object> }
}
const snapshots = linesOf("snapshots-of-classic-groups.jsonl").map((line) => JSON.parse(line) as Saved)

const { evolve } = groupsDecider(defaults)
const quickly = decodeEvents(Event)
const bySchema = Schema.decodeUnknownEither(Event)
const read = (line: string): Event => Either.getOrThrow(quickly(JSON.parse(line)))
const encode = Schema.encodeSync(GroupsState)
const decode = Schema.decodeUnknownSync(GroupsState)
const events = journal.map(read)
const stateAt = (count: number): Groups => fold(evolve, noGroups, events.slice(0, count))

test("given a journal without types, when it is read, then every event matches the schema, and is encoded again unchanged", () => {
  const write = encodeEvents(Event)
  for (const [at, line] of journal.entries()) {
    expect(Either.getOrThrow(bySchema(JSON.parse(line)))).toEqual(events[at] as Event)
    expect(JSON.stringify({ _tag: events[at]?._tag, ...write(events[at] as Event) })).toBe(line)
  }
  expect(new Set(events.map(({ _tag }) => _tag)).size).toBe(15)
})
test("given its snapshots, then each is read as the fold of its events: a missing type is classic", () => {
  for (const { after, state } of snapshots) {
    const groups = state.groups.map((group) => ({ ...group, type: "classic" }))
    expect(encode(stateAt(after)) as unknown).toEqual({ ...state, groups })
    expect(encode(decode(state))).toEqual(encode(stateAt(after)))
  }
})
test("M2: a snapshot and the events after it lead to what all events lead to, for any first and last event that a node reads", () => {
  fc.assert(
    fc.property(fc.nat(snapshots.length - 1), fc.nat(events.length), (nth, length) => {
      const { after, state } = snapshots[nth] as Saved
      const end = Math.max(after, length)
      expect(encode(fold(evolve, decode(state), events.slice(after, end)))).toEqual(encode(stateAt(end)))
    }),
    { numRuns: 100 }
  )
})
test("a group and its snapshot say of which type they are", () => {
  const [created] = events
  expect([created?._tag, created !== undefined && "type" in created && created.type !== undefined]).toEqual(["GroupCreated", false])
  expect(Array.from(stateAt(40).values(), ({ type }) => type)).toContain("classic")
  expect(Either.isLeft(quickly({ ...JSON.parse(journal[0] as string), type: "unheard of" }))).toBe(true)
})
