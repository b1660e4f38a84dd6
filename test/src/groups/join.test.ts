import { describe, expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { SyncGroup } from "../../../src/protocol/message/14-sync-group.ts"
import { bytes, text, World, wrong } from "./support.ts"

describe("a round", () => {
  test("a lone member of a group that need not wait is in at once: no time passes", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one")
        const before = world.now
        expect(yield* one.enter()).toBe(`for ${one.memberId}`)
        expect(world.now).toBe(before)
        expect(one.generation).toBe(1)
        expect(one.memberId.startsWith("one-")).toBe(true)
        expect(yield* one.beat()).toBe("NONE")
      })
    )
  })
  test("an empty group waits for more members, exactly as long as is configured; they come together", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader({ "group.initial.rebalance.delay.ms": 700 })
        const members = yield* Effect.forEach(["one", "two", "three"], (name) => world.member(leader, "g", name))
        const before = world.now
        const rounds = yield* Effect.forEach(members, (member) => Effect.fork(member.join()))
        const answers = yield* Effect.forEach(rounds, Fiber.join)
        // Newcomers within the first delay put the end off by another one, once.
        expect(world.now - before).toBe(1400)
        expect(new Set(answers.map(({ generationId }) => generationId))).toEqual(new Set([1]))
        const leads = answers.filter(({ leader, memberId }) => leader === memberId)
        expect(leads.length).toBe(1)
        expect(leads[0]?.members.map(({ metadata }) => text(metadata)).sort()).toEqual(["one speaks range", "three speaks range", "two speaks range"])
        expect(answers.filter(({ members }) => members.length === 0).length).toBe(2)
      })
    )
  })
  test("a new member brings a new generation: the others learn it from their heartbeats, and each gets its own assignment", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one")
        const two = yield* world.member(leader, "g", "two")
        yield* one.enter()
        const entering = yield* Effect.fork(two.enter())
        yield* Effect.sleep(1000)
        expect(yield* one.beat()).toBe("REBALANCE_IN_PROGRESS")
        const assigned = yield* Effect.all([one.enter(), Fiber.join(entering)], { concurrency: "unbounded" })
        expect(assigned).toEqual([`for ${one.memberId}`, `for ${two.memberId}`])
        expect([one.generation, two.generation]).toEqual([2, 2])
        expect(yield* one.beat(4, 1)).toBe("ILLEGAL_GENERATION")
        expect(wrong(yield* one.sync([], 5, { generationId: 1 }))).toBe("ILLEGAL_GENERATION")
      })
    )
  })
  test("a member that does not rejoin within the rebalance timeout is removed, and the rebalance ends without it", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one", { rebalanceTimeoutMs: 20_000, sessionTimeoutMs: 30_000 })
        const two = yield* world.member(leader, "g", "two", { rebalanceTimeoutMs: 5000 })
        yield* one.enter()
        const before = world.now
        expect(yield* two.enter()).toBe(`for ${two.memberId}`)
        expect(world.now - before).toBe(20_000)
        expect(yield* one.beat()).toBe("UNKNOWN_MEMBER_ID")
        expect(wrong(yield* one.ask())).toBe("UNKNOWN_MEMBER_ID")
      })
    )
  })
  test("a leader that never assigns loses its place; those who waited for it join again", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader({ "group.initial.rebalance.delay.ms": 1000 })
        const [one, two] = yield* Effect.forEach(["one", "two"], (name) =>
          world.member(leader, "g", name, { rebalanceTimeoutMs: 8000, sessionTimeoutMs: 60_000 })
        )
        if (one === undefined || two === undefined) throw new Error("two members")
        const joined = yield* Effect.all([one.join(), two.join()], { concurrency: "unbounded" })
        const [leads, follows] = joined[0].leader === one.memberId ? [one, two] : [two, one]
        const before = world.now
        expect(wrong(yield* follows.sync())).toBe("REBALANCE_IN_PROGRESS")
        expect(world.now - before).toBe(8000)
        expect(yield* follows.enter()).toBe(`for ${follows.memberId}`)
        expect(yield* leads.beat()).toBe("UNKNOWN_MEMBER_ID")
      })
    )
  })
})

