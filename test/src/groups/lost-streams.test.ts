import { expect, test } from "bun:test"
import { Deferred, Effect, Fiber } from "effect"
import { streamOf } from "../../../domain/group/groups.ts"
import { groupId } from "../../../domain/group/id.ts"
import type { Journal } from "../../../src/ports/journal.ts"
import { offsetsOf, World, withTopics } from "./support.ts"

/** What coordinators of others did when they lost a partition of group metadata. */

const settings = { "offsets.topic.num.partitions": 4 }
const index = streamOf(groupId("g"), 4)
const stream = `__group_metadata-${index}`

/** A journal whose appends to the stream of the group, or whose reads of it, wait for a signal once they are held. */
class Held {
  private gate: Deferred.Deferred<void> | undefined
  private what: "append" | "load" = "append"
  real: Journal["Type"] | undefined
  waiting = 0

  readonly journal = (real: Journal["Type"]): Journal["Type"] => {
    this.real = real
    return {
      ...real,
      append: (name, ...more) => Effect.zipRight(this.pass(name, "append"), real.append(name, ...more)),
      loadSnapshot: (name) => Effect.zipRight(this.pass(name, "load"), real.loadSnapshot(name))
    }
  }
  hold(what: "append" | "load"): Effect.Effect<void> {
    this.what = what
    return Effect.map(Deferred.make<void>(), (gate) => void (this.gate = gate))
  }
  readonly release: Effect.Effect<void> = Effect.suspend(() => {
    const { gate } = this
    this.gate = undefined
    return gate === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(gate, undefined))
  })
  private pass(name: string, what: "append" | "load"): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.gate === undefined || name !== stream || what !== this.what) return Effect.void
      this.waiting++
      return Deferred.await(this.gate)
    })
  }
}

const begin = (world: World, held: Held) =>
  Effect.gen(function* () {
    const leader = yield* world.leader(settings, { journal: held.journal })
    yield* withTopics(yield* world.link(leader.address), ["orders", 4])
    const member = yield* world.member(leader, "g", "one")
    yield* member.enter()
    expect(yield* member.commit("orders", 1, 41)).toBe("NONE")
    return { leader, member }
  })

test("KAFKA-20634: a commit that is under way when another leader takes the stream is not acknowledged, and is not stored", () => {
  const [world, held] = [new World(), new Held()]
  return world.run(
    Effect.gen(function* () {
      const { leader, member } = yield* begin(world, held)
      yield* held.hold("append")
      const commit = yield* Effect.fork(member.commit("orders", 1, 42))
      yield* Effect.sleep(1000)
      expect(held.waiting).toBe(1)
      yield* (held.real as Journal["Type"]).campaign(stream, { nodeId: 0 })
      yield* held.release
      expect(yield* Fiber.join(commit)).toBe("NOT_COORDINATOR")
      expect(yield* member.commit("orders", 1, 43)).toBe("NOT_COORDINATOR")
      yield* leader.coordinator.openStreams([index])
      expect(yield* offsetsOf(member.to, "g")).toEqual({ "orders-1": 41 })
    })
  )
})

test("KAFKA-20115: a stream that is closed with an append under way is released, and opens again with what was acknowledged", () => {
  const [world, held] = [new World(), new Held()]
  return world.run(
    Effect.gen(function* () {
      const { leader, member } = yield* begin(world, held)
      yield* held.hold("append")
      const commit = yield* Effect.fork(member.commit("orders", 1, 42))
      yield* Effect.sleep(1000)
      expect(held.waiting).toBe(1)
      const closed = yield* Effect.fork(leader.coordinator.closeStream(index))
      yield* Effect.sleep(1000)
      yield* held.release
      yield* Fiber.join(closed)
      const answer = yield* Fiber.join(commit)
      expect(yield* member.beat()).toBe("NOT_COORDINATOR")
      yield* leader.coordinator.openStreams([index])
      expect(yield* member.beat()).toBe("NONE")
      const stored = yield* offsetsOf(member.to, "g")
      // An answer other than NONE promises nothing.
      expect(answer === "NONE" ? [42] : [41, 42]).toContain(stored["orders-1"] as number)
      expect(yield* member.commit("orders", 1, 43)).toBe("NONE")
    })
  )
})

test("KAFKA-16030: a stream that is lost while it is read is not served when the read ends", () => {
  const [world, held] = [new World(), new Held()]
  return world.run(
    Effect.gen(function* () {
      const { leader, member } = yield* begin(world, held)
      yield* leader.coordinator.closeStream(index)
      yield* held.hold("load")
      const opening = yield* Effect.fork(Effect.exit(leader.coordinator.openStreams([index])))
      yield* Effect.sleep(1000)
      expect([held.waiting, yield* member.beat()]).toEqual([1, "COORDINATOR_LOAD_IN_PROGRESS"])
      const closing = yield* Effect.fork(leader.coordinator.closeStream(index))
      yield* Effect.sleep(1000)
      yield* held.release
      yield* Fiber.join(opening)
      yield* Fiber.join(closing)
      expect(yield* member.beat()).toBe("NOT_COORDINATOR")
      yield* Effect.sleep(5000)
      expect(yield* member.commit("orders", 1, 42)).toBe("NOT_COORDINATOR")
      yield* leader.coordinator.openStreams([index])
      expect(yield* offsetsOf(member.to, "g")).toEqual({ "orders-1": 41 })
    })
  )
})
