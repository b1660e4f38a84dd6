import { describe, expect, test } from "bun:test"
import { HashMap } from "effect"
import { leaveErrors } from "../../../../domain/group/classic/leave.ts"
import { joinResponse, replacedResponse, syncResponse } from "../../../../domain/group/classic/response.ts"
import { phaseDeadline, sessionEnd, silenceMaxMs } from "../../../../domain/group/classic/session.ts"
import { member } from "../../../../domain/group/classic/state.ts"
import { Command } from "../../../../domain/group/command.ts"
import { defaults } from "../../../../domain/group/limits.ts"
import { beats, commits, complete, given, id, joins, leaves, orders, protocol, rejoins, stable, subscription, syncs } from "../given.ts"

const emptyGroup = given()

describe("JoinGroup", () => {
  test("the first member of a group waits for the initial delay, and another member that joins extends the delay", () => {
    const first = emptyGroup.after(joins("a", 0))
    expect(first.state).toMatchObject({ phase: "PreparingRebalance", generation: 0, protocolType: "consumer" })
    expect(phaseDeadline(first.state, 0)).toEqual({ _tag: "CompleteJoin", at: 3_000 })
    expect(first.tags(complete(2_999))).toEqual([])
    expect(first.tags(complete(3_000))).toEqual(["GenerationStarted"])
    const two = first.after(joins("b", 2_000))
    expect(two.tags(complete(3_000))).toEqual(["RebalanceExtended"])
    const later = two.after(complete(3_000))
    expect(phaseDeadline(later.state, 0)).toEqual({ _tag: "CompleteJoin", at: 6_000 })
    expect(later.tags(complete(6_000))).toEqual(["GenerationStarted"])
  })
  test("the initial delay is never longer than the rebalance timeout in all", () => {
    let given = emptyGroup.after(joins("a", 0, { rebalanceTimeoutMs: 7_000 }))
    const ends: Array<number> = []
    for (let i = 0; given.state.phase === "PreparingRebalance" && i < 10; i++) {
      const at = phaseDeadline(given.state, 0)?.at ?? 0
      ends.push(at)
      given = given.after(joins(`n${i}`, at - 1), complete(at))
    }
    // Three seconds, and four more that the timeout leaves: three and one.
    expect(ends).toEqual([3_000, 6_000, 7_000])
  })
  test("KIP-394: a member without an id is given one, which survives in the state, and the group waits for it", () => {
    const reserved = emptyGroup.after(joins("a", 0, { memberIdRequired: true }))
    expect(reserved.state.phase).toBe("Empty")
    expect(joinResponse(reserved.state, id("a"), null)).toMatchObject({ _tag: "MemberIdRequired", memberId: "a" })
    expect(reserved.tags(rejoins("a", 5, { memberIdRequired: true }))).toEqual(["RebalanceStarted", "MemberJoined"])
    expect(reserved.error(rejoins("never-given", 5))).toBe("UNKNOWN_MEMBER_ID")
    expect(silenceMaxMs(defaults, reserved.state, id("a"))).toBe(10_000)
    expect(reserved.tags(Command.ExpireMember({ groupId: orders, at: 10_000, memberId: id("a"), heardAt: 0 }))).toEqual(["MemberRemoved"])
    // During a rebalance, the group waits for a member that has its id and has not joined yet.
    const waiting = stable.after(rejoins("a", 10_000), joins("c", 10_001, { memberIdRequired: true }), rejoins("b", 10_002))
    expect(waiting.state.phase).toBe("PreparingRebalance")
    expect(waiting.after(rejoins("c", 10_003)).state).toMatchObject({ phase: "CompletingRebalance", generation: 2 })
    expect(waiting.after(leaves(10_003, "c")).state).toMatchObject({ phase: "CompletingRebalance", generation: 2 })
  })
  test("errors as Kafka's", () => {
    expect(emptyGroup.error(joins("a", 0, { groupId: "" as never }))).toBe("INVALID_GROUP_ID")
    expect(emptyGroup.error(joins("a", 0, { sessionTimeoutMs: 5_999 }))).toBe("INVALID_SESSION_TIMEOUT")
    expect(emptyGroup.error(joins("a", 0, { sessionTimeoutMs: 1_800_001 }))).toBe("INVALID_SESSION_TIMEOUT")
    expect(emptyGroup.error(rejoins("a", 0))).toBe("UNKNOWN_MEMBER_ID")
    expect(emptyGroup.error(joins("a", 0, { protocols: [] }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
    expect(emptyGroup.error(joins("a", 0, { protocolType: "" }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
    expect(stable.error(joins("c", 0, { protocolType: "connect" }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
    expect(stable.error(joins("c", 0, { protocols: [protocol("sticky", 1)] }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
    expect(stable.error(rejoins("c", 0))).toBe("UNKNOWN_MEMBER_ID")
    expect(given(stable.state, { ...defaults, groupSizeMax: 2 }).error(joins("c", 0))).toBe("GROUP_MAX_SIZE_REACHED")
    expect(given(stable.state, { ...defaults, groupSizeMax: 2 }).error(rejoins("a", 0))).toBe("allowed")
    expect(given(stable.state, { ...defaults, pendingMembersMax: 0 }).error(joins("c", 0, { memberIdRequired: true }))).toBe("GROUP_MAX_SIZE_REACHED")
  })
  test("in a stable group: the leader's join starts a rebalance; a follower's with the same metadata does not, with other metadata it does", () => {
    expect(stable.tags(rejoins("b", 9))).toEqual([])
    expect(joinResponse(stable.state, id("b"), null)).toMatchObject({ _tag: "Joined", generation: 1, leader: "a", members: [] })
    expect(stable.tags(rejoins("a", 9))).toEqual(["RebalanceStarted", "MemberRejoined"])
    expect(stable.tags(rejoins("b", 9, { protocols: [protocol("range", 7)] }))).toEqual(["RebalanceStarted", "MemberRejoined"])
  })
  test("while the leader computes: the same metadata gets the generation again, with every member for the leader; other metadata starts a rebalance", () => {
    const completing = stable.after(rejoins("a", 9), rejoins("b", 10))
    expect(completing.state.phase).toBe("CompletingRebalance")
    // No member has an assignment of the generation before.
    expect(member(completing.state, id("a"))?.assignment.length).toBe(0)
    expect(completing.tags(rejoins("a", 11))).toEqual([])
    expect(joinResponse(completing.state, id("a"), null)).toMatchObject({ _tag: "Joined", generation: 2, members: [{ memberId: "a" }, { memberId: "b" }] })
    expect(completing.tags(rejoins("b", 11, { protocols: [protocol("range", 7)] }))).toEqual(["RebalanceStarted", "MemberRejoined"])
  })
  test("a rebalance completes when all members have rejoined, or at the rebalance timeout without the others", () => {
    const open = stable.after(rejoins("a", 10_000))
    expect(joinResponse(open.state, id("a"), null)._tag).toBe("Wait")
    expect(joinResponse(open.state, id("b"), null)).toMatchObject({ _tag: "Refused", error: "REBALANCE_IN_PROGRESS" })
    expect(open.tags(rejoins("b", 11_000))).toEqual(["MemberRejoined", "GenerationStarted"])
    expect(open.tags(rejoins("a", 11_000))).toEqual([])
    expect(phaseDeadline(open.state, 0)).toEqual({ _tag: "CompleteJoin", at: 70_000 })
    // A coordinator that loaded the group at 50,000 gives the members their full timeout.
    expect(phaseDeadline(open.state, 50_000)).toEqual({ _tag: "CompleteJoin", at: 110_000 })
    expect(open.tags(complete(69_999))).toEqual([])
    const [removed, started] = open.events(complete(70_000))
    expect(removed).toMatchObject({ _tag: "MemberRemoved", memberId: "b", reason: "did not rejoin" })
    expect(started).toMatchObject({ _tag: "GenerationStarted", generation: 2, leader: "a", protocolName: "range" })
  })
  test("the assignor with the most votes, of those that all members support", () => {
    const both = (first: string, second: string) => ({ protocols: [protocol(first, 1), protocol(second, 2)] })
    const three = emptyGroup.after(
      joins("a", 0, both("range", "roundrobin")),
      joins("b", 1, both("roundrobin", "range")),
      joins("c", 2, { protocols: [protocol("sticky"), protocol("roundrobin", 5), protocol("range", 6)] }),
      complete(3_000),
      complete(6_000)
    )
    expect(three.state.protocolName).toBe("roundrobin")
    expect(joinResponse(three.state, id("a"), null)).toMatchObject({
      members: [{ metadata: Uint8Array.of(2) }, { metadata: Uint8Array.of(1) }, { metadata: Uint8Array.of(5) }]
    })
    // A protocol that is listed twice counts once.
    expect(emptyGroup.after(joins("a", 0, { protocols: [protocol("range", 1), protocol("range", 2)] })).error(joins("b", 1))).toBe("allowed")
  })
  test("a new leader is elected among the members that rejoined", () => {
    const open = stable.after(rejoins("b", 10_000, { protocols: [protocol("range", 9)] }))
    expect(open.after(complete(70_000)).state).toMatchObject({ leader: "b", generation: 2 })
    expect(open.after(leaves(11_000, "a")).state).toMatchObject({ leader: "b", generation: 2, phase: "CompletingRebalance" })
  })
  test("5,000 members join one rebalance and get their generation", () => {
    const given = emptyGroup.after(...Array.from({ length: 5_000 }, (_, i) => joins(`m${i}`, i)), complete(100_000), complete(200_000))
    expect(given.state).toMatchObject({ phase: "CompletingRebalance", generation: 1, joinedCount: 0, unsyncedCount: 5_000 })
  })
})

describe("SyncGroup", () => {
  const completing = emptyGroup.after(joins("a", 0), joins("b", 1), complete(3_000), complete(6_000))
  test("followers wait for the leader's assignments; a member without one gets an empty one; unknown members are dropped", () => {
    const waiting = completing.after(syncs("b", 1, 6_001))
    expect(syncResponse(waiting.state, id("b"), null, 1)._tag).toBe("Wait")
    const assigned = waiting.after(syncs("a", 1, 6_002, { a: 7, stranger: 8 }))
    expect(assigned.state).toMatchObject({ phase: "Stable", wait: null })
    expect(syncResponse(assigned.state, id("a"), null, 1)).toMatchObject({ _tag: "Assigned", assignment: Uint8Array.of(7), protocolName: "range" })
    expect(syncResponse(assigned.state, id("b"), null, 1)).toMatchObject({ _tag: "Assigned", assignment: new Uint8Array(0) })
    expect(member(assigned.state, id("stranger"))).toBeUndefined()
  })
  test("errors as Kafka's", () => {
    expect(emptyGroup.error(syncs("a", 1, 0))).toBe("UNKNOWN_MEMBER_ID")
    expect(completing.error(syncs("x", 1, 0))).toBe("UNKNOWN_MEMBER_ID")
    expect(completing.error(syncs("a", 0, 0))).toBe("ILLEGAL_GENERATION")
    expect(stable.after(rejoins("a", 9)).error(syncs("b", 1, 0))).toBe("REBALANCE_IN_PROGRESS")
    const other = { groupId: orders, at: 0, memberId: id("a"), instanceId: null, generation: 1, assignments: [] }
    expect(completing.error(Command.Sync({ ...other, protocolType: "connect", protocolName: null }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
    expect(completing.error(Command.Sync({ ...other, protocolType: "consumer", protocolName: "sticky" }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
  })
  test("a rebalance that starts while members wait for their assignment makes them rejoin", () => {
    const interrupted = completing.after(syncs("b", 1, 6_001), joins("c", 6_002))
    expect(syncResponse(interrupted.state, id("b"), null, 1)).toMatchObject({ _tag: "Refused", error: "REBALANCE_IN_PROGRESS" })
  })
  test("a member that does not sync in time is removed, and the others rejoin; in a stable group, too", () => {
    const expire = (at: number) => Command.ExpireSync({ groupId: orders, at, generation: 1 })
    expect(phaseDeadline(completing.state, 0)).toEqual({ _tag: "ExpireSync", at: 66_000, generation: 1 })
    const noLeader = completing.after(syncs("b", 1, 6_001))
    expect(noLeader.tags(expire(65_999))).toEqual([])
    expect(noLeader.events(expire(66_000))).toMatchObject([{ _tag: "MemberRemoved", memberId: "a", reason: "did not sync" }, { _tag: "RebalanceStarted" }])
    const noFollower = completing.after(syncs("a", 1, 6_001, { a: 1 }))
    expect(noFollower.state.phase).toBe("Stable")
    expect(noFollower.tags(expire(66_000))).toEqual(["MemberRemoved", "RebalanceStarted"])
    expect(stable.tags(expire(66_000))).toEqual([])
    expect(completing.after(expire(66_000)).state).toMatchObject({ phase: "Empty", generation: 2 })
  })
})

describe("Heartbeat and sessions", () => {
  test("errors as Kafka's", () => {
    expect(stable.error(beats("a", 1))).toBe("allowed")
    expect(stable.error(beats("a", 2))).toBe("ILLEGAL_GENERATION")
    expect(stable.error(beats("x", 1))).toBe("UNKNOWN_MEMBER_ID")
    expect(emptyGroup.error(beats("x", 1))).toBe("UNKNOWN_MEMBER_ID")
    expect(stable.after(rejoins("a", 9)).error(beats("b", 1))).toBe("REBALANCE_IN_PROGRESS")
    expect(stable.after(rejoins("a", 9), rejoins("b", 9)).error(beats("b", 2))).toBe("allowed")
  })
  const expire = (who: string, heardAt: number, at: number) => Command.ExpireMember({ groupId: orders, at, memberId: id(who), heardAt })
  test("a silent member is removed and the group rebalances; one that sent a heartbeat, or waits for a response, stays", () => {
    expect(stable.tags(expire("b", 10_000, 19_999))).toEqual([])
    expect(stable.events(expire("b", 10_000, 20_000))).toMatchObject([{ memberId: "b", reason: "session expired" }, { _tag: "RebalanceStarted" }])
    const open = stable.after(rejoins("a", 10_000))
    expect(silenceMaxMs(defaults, open.state, id("a"))).toBeNull()
    expect(open.tags(expire("a", 0, 99_999_999))).toEqual([])
    expect(open.tags(expire("b", 10_000, 20_000))).toEqual(["MemberRemoved", "GenerationStarted"])
    expect(stable.after(expire("a", 0, 20_000), expire("b", 0, 20_000)).state).toMatchObject({ phase: "Empty", generation: 2 })
  })
  test("a member that waited for a response longer than its session timeout has a full session after the response", () => {
    const open = stable.after(rejoins("a", 10_000))
    const completing = open.after(rejoins("b", 50_000))
    expect(sessionEnd(defaults, completing.state, id("a"), 10_000)).toBe(60_000)
    expect(completing.tags(expire("a", 10_000, 59_999))).toEqual([])
    expect(completing.tags(expire("a", 10_000, 60_000))).toEqual(["MemberRemoved", "RebalanceStarted"])
    // B has asked for its assignment and waits; A, which is to give it, is late; then B must join again.
    const waiting = completing.after(syncs("b", 2, 50_001))
    expect(sessionEnd(defaults, waiting.state, id("b"), 50_001)).toBeNull()
    const again = waiting.after(joins("c", 90_000))
    expect(sessionEnd(defaults, again.state, id("b"), 50_001)).toBe(100_000)
    expect(sessionEnd(defaults, waiting.after(syncs("a", 2, 90_000)).state, id("b"), 50_001)).toBe(100_000)
    // In a stable group no member waits: a rebalance gives no silent member more time.
    expect(sessionEnd(defaults, open.state, id("b"), 6_002)).toBe(16_002)
  })
  test("a member that waits in its first rebalance is kept for five minutes", () => {
    const open = stable.after(joins("c", 10_000))
    expect(silenceMaxMs(defaults, open.state, id("c"))).toBe(300_000)
    expect(open.tags(expire("c", 10_000, 310_000))).toEqual(["MemberRemoved"])
  })
})

describe("LeaveGroup", () => {
  const leaveAll = (...members: ReadonlyArray<readonly [memberId: string, instanceId: string | null]>) =>
    Command.Leave({ groupId: orders, at: 9, members: members.map(([memberId, instanceId]) => ({ memberId: id(memberId), instanceId })) })
  test("each member gets its own result, and the group rebalances once", () => {
    const group = emptyGroup.after(joins("s-1", 0, { instanceId: "s" }), joins("a", 1), joins("b", 2), complete(3_000), complete(6_000))
    const command = leaveAll(["", "s"], ["a", null], ["a", null], ["x", null], ["", "none"], ["", null])
    const events = group.events(command)
    expect(events.map((event) => event._tag)).toEqual(["MemberRemoved", "MemberRemoved", "RebalanceStarted"])
    const after = group.after(command).state
    const asked = command._tag === "Leave" ? command.members : []
    expect(leaveErrors(after, events, asked)).toEqual(["NONE", "NONE", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID", "UNKNOWN_MEMBER_ID"])
    const fenced = leaveAll(["old", "s"])
    expect(leaveErrors(group.state, group.events(fenced), fenced._tag === "Leave" ? fenced.members : [])).toEqual(["FENCED_INSTANCE_ID"])
  })
  test("the last member leaves the group Empty, with its offsets", () => {
    const empty = stable.after(commits("a", 1, 42, 7_000), leaves(8_000, "a", "b"))
    expect(empty.state).toMatchObject({ phase: "Empty", generation: 2, leader: null, protocolName: null, protocolType: "consumer" })
    expect(HashMap.size(empty.state.offsets)).toBe(1)
    expect(emptyGroup.error(leaves(0, "a"))).toBe("UNKNOWN_MEMBER_ID")
  })
})

describe("static members (KIP-345)", () => {
  const s = { instanceId: "s" }
  const pair = emptyGroup.after(
    joins("s-1", 0, s),
    joins("b", 1),
    complete(3_000),
    complete(6_000),
    syncs("s-1", 1, 6_001, { "s-1": 1, b: 2 }, "s"),
    syncs("b", 1, 6_002)
  )
  test("one that restarts without its id replaces its earlier id without a rebalance, and fences it", () => {
    const back = pair.after(joins("s-2", 7_000, s))
    expect(pair.tags(joins("s-2", 7_000, s))).toEqual(["MemberReplaced"])
    expect(back.state).toMatchObject({ phase: "Stable", generation: 1 })
    expect(syncResponse(back.state, id("s-2"), "s", 1)).toMatchObject({ _tag: "Assigned", assignment: Uint8Array.of(1) })
    expect(back.error(beats("s-1", 1, "s"))).toBe("FENCED_INSTANCE_ID")
    expect(back.error(beats("s-1", 1))).toBe("UNKNOWN_MEMBER_ID")
    expect(back.error(rejoins("s-1", 9, s))).toBe("FENCED_INSTANCE_ID")
    expect(back.error(syncs("s-1", 1, 9, {}, "s"))).toBe("FENCED_INSTANCE_ID")
    expect(back.error(commits("s-1", 1, 5, 9, s))).toBe("FENCED_INSTANCE_ID")
    expect(back.error(beats("s-2", 1, "s"))).toBe("allowed")
    expect(back.error(beats("s-2", 1, "other"))).toBe("UNKNOWN_MEMBER_ID")
  })
  test("a leader that restarts gets SkipAssignment, or, before JoinGroup 9, its old member id as the leader", () => {
    const { state: group } = pair.after(joins("s-2", 7_000, s))
    expect(group.leader).toBe(id("s-2"))
    expect(replacedResponse(group, id("s-2"), id("s-1"), true)).toMatchObject({
      leader: "s-2",
      skipAssignment: true,
      members: [{ memberId: "b" }, { memberId: "s-2" }]
    })
    expect(replacedResponse(group, id("s-2"), id("s-1"), false)).toMatchObject({ leader: "s-1", skipAssignment: false, members: [] })
  })
  test("a consumer that subscribes to other topics makes the group rebalance, one with other user data does not", () => {
    const wants = (...topics: ReadonlyArray<string>) => ({ ...s, protocols: [protocol("range", ...subscription(...topics))] })
    const one = emptyGroup.after(joins("s-1", 0, wants("t", "u")), complete(3_000), syncs("s-1", 1, 3_001, {}, "s"))
    expect(one.tags(joins("s-2", 7_000, wants("u", "t")))).toEqual(["MemberReplaced"])
    expect(one.tags(joins("s-2", 7_000, wants("t", "v")))).toEqual(["MemberReplaced", "RebalanceStarted", "MemberRejoined", "GenerationStarted"])
    expect(one.tags(joins("s-2", 7_000, { ...s, protocols: [protocol("range", ...subscription("t", "u"), 9)] }))).toEqual(["MemberReplaced"])
  })
  test("with another assignor, or while the leader computes, every member rejoins", () => {
    const two = { protocols: [protocol("sticky", 1), protocol("range", 1)] }
    const open = emptyGroup.after(joins("s-1", 0, { ...s, ...two }), complete(3_000), syncs("s-1", 1, 3_001, {}, "s"))
    expect(open.state.protocolName).toBe("sticky")
    expect(open.tags(joins("s-2", 7_000, s))).toEqual(["MemberReplaced", "RebalanceStarted", "MemberRejoined", "GenerationStarted"])
    const completing = pair.after(rejoins("s-1", 7_000, s), rejoins("b", 7_001))
    expect(completing.tags(joins("s-2", 7_002, s))).toEqual(["MemberReplaced", "RebalanceStarted", "MemberRejoined"])
    const preparing = pair.after(rejoins("s-1", 7_000, s))
    expect(preparing.tags(joins("s-2", 7_002, s))).toEqual(["MemberReplaced", "MemberRejoined"])
    expect(preparing.after(joins("s-2", 7_002, s)).tags(rejoins("b", 7_003))).toEqual(["MemberRejoined", "GenerationStarted"])
  })
  test("a silent member stays in the group after a rebalance without it, until its session or the sync timeout expires", () => {
    const without = pair.after(rejoins("b", 7_000, { protocols: [protocol("range", 3)] }), complete(67_000))
    expect(without.state).toMatchObject({ phase: "CompletingRebalance", generation: 2, leader: "b" })
    expect(member(without.state, id("s-1"))).toBeDefined()
    const alone = emptyGroup.after(joins("s-1", 0, s), complete(3_000), syncs("s-1", 1, 3_001, {}, "s"), joins("c", 4_000), leaves(5_000, "c"))
    expect(alone.state.phase).toBe("PreparingRebalance")
    expect(alone.tags(complete(64_000))).toEqual(["RebalanceExtended"])
    expect(alone.tags(Command.ExpireMember({ groupId: orders, at: 64_000, memberId: id("s-1"), heardAt: 3_001 }))).toEqual(["MemberRemoved", "GroupEmptied"])
  })
})
