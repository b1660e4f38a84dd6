import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { noGroups, streamOf } from "../../../domain/group/groups.ts"
import { groupId } from "../../../domain/group/id.ts"
import type { GroupFollower, GroupsChange } from "../../../src/groups/follower.ts"
import { followAll, followersOf } from "../../../src/groups/group-stream.ts"
import { type Journal, Unknown } from "../../../src/ports/journal.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import { DescribeGroups } from "../../../src/protocol/message/15-describe-groups.ts"
import { ListGroups } from "../../../src/protocol/message/16-list-groups.ts"
import { DeleteGroups } from "../../../src/protocol/message/42-delete-groups.ts"
import { offsetsOf, World, withTopics, wrong } from "./support.ts"

const streamCount = 4
const settings = { "offsets.topic.num.partitions": streamCount }
/** Names of groups in two streams. */
const [here, elsewhere] = ["g", "a", "b", "c", "d"].reduce<ReadonlyArray<string>>(
  (found, name) => (found.some((one) => streamOf(groupId(one), streamCount) === streamOf(groupId(name), streamCount)) ? found : [...found, name]),
  []
) as [string, string]

test("a stream that is closed is NOT_COORDINATOR for its groups alone; opened again, it has what it had", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(settings)
      const to = yield* world.link(leader.address)
      yield* withTopics(to, ["orders", 4])
      const [one, other] = [yield* world.member(leader, here, "one"), yield* world.member(leader, elsewhere, "other")]
      yield* Effect.all([one.enter(), other.enter()], { concurrency: "unbounded" })
      expect(yield* one.commit("orders", 1, 41)).toBe("NONE")
      const index = streamOf(groupId(here), streamCount)
      yield* leader.coordinator.closeStream(index)
      const refused = [yield* one.beat(), yield* one.commit("orders", 1, 42), wrong(yield* one.join()), wrong(yield* one.sync())]
      expect(new Set<string>(refused)).toEqual(new Set(["NOT_COORDINATOR"]))
      expect(wrong(yield* one.leave())).toBe("NOT_COORDINATOR")
      expect(yield* other.beat()).toBe("NONE")
      const fetched = yield* to.call(OffsetFetch, { groups: [{ groupId: here, topics: null }] }, { version: 9 })
      const described = yield* to.call(DescribeGroups, { groups: [here] })
      const deleted = yield* to.call(DeleteGroups, { groupsNames: [here] })
      expect([fetched.groups[0], described.groups[0], deleted.results[0]].map((each) => each && wrong(each))).toEqual(
        Array.from({ length: 3 }, () => "NOT_COORDINATOR")
      )
      expect((yield* to.call(ListGroups, {})).groups.map(({ groupId: name }) => name)).toEqual([elsewhere])
      // Sessions do not end while no node coordinates the group.
      yield* Effect.sleep(60_000)
      yield* leader.coordinator.openStreams([index])
      expect(yield* one.beat()).toBe("NONE")
      expect(yield* offsetsOf(to, here)).toEqual({ "orders-1": 41 })
      expect(yield* one.commit("orders", 1, 43)).toBe("NONE")
      yield* Effect.sleep(12_000)
      expect(yield* one.beat()).toBe("UNKNOWN_MEMBER_ID")
    })
  )
})

test("requests that wait when their stream is closed get NOT_COORDINATOR, and a join is not lost", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader({ ...settings, "group.initial.rebalance.delay.ms": 3000 })
      const one = yield* world.member(leader, here, "one")
      const waiting = yield* Effect.fork(one.join())
      yield* Effect.sleep(1000)
      const index = streamOf(groupId(here), streamCount)
      yield* leader.coordinator.closeStream(index)
      expect(wrong(yield* Fiber.join(waiting))).toBe("NOT_COORDINATOR")
      yield* leader.coordinator.openStreams([index])
      expect(wrong(yield* one.ask())).toBe("NONE")
    })
  )
})

/** A journal in which an append to the groups' streams has an unknown result, from the first time that `isBroken` is asked. */
const breaking =
  (isBroken: () => boolean) =>
  (real: Journal["Type"]): Journal["Type"] => ({
    ...real,
    append: (stream, ...more) =>
      stream.startsWith("__group_metadata") && isBroken()
        ? Effect.zipRight(Effect.ignore(real.append(stream, ...more)), Effect.fail(new Unknown({ stream, cause: new Error("the disk is slow") })))
        : real.append(stream, ...more)
  })

test("a stream whose journal fails is unloaded and opened again: the node and the other groups are served, and nothing acknowledged is lost", () => {
  const world = new World()
  let isBroken = false
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(settings, { journal: breaking(() => isBroken) })
      const to = yield* world.link(leader.address)
      yield* withTopics(to, ["orders", 4])
      const [one, other] = [yield* world.member(leader, here, "one"), yield* world.member(leader, elsewhere, "other")]
      yield* Effect.all([one.enter(), other.enter()], { concurrency: "unbounded" })
      expect(yield* one.commit("orders", 1, 41)).toBe("NONE")
      isBroken = true
      expect(yield* one.commit("orders", 1, 42)).toBe("COORDINATOR_LOAD_IN_PROGRESS")
      isBroken = false
      expect(yield* one.beat()).toBe("COORDINATOR_LOAD_IN_PROGRESS")
      expect(yield* other.beat()).toBe("NONE")
      expect(yield* other.commit("orders", 2, 7)).toBe("NONE")
      yield* Effect.sleep(3000)
      expect(yield* one.beat()).toBe("NONE")
      // The append with the unknown result was done.
      expect(yield* offsetsOf(to, here)).toEqual({ "orders-1": 42 })
      expect(yield* one.commit("orders", 1, 43)).toBe("NONE")
    })
  )
})

test("a stream that another leader has taken is unloaded and stays so: NOT_COORDINATOR", () => {
  const world = new World()
  let journal: Journal["Type"] | undefined
  return world.run(
    Effect.gen(function* () {
      const leader = yield* world.leader(settings, {
        journal: (real) => {
          journal = real
          return real
        }
      })
      const [one, other] = [yield* world.member(leader, here, "one"), yield* world.member(leader, elsewhere, "other")]
      yield* Effect.all([one.enter(), other.enter()], { concurrency: "unbounded" })
      if (journal === undefined) throw new Error("the leader has no journal")
      yield* journal.campaign(`__group_metadata-${streamOf(groupId(here), streamCount)}`, { nodeId: 0 })
      yield* Effect.sleep(3000)
      expect(yield* one.beat()).toBe("NOT_COORDINATOR")
      expect(yield* other.beat()).toBe("NONE")
    })
  )
})

test("a change is followed in one order: metrics, heartbeats, requests that wait, deadlines, __consumer_offsets", () => {
  const calls: Array<string> = []
  const follower = (name: string): GroupFollower => ({ follow: () => void calls.push(name) })
  const names = ["metrics", "lastHeartbeats", "waiting", "deadlines", "offsets"]
  const stream = Object.fromEntries(names.map((name) => [name, follower(name)])) as unknown as Parameters<typeof followersOf>[0]
  const change = (index: number, events: number): GroupsChange => ({ index, events: Array.from({ length: events }) as never, state: noGroups })
  const follow = followAll("groups", 7, followersOf(stream))
  follow(change(7, 2))
  expect(calls).toEqual(names)
  follow(change(9, 1))
  expect(() => follow(change(9, 1))).toThrow("are at 10, and a change begins at 9")
})
