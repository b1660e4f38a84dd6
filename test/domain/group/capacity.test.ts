import { describe, expect, setDefaultTimeout, test } from "bun:test"
import { Either, Schema } from "effect"
import fc from "fast-check"
import { sortedMembers } from "../../../domain/group/classic/state.ts"
import { Command } from "../../../domain/group/command.ts"
import { decide } from "../../../domain/group/decide.ts"
import { evolve } from "../../../domain/group/evolve.ts"
import { type Groups, GroupsState, groupsDecider, noGroups } from "../../../domain/group/groups.ts"
import { groupId, memberId } from "../../../domain/group/id.ts"
import { defaults, type Limits } from "../../../domain/group/limits.ts"
import { groupBytes } from "../../../domain/group/size.ts"
import { type Group, initial } from "../../../domain/group/state.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { commits, complete, joins, protocol, syncs, topic } from "./given.ts"

// The test computes and does not wait: on a busy machine it needs more time.
setDefaultTimeout(120_000)

const limits: Limits = { ...defaults, nameMax: 20, groupBytesMax: 8_000, groupsMax: 5, groupsBytesMax: 24_000, initialRebalanceDelayMs: 0 }
const { decide: decideAll, evolve: evolveAll } = groupsDecider(limits)
const refusal = (group: Group, command: Command): string =>
  Either.match(decide(limits)(group, command), { onLeft: ({ error }) => error, onRight: () => "done" })
const after = (group: Group, ...commands: ReadonlyArray<Command>): Group =>
  commands.reduce((state, command) => fold(evolve, state, Either.getOrThrow(decide(limits)(state, command))), group)
const text = (length: number): string => "x".repeat(length)
const bytes = (length: number): ReadonlyArray<number> => Array.from({ length }, () => 1)

describe("names", () => {
  test.each([
    ["a new group's", joins("m", 0, { groupId: groupId(text(21)) }), "INVALID_GROUP_ID"],
    ["a new group's, by a commit", { ...commits("", -1, 1, 0), groupId: groupId(text(21)) } as Command, "INVALID_GROUP_ID"],
    ["a static member's", joins("m", 0, { instanceId: text(21) }), "INVALID_REQUEST"],
    ["an assignor's", joins("m", 0, { protocols: [protocol(text(21))] }), "INCONSISTENT_GROUP_PROTOCOL"],
    ["a kind's", joins("m", 0, { protocolType: text(21) }), "INCONSISTENT_GROUP_PROTOCOL"]
  ])("%s that is too long: %3$s", (_, command, error) => expect(refusal(initial, command)).toBe(error))
  test("a client id and a join reason are truncated", () => {
    const group = after(initial, joins("m", 0, { clientId: text(32_000), reason: text(32_000) }))
    expect(sortedMembers(group)[0]?.clientId).toBe(text(20))
    const [, started] = Either.getOrThrow(decide(limits)(initial, joins("m", 0, { reason: text(32_000) })))
    expect(JSON.stringify(started).length).toBeLessThan(600)
  })
  test("given a group whose longer name an older version accepted, then it continues", () => {
    const long = groupId(text(300))
    const group = after(initial, joins("m", 0), complete(60_000))
    const old = { ...group, groupId: long }
    expect(refusal(old, joins("n", 1, { groupId: long }))).toBe("done")
  })
})

describe("one group", () => {
  test("a member over the bound is refused, and the others continue", () => {
    const one = after(initial, joins("m", 0, { protocols: [protocol("range", ...bytes(4_000))] }))
    expect(refusal(one, joins("n", 1, { protocols: [protocol("range", ...bytes(4_000))] }))).toBe("GROUP_MAX_SIZE_REACHED")
    expect(refusal(one, joins("n", 1))).toBe("done")
    expect(refusal(one, joins("x", 1, { memberId: memberId("m"), protocols: [protocol("range", ...bytes(9_000))] }))).toBe("GROUP_MAX_SIZE_REACHED")
  })
  test("assignments over the bound are refused", () => {
    const joined = after(initial, joins("m", 0), complete(60_000))
    const sync = syncs("m", 1, 60_001, { m: 1 }) as Extract<Command, { _tag: "Sync" }>
    expect(refusal(joined, Command.Sync({ ...sync, assignments: [{ memberId: memberId("m"), assignment: new Uint8Array(9_000) }] }))).toBe("INVALID_REQUEST")
    expect(refusal(joined, sync)).toBe("done")
  })
  test("offsets over the bound are refused with INVALID_COMMIT_OFFSET_SIZE; those that replace others are accepted", () => {
    const offsets = (count: number) =>
      (commits("", -1, 1, 0) as Extract<Command, { _tag: "CommitOffsets" }>).offsets.flatMap((one) =>
        Array.from({ length: count }, (_, partition) => ({ ...one, partition }))
      )
    const commit = (count: number) =>
      Command.CommitOffsets({ ...(commits("", -1, 1, 0) as Extract<Command, { _tag: "CommitOffsets" }>), offsets: offsets(count) })
    expect(refusal(initial, commit(100))).toBe("INVALID_COMMIT_OFFSET_SIZE")
    const full = after(initial, commit(34))
    expect([refusal(full, commit(34)), refusal(full, commit(40))]).toEqual(["done", "INVALID_COMMIT_OFFSET_SIZE"])
  })
})