describe("every version", () => {
  test("JoinGroup 0-9, SyncGroup 0-5, Heartbeat 0-4, LeaveGroup 0-5", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        for (let version = 0; version <= 9; version++) {
          const one = yield* world.member(leader, `g${version}`, "one")
          if (version >= 4) {
            const first = yield* one.ask(version)
            expect([wrong(first), first.memberId === ""]).toEqual(["MEMBER_ID_REQUIRED", false])
            expect(first.protocolName).toBe(version >= 7 ? null : "")
          }
          const joined = yield* one.join(version)
          expect([wrong(joined), joined.generationId, joined.protocolName, joined.leader]).toEqual(["NONE", 1, "range", joined.memberId])
          expect(joined.protocolType).toBe(version >= 7 ? "consumer" : null)
          const given = yield* one.sync([[one.memberId, "all of it"]], Math.min(5, version))
          expect([wrong(given), text(given.assignment)]).toEqual(["NONE", "all of it"])
          expect(yield* one.beat(Math.min(4, version))).toBe("NONE")
          const left = yield* one.leave(Math.min(5, version))
          expect(wrong(left)).toBe("NONE")
          if (version >= 3) expect(left.members.map(wrong)).toEqual(["NONE"])
          expect(yield* one.beat(Math.min(4, version))).toBe("UNKNOWN_MEMBER_ID")
          const again = yield* one.leave(Math.min(5, version))
          expect([wrong(again), ...again.members.map(wrong)]).toEqual(version >= 3 ? ["NONE", "UNKNOWN_MEMBER_ID"] : ["UNKNOWN_MEMBER_ID"])
        }
      })
    )
  })
})

describe("what is refused", () => {
  test("names, timeouts, assignors, sizes", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader({ "group.max.size": 1 })
        const one = yield* world.member(leader, "g", "one")
        yield* one.enter()
        const two = yield* world.member(leader, "g", "two")
        const asked = (more: Parameters<typeof two.ask>[1]) => Effect.map(two.ask(9, more), wrong)
        expect(yield* asked({ groupId: "" })).toBe("INVALID_GROUP_ID")
        expect(yield* asked({ sessionTimeoutMs: 5999 })).toBe("INVALID_SESSION_TIMEOUT")
        expect(yield* asked({ sessionTimeoutMs: 1_800_001 })).toBe("INVALID_SESSION_TIMEOUT")
        expect(yield* asked({ groupId: "other", protocolType: "" })).toBe("INCONSISTENT_GROUP_PROTOCOL")
        expect(yield* asked({ groupId: "other", protocols: [] })).toBe("INCONSISTENT_GROUP_PROTOCOL")
        expect(yield* asked({ groupId: "other", protocols: [{ name: "range", metadata: new Uint8Array(1_100_000) }] })).toBe("INVALID_REQUEST")
        expect(yield* asked({ groupId: "none", memberId: "stranger" })).toBe("UNKNOWN_MEMBER_ID")
        expect(yield* asked({})).toBe("GROUP_MAX_SIZE_REACHED")
        expect(wrong(yield* one.sync([], 5, { protocolName: null }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
        expect(wrong(yield* one.sync([], 5, { protocolName: "sticky" }))).toBe("INCONSISTENT_GROUP_PROTOCOL")
        const empty = { groupId: "", generationId: 1, memberId: "m", protocolType: "consumer", protocolName: "range", assignments: [] }
        expect(wrong(yield* one.to.call(SyncGroup, empty))).toBe("INVALID_GROUP_ID")
        expect(yield* one.beat()).toBe("NONE")
      })
    )
  })
  test("what a group keeps is its own: a frame that is used again does not change it", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one")
        const joined = yield* one.join()
        yield* one.sync([[one.memberId, "mine"]])
        for (let n = 0; n < 50; n++)
          yield* one.to.call(SyncGroup, {
            groupId: `x${n}`,
            generationId: 1,
            memberId: "m".repeat(200),
            protocolType: "a",
            protocolName: "b",
            assignments: [{ memberId: "z", assignment: bytes("#".repeat(500)) }]
          })
        const again = yield* one.sync()
        expect(text(again.assignment)).toBe("mine")
        expect(joined.members.map(({ metadata }) => text(metadata))).toEqual(["one speaks range"])
      })
    )
  })
})

describe("static members", () => {
  test("a static member that restarts is replaced without a rebalance, and its old id is fenced", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one", { instanceId: "i" })
        expect(yield* one.enter()).toBe(`for ${one.memberId}`)
        expect(one.memberId.startsWith("i-")).toBe(true)
        const back = yield* world.member(leader, "g", "one", { instanceId: "i" })
        const joined = yield* back.join(9)
        expect([wrong(joined), joined.generationId, joined.leader === back.memberId, joined.skipAssignment]).toEqual(["NONE", 1, true, true])
        expect(text((yield* back.sync()).assignment)).toBe(`for ${one.memberId}`)
        expect(yield* one.beat()).toBe("FENCED_INSTANCE_ID")
        const third = yield* world.member(leader, "g", "one", { instanceId: "i" })
        const old = yield* third.join(8)
        expect([wrong(old), old.leader, old.members.length]).toEqual(["NONE", back.memberId, 0])
      })
    )
  })
})
