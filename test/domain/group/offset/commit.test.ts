import { describe, expect, test } from "bun:test"
import { HashMap } from "effect"
import { subscribedTopics, subscriptionTopics } from "../../../../domain/group/classic/subscription.ts"
import { Command } from "../../../../domain/group/command.ts"
import { defaults } from "../../../../domain/group/limits.ts"
import { inUse, metadataTooLarge } from "../../../../domain/group/offset/commit.ts"
import { committed } from "../../../../domain/group/offset/committed.ts"
import { commits, complete, type GivenGroup, given, joins, leaves, orders, protocol, rejoins, stable, subscription, syncs, topic } from "../given.ts"

const emptyGroup = given()
const read = (given: GivenGroup, name = "t", partition = 0) => committed(given.state.offsets, topic(name), partition)?.offset
const day = 24 * 60 * 60 * 1_000
describe("OffsetCommit", () => {
  test("G3: from a member of the current generation, and from no other client while there are members", () => {
    expect(read(stable.after(commits("a", 1, 42, 9)))).toBe(42)
    expect(stable.error(commits("a", 2, 42, 9))).toBe("ILLEGAL_GENERATION")
    expect(stable.error(commits("a", 0, 42, 9))).toBe("ILLEGAL_GENERATION")
    expect(stable.error(commits("x", 1, 42, 9))).toBe("UNKNOWN_MEMBER_ID")
    expect(stable.error(commits("", -1, 42, 9))).toBe("UNKNOWN_MEMBER_ID")
    expect(stable.error(commits("a", -1, 42, 9))).toBe("ILLEGAL_GENERATION")
    // A member may still commit its offsets before it rejoins; after the next generation began, it must join that
    // first.
    const open = stable.after(rejoins("a", 9))
    expect(read(open.after(commits("b", 1, 43, 10)))).toBe(43)
    expect(open.after(rejoins("b", 11)).error(commits("b", 2, 44, 12))).toBe("REBALANCE_IN_PROGRESS")
    expect(open.after(rejoins("b", 11)).error(commits("b", 1, 44, 12))).toBe("ILLEGAL_GENERATION")
  })
  test("from outside: creates a group without members, and commits into it again", () => {
    expect(emptyGroup.tags(commits("", -1, 5, 1))).toEqual(["GroupCreated", "OffsetsCommitted"])
    const simple = emptyGroup.after(commits("", -1, 5, 1))
    expect(simple.state).toMatchObject({ phase: "Empty", protocolType: null })
    expect(read(simple.after(commits("", -1, 6, 2)))).toBe(6)
    expect(emptyGroup.error(commits("a", 0, 5, 1))).toBe("ILLEGAL_GENERATION")
    expect(read(stable.after(leaves(9, "a", "b"), commits("", -1, 7, 10)))).toBe(7)
    expect(stable.after(leaves(9, "a", "b")).error(commits("a", 1, 7, 10))).toBe("UNKNOWN_MEMBER_ID")
  })
  test("metadata that is too long: that partition is left out, the others are committed", () => {
    const place = { topic: topic("t"), offset: 1, leaderEpoch: -1, commitAt: 1, expiresAt: null, topicId: null }
    const offsets = [
      { ...place, partition: 0, metadata: "x".repeat(4096) },
      { ...place, partition: 1, metadata: "x".repeat(4097) }
    ]
    const given = emptyGroup.after(commits("", -1, 0, 1, { offsets }))
    expect([read(given, "t", 0), read(given, "t", 1)]).toEqual([1, undefined])
    expect(offsets.map((each) => metadataTooLarge(defaults, each))).toEqual([false, true])
    expect(emptyGroup.tags(commits("", -1, 0, 1, { offsets: offsets.slice(1) }))).toEqual([])
  })
})

