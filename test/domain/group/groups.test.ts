import { describe, expect, test } from "bun:test"
import { Either, Schema } from "effect"
import type { Command } from "../../../domain/group/command.ts"
import { type Groups, GroupsState, groupOf, groupsDecider, noGroups, sortedGroups, streamOf } from "../../../domain/group/groups.ts"
import { groupId } from "../../../domain/group/id.ts"
import { defaults, limitsOf } from "../../../domain/group/limits.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { fold } from "../../../domain/kernel/decider.ts"
import { commits, complete, joins, leaves, syncs } from "./given.ts"

const { decide, evolve } = groupsDecider(defaults)
const after = (groups: Groups, ...commands: ReadonlyArray<Command>): Groups =>
  commands.reduce((state, command) => fold(evolve, state, Either.getOrThrow(decide(state, command))), groups)
const [a, b] = [groupId("a"), groupId("b")]
const at = (id: typeof a, command: Command): Command => ({ ...command, groupId: id })

describe("the groups of one stream", () => {
  const both = after(
    noGroups,
    at(a, joins("m", 0)),
    at(b, joins("n", 0)),
    at(a, complete(3_000)),
    at(a, syncs("m", 1, 3_001)),
    at(a, commits("m", 1, 7, 3_002))
  )
  test("each group decides independently", () => {
    expect(sortedGroups(both).map(({ groupId, phase }) => [groupId, phase])).toEqual([
      [a, "Stable"],
      [b, "PreparingRebalance"]
    ])
    expect(groupOf(both, groupId("none")).phase).toBe("Dead")
  })
  test("M2: a snapshot of all of them restores them", () => {
    const json = JSON.stringify(Schema.encodeSync(GroupsState)(both))
    const restored = Schema.decodeSync(GroupsState)(JSON.parse(json))
    expect(JSON.stringify(Schema.encodeSync(GroupsState)(restored))).toBe(json)
    expect([...restored].length).toBe(2)
  })
  test("a deleted group leaves no state", () => {
    const empty = after(both, at(a, leaves(4_000, "m")))
    const deleted = after(empty, { _tag: "DeleteGroup", groupId: a, at: 5_000 })
    expect(sortedGroups(deleted).map(({ groupId }) => groupId)).toEqual([b])
  })
  test("a group's stream is found by Java's hash of its name", () => {
    // "test-group".hashCode() is 627841412, "polygenelubricants".hashCode() is -2147483648.
    expect(streamOf(groupId("test-group"), 50)).toBe(627841412 % 50)
    expect(streamOf(groupId("polygenelubricants"), 50)).toBe(0)
    expect(streamOf(groupId(""), 50)).toBe(0)
  })
  test("limits follow the configuration by Kafka's names", () => {
    expect(limitsOf(defaultNodeConfig)).toEqual(defaults)
    expect(limitsOf({ ...defaultNodeConfig, "offsets.retention.minutes": 2, "group.max.size": 5 })).toMatchObject({
      offsetsRetentionMs: 120_000,
      groupSizeMax: 5
    })
  })
})
