import { expect, test } from "bun:test"
import { Effect, Fiber } from "effect"
import { life, type Member, offsetsOf, text, World, withTopics, wrong } from "./support.ts"

/** The same member over a connection to another life of the leader. */
const again = (world: World, leader: Parameters<World["member"]>[0], of: Member) =>
  Effect.map(world.member(leader, of.groupId, of.name), (member) => {
    member.memberId = of.memberId
    member.generation = of.generation
    member.protocol = of.protocol
    return member
  })

test("G3: members, assignments and offsets are as they were after the leader lost its power; no member has to rejoin", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const [one, two] = yield* life(world.leader({ "group.initial.rebalance.delay.ms": 100 }), (leader) =>
        Effect.gen(function* () {
          yield* withTopics(yield* world.link(leader.address), ["orders", 4])
          const members = [yield* world.member(leader, "g", "one"), yield* world.member(leader, "g", "two")] as const
          yield* Effect.all([members[0].enter(), members[1].enter()], { concurrency: "unbounded" })
          expect(yield* members[0].commit("orders", 1, 41)).toBe("NONE")
          expect(yield* members[1].commit("orders", 3, 7)).toBe("NONE")
          world.disk.crash(() => 0)
          return members
        })
      )
      yield* Effect.sleep(3_600_000)
      const leader = yield* world.leader()
      const oneAgain = yield* again(world, leader, one)
      const twoAgain = yield* again(world, leader, two)
      expect([yield* oneAgain.beat(), yield* twoAgain.beat()]).toEqual(["NONE", "NONE"])
      expect(text((yield* twoAgain.sync()).assignment)).toBe(`for ${two.memberId}`)
      expect(yield* offsetsOf(oneAgain.to, "g")).toEqual({ "orders-1": 41, "orders-3": 7 })
      expect(yield* oneAgain.commit("orders", 1, 42)).toBe("NONE")
      // From here on their silence counts anew.
      yield* Effect.sleep(9000)
      expect(yield* oneAgain.beat()).toBe("NONE")
      yield* Effect.sleep(2000)
      expect([yield* oneAgain.beat(), yield* twoAgain.beat()]).toEqual(["REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID"])
    })
  )
})

test("a rebalance that was open when the leader died is ended by the next leader, with the members that rejoin", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const [one, two] = yield* life(world.leader(), (leader) =>
        Effect.gen(function* () {
          const members = [
            yield* world.member(leader, "g", "one", { rebalanceTimeoutMs: 10_000 }),
            yield* world.member(leader, "g", "two", { rebalanceTimeoutMs: 10_000 })
          ] as const
          yield* members[0].enter()
          yield* Effect.fork(members[1].join())
          yield* Effect.sleep(500)
          world.disk.crash(() => 0)
          return members
        })
      )
      const leader = yield* world.leader()
      const oneAgain = yield* again(world, leader, one)
      expect(yield* oneAgain.beat()).toBe("REBALANCE_IN_PROGRESS")
      // The second member's join is in the journal: the round need not wait for it, and it is told when it asks.
      const joined = yield* oneAgain.join()
      expect([wrong(joined), joined.generationId]).toEqual(["NONE", 2])
      const leads = joined.leader === oneAgain.memberId
      const ids = [one.memberId, two.memberId]
      const twoAgain = yield* again(world, leader, two)
      const asked = yield* Effect.fork(twoAgain.join())
      if (leads) yield* oneAgain.sync(ids.map((id) => [id, `for ${id}`] as const))
      expect(wrong(yield* Fiber.join(asked))).toBe("NONE")
    })
  )
})

test("snapshots bound the replay, and the number of streams stays what it was whatever the setting says", () => {
  const world = new World()
  const settings = { "metadata.snapshot.interval.events": 20, "offsets.topic.num.partitions": 2 }
  return world.run(
    Effect.gen(function* () {
      yield* life(world.leader(settings), (leader) =>
        Effect.gen(function* () {
          yield* withTopics(yield* world.link(leader.address), ["orders", 1])
          for (let n = 0; n < 10; n++) {
            const member = yield* world.member(leader, `group-${n}`, "m")
            yield* member.enter()
            for (let offset = 0; offset <= 10 * n; offset++) yield* member.commit("orders", 0, offset)
          }
          expect([...leader.coordinator.streams].length).toBe(2)
        })
      )
      const leader = yield* world.leader({ ...settings, "offsets.topic.num.partitions": 9 })
      expect([...leader.coordinator.streams].length).toBe(2)
      const to = yield* world.link(leader.address)
      for (let n = 0; n < 10; n++) expect(yield* offsetsOf(to, `group-${n}`)).toEqual({ "orders-0": 10 * n })
    })
  )
})
