import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import { DescribeGroups } from "../../../src/protocol/message/15-describe-groups.ts"
import { ListGroups } from "../../../src/protocol/message/16-list-groups.ts"
import { DeleteGroups } from "../../../src/protocol/message/42-delete-groups.ts"
import type { Link } from "../../../src/wire/link.ts"
import { text, World, withTopics, wrong } from "./support.ts"

const listed = (to: Link, version: number, more: { readonly statesFilter?: ReadonlyArray<string>; readonly typesFilter?: ReadonlyArray<string> } = {}) =>
  Effect.map(to.call(ListGroups, more, { version }), ({ groups }) => groups.map(({ groupId, groupState }) => [groupId, groupState]).sort())

test("ListGroups 0-5: all groups, by state and by type", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      for (const name of ["a", "b", "c"]) yield* (yield* world.member(leader, name, "m")).enter()
      const leaving = yield* world.member(leader, "d", "m")
      yield* withTopics(leaving.to, ["orders", 1])
      yield* leaving.enter()
      yield* leaving.commit("orders", 0, 1)
      yield* leaving.leave()
      const { to } = leaving
      for (let version = 0; version <= 5; version++) {
        const state = (name: string) => (version >= 4 ? name : "")
        expect(yield* listed(to, version)).toEqual([
          ["a", state("Stable")],
          ["b", state("Stable")],
          ["c", state("Stable")],
          ["d", state("Empty")]
        ])
      }
      expect(yield* listed(to, 4, { statesFilter: ["empty"] })).toEqual([["d", "Empty"]])
      expect(yield* listed(to, 5, { typesFilter: ["Classic"], statesFilter: ["Stable", "Dead"] })).toEqual([
        ["a", "Stable"],
        ["b", "Stable"],
        ["c", "Stable"]
      ])
      expect(yield* listed(to, 5, { typesFilter: ["consumer"] })).toEqual([])
    })
  )
})

test("DescribeGroups 0-6: members with what they said and were given, while that stands", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const one = yield* world.member(leader, "g", "one")
      yield* one.enter()
      for (let version = 0; version <= 6; version++) {
        const { groups } = yield* one.to.call(
          DescribeGroups,
          { groups: ["g", "none"], ...(version >= 3 ? { includeAuthorizedOperations: true } : {}) },
          { version }
        )
        expect(groups[0]).toMatchObject({ errorCode: 0, groupId: "g", groupState: "Stable", protocolType: "consumer", protocolData: "range" })
        const [member] = groups[0]?.members ?? []
        expect(member).toMatchObject({ memberId: one.memberId, clientId: "one", clientHost: "/here" })
        expect([text(member?.memberMetadata as Uint8Array), text(member?.memberAssignment as Uint8Array)]).toEqual(["one speaks range", `for ${one.memberId}`])
        if (version >= 3) expect(groups[0]?.authorizedOperations).toBeGreaterThan(0)
        expect([groups[1]?.groupState, wrong(groups[1] as { errorCode: number })]).toEqual(["Dead", version >= 6 ? "GROUP_ID_NOT_FOUND" : "NONE"])
      }
      const two = yield* world.member(leader, "g", "two")
      const joining = yield* Effect.fork(two.join())
      yield* Effect.sleep(10)
      const { groups } = yield* one.to.call(DescribeGroups, { groups: ["g"] })
      expect(groups[0]).toMatchObject({ groupState: "PreparingRebalance", protocolData: "" })
      expect(groups[0]?.members.map(({ memberMetadata, memberAssignment }) => memberMetadata.length + memberAssignment.length)).toEqual([0, 0])
      yield* Fiber.interrupt(joining)
    })
  )
})

test("DeleteGroups: empty ones go, each is answered for itself", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const one = yield* world.member(leader, "full", "one")
      const two = yield* world.member(leader, "empty", "two")
      yield* one.enter()
      yield* two.enter()
      yield* two.leave()
      for (const version of [0, 1, 2]) {
        const { results } = yield* one.to.call(DeleteGroups, { groupsNames: ["full", "empty", "none", "none"] }, { version })
        expect(results.map((result) => [result.groupId, wrong(result)])).toEqual([
          ["full", "NON_EMPTY_GROUP"],
          ["empty", version === 0 ? "NONE" : "GROUP_ID_NOT_FOUND"],
          ["none", "GROUP_ID_NOT_FOUND"]
        ])
      }
      expect(yield* listed(one.to, 5)).toEqual([["full", "Stable"]])
    })
  )
})

test("a group that is named many times is described once, and all its offsets are told once", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader()
      const one = yield* world.member(leader, "g", "one")
      yield* one.enter()
      const { groups } = yield* one.to.call(DescribeGroups, { groups: ["g", "g", "h", "g"] })
      expect(groups.map(({ groupId }) => groupId)).toEqual(["g", "h"])
      const all = { groupId: "g", topics: null }
      const fetched = yield* one.to.call(OffsetFetch, { groups: [all, all, { groupId: "h", topics: null }, all] }, { version: 8 })
      expect(fetched.groups.map(({ groupId }) => groupId)).toEqual(["g", "h"])
    })
  )
})