describe("offset expiration and deletion", () => {
  const none = Command.ExpireOffsets({ groupId: orders, at: 7 * day - 1 })
  test("in a group without a protocol: offset retention after the commit; the group is deleted with its last offset", () => {
    const simple = emptyGroup.after(commits("", -1, 5, 0))
    expect(simple.tags(none)).toEqual([])
    expect(simple.tags(Command.ExpireOffsets({ groupId: orders, at: 7 * day }))).toEqual(["OffsetsRemoved", "GroupDeleted"])
    expect(simple.after(Command.ExpireOffsets({ groupId: orders, at: 7 * day })).state.phase).toBe("Dead")
  })
  test("in an Empty group: offset retention after its last member left", () => {
    const empty = stable.after(commits("a", 1, 5, 9_000), leaves(day, "a", "b"))
    expect(empty.tags(Command.ExpireOffsets({ groupId: orders, at: 8 * day - 1 }))).toEqual([])
    expect(empty.tags(Command.ExpireOffsets({ groupId: orders, at: 8 * day }))).toEqual(["OffsetsRemoved", "GroupDeleted"])
  })
  test("while there are members: only those of topics without subscribers; none where that cannot be known", () => {
    const at = (when: number) => Command.ExpireOffsets({ groupId: orders, at: when })
    const started = emptyGroup.after(joins("a", 0, { protocols: [protocol("range", ...subscription("t", "u"))] }), complete(3_000), syncs("a", 1, 3_001))
    expect(Array.from(subscribedTopics(started.state) ?? [])).toEqual(["t", "u"])
    const place = { leaderEpoch: -1, metadata: "", commitAt: 4_000, expiresAt: null, topicId: null, partition: 0, offset: 1 }
    const offsets = [
      { ...place, topic: topic("t") },
      { ...place, topic: topic("old") },
      { ...place, topic: topic("soon"), expiresAt: 5_000 }
    ]
    const given = started.after(commits("a", 1, 0, 4_000, { offsets }))
    expect(given.events(at(5_000))).toMatchObject([{ reason: "expired", removed: [{ topic: "soon", partitions: [0] }] }])
    expect(given.events(at(7 * day + 4_000))).toMatchObject([{ removed: [{ topic: "old" }, { topic: "soon" }] }])
    expect(stable.after(commits("a", 1, 5, 9_000)).tags(at(99 * day))).toEqual([])
  })
  test("with their topic, so that a new topic of that name starts without offsets", () => {
    const given = stable.after(commits("a", 1, 5, 9))
    const remove = Command.RemoveTopic({ groupId: orders, at: 10, topic: topic("t") })
    expect(given.events(remove)).toMatchObject([{ _tag: "OffsetsRemoved", reason: "topic removed", removed: [{ topic: "t", partitions: [0] }] }])
    expect(HashMap.isEmpty(given.after(remove).state.offsets)).toBe(true)
    expect(stable.tags(remove)).toEqual([])
  })
  test("by OffsetDelete: not those in use, and not in a group of another kind", () => {
    const partitions = [
      { topic: topic("t"), partitions: [0, 1] },
      { topic: topic("v"), partitions: [0] }
    ]
    const remove = Command.DeleteOffsets({ groupId: orders, at: 9, partitions })
    const more = { protocols: [protocol("range", ...subscription("v"))] }
    const active = emptyGroup.after(commits("", -1, 5, 0), joins("a", 0, more), complete(3_000), syncs("a", 1, 3_001))
    expect(Array.from(inUse(active.state, partitions))).toEqual(["v"])
    expect(active.events(remove)).toMatchObject([{ reason: "deleted", removed: [{ topic: "t", partitions: [0] }] }])
    expect(emptyGroup.error(remove)).toBe("GROUP_ID_NOT_FOUND")
    expect(emptyGroup.after(joins("a", 0, { protocolType: "connect" }), complete(3_000)).error(remove)).toBe("NON_EMPTY_GROUP")
  })
  test("with their group, when it has no members", () => {
    const remove = Command.DeleteGroup({ groupId: orders, at: 9 })
    expect(emptyGroup.error(remove)).toBe("GROUP_ID_NOT_FOUND")
    expect(stable.error(remove)).toBe("NON_EMPTY_GROUP")
    expect(stable.after(leaves(9, "a", "b")).tags(remove)).toEqual(["GroupDeleted"])
  })
})

describe("subscriptions", () => {
  test("topics are read from the part that all versions share; other bytes give null", () => {
    expect(subscriptionTopics(Uint8Array.from(subscription("a", "bc")))).toEqual(["a", "bc"])
    expect(subscriptionTopics(Uint8Array.of(0, 1, 0x7f, 0xff, 0xff, 0xff))).toBeNull()
    expect(subscriptionTopics(Uint8Array.of(1))).toBeNull()
    expect(subscriptionTopics(Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 9, 1))).toBeNull()
  })
})