const name = fc.integer({ min: 0, max: 9 }).map((n) => groupId(`g${n}`))
const size = fc.integer({ min: 0, max: 9_000 })
type Step = (groups: Groups, at: number) => Command
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(name, size, fc.boolean(), fc.nat(5)).map(
    ([id, metadata, isRequired, again]): Step =>
      (groups, at) => {
        const member = sortedMembers(groups.get(id))[again]
        const protocols = [protocol("range", ...bytes(metadata))]
        return joins(`m${at}`, at, { groupId: id, memberIdRequired: isRequired, protocols, ...(member === undefined ? {} : { memberId: member.memberId }) })
      }
  ),
  fc.tuple(name, size).map(
    ([id, assignment]): Step =>
      (groups, at) => {
        const { generation, leader } = groups.get(id)
        const asked = syncs(leader ?? "", generation, at) as Extract<Command, { _tag: "Sync" }>
        return Command.Sync({ ...asked, groupId: id, assignments: leader === null ? [] : [{ memberId: leader, assignment: new Uint8Array(assignment) }] })
      }
  ),
  fc.tuple(name, fc.integer({ min: 1, max: 60 })).map(
    ([id, count]): Step =>
      (groups, at) => {
        const one = commits("", -1, 1, at) as Extract<Command, { _tag: "CommitOffsets" }>
        const [offset] = one.offsets
        const { generation, leader } = groups.get(id)
        const who = leader === null ? {} : { memberId: leader, generation }
        const offsets = offset === undefined ? [] : Array.from({ length: count }, (_, partition) => ({ ...offset, topic: topic(`t${at % 3}`), partition }))
        return Command.CommitOffsets({ ...one, ...who, groupId: id, offsets })
      }
  ),
  name.map(
    (id): Step =>
      (_, at) =>
        Command.CompleteJoin({ groupId: id, at: at + 600_000 })
  ),
  fc.tuple(name, fc.nat(5)).map(
    ([id, who]): Step =>
      (groups, at) => {
        const member = sortedMembers(groups.get(id))[who]
        return Command.Leave({ groupId: id, at, members: [{ memberId: member?.memberId ?? memberId(""), instanceId: null }] })
      }
  ),
  name.map(
    (id): Step =>
      (_, at) =>
        Command.ExpireOffsets({ groupId: id, at })
  )
)

describe("all groups of a node, under any commands", () => {
  test("the count equals the groups' memory, and neither a group nor all of them exceed their bound", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
        let groups = noGroups
        for (const [at, next] of steps.entries()) {
          groups = fold(
            evolveAll,
            groups,
            Either.getOrElse(decideAll(groups, next(groups, 1_000 * at)), () => [])
          )
          const all = [...groups].map(([, group]) => groupBytes(group))
          expect(groups.load).toEqual({ groups: all.length, bytes: all.reduce((sum, each) => sum + each, 0) })
          expect(Math.max(0, ...all)).toBeLessThanOrEqual(limits.groupBytesMax)
          expect([groups.load.groups <= limits.groupsMax, groups.load.bytes <= limits.groupsBytesMax]).toEqual([true, true])
        }
        const restored = Schema.decodeSync(GroupsState)(JSON.parse(JSON.stringify(Schema.encodeSync(GroupsState)(groups))))
        expect(restored.load).toEqual(groups.load)
      }),
      { numRuns: 200 }
    )
  })
  test("at the bound, a client gets a retriable error; a new group gets it earlier than an existing one", () => {
    const member = (n: number) => joins(`m${n}`, 0, { groupId: groupId(`g${n}`), protocols: [protocol("range", ...bytes(4_000))] })
    const filled = [0, 1, 2].reduce((groups, n) => fold(evolveAll, groups, Either.getOrThrow(decideAll(groups, member(n)))), noGroups)
    const error = (command: Command) => Either.match(decideAll(filled, command), { onLeft: ({ error }) => error, onRight: () => "done" })
    expect([error(member(3)), error(joins("n", 1, { groupId: groupId("g0"), protocols: [protocol("range", ...bytes(1_000))] }))]).toEqual([
      "COORDINATOR_NOT_AVAILABLE",
      "done"
    ])
  })
  test("the memory of other streams counts, too", () => {
    const crowded = groupsDecider(limits, () => ({ groups: limits.groupsMax, bytes: 0 }))
    expect(Either.match(crowded.decide(noGroups, joins("m", 0)), { onLeft: ({ error }) => error, onRight: () => "done" })).toBe("COORDINATOR_NOT_AVAILABLE")
  })
})
