import { describe, expect, test } from "bun:test"
import { Clock, type Duration, Effect, Fiber } from "effect"
import { World, wrong } from "./support.ts"

describe("sessions", () => {
  test("a silent member is out when its session is over, half a second late at most; the other keeps its own by heartbeats", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader({ "group.initial.rebalance.delay.ms": 100 })
        const silent = yield* world.member(leader, "g", "silent", { sessionTimeoutMs: 6000 })
        const alive = yield* world.member(leader, "g", "alive", { sessionTimeoutMs: 6000 })
        yield* Effect.all([silent.enter(), alive.enter()], { concurrency: "unbounded" })
        const before = world.now
        let heard = yield* alive.beat()
        while (heard === "NONE") {
          yield* Effect.sleep(50)
          heard = yield* alive.beat()
        }
        expect(heard).toBe("REBALANCE_IN_PROGRESS")
        expect(world.now - before).toBeGreaterThanOrEqual(6000)
        expect(world.now - before).toBeLessThanOrEqual(6550)
        expect(yield* alive.enter()).toBe(`for ${alive.memberId}`)
        expect(yield* silent.beat()).toBe("UNKNOWN_MEMBER_ID")
      })
    )
  })
  test("the first member after an idle time is watched too, with the shortest session", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader({ "group.initial.rebalance.delay.ms": 0, "group.min.session.timeout.ms": 1000 })
        yield* Effect.sleep("70 seconds")
        const silent = yield* world.member(leader, "g", "silent", { sessionTimeoutMs: 1000 })
        yield* silent.enter()
        yield* Effect.sleep(1550)
        expect(yield* silent.beat()).toBe("UNKNOWN_MEMBER_ID")
      })
    )
  })
  test("joining, syncing and committing are signs of life too; waiting for a round is none that is needed", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one", { sessionTimeoutMs: 6000 })
        yield* one.enter()
        for (let n = 0; n < 4; n++) {
          yield* Effect.sleep(5000)
          expect(yield* one.commit("__cluster_metadata", 0, n)).toBe("NONE")
        }
        yield* Effect.sleep(5000)
        yield* one.sync()
        yield* Effect.sleep(5000)
        expect(yield* one.beat()).toBe("NONE")
        // The first member beats on, and does not join again: the second one waits much longer than its session.
        const two = yield* world.member(leader, "g", "two", { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 60_000 })
        const waiting = yield* Effect.fork(two.enter())
        for (let n = 0; n < 10; n++) {
          yield* Effect.sleep(5000)
          expect(yield* one.beat()).toBe("REBALANCE_IN_PROGRESS")
        }
        yield* one.enter()
        expect(yield* Fiber.join(waiting)).toBe(`for ${two.memberId}`)
      })
    )
  })
  test("an id that was handed out and never used is forgotten, and the group with it", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const one = yield* world.member(leader, "g", "one", { sessionTimeoutMs: 6000 })
        expect(wrong(yield* one.ask())).toBe("MEMBER_ID_REQUIRED")
        yield* Effect.sleep(7000)
        expect(wrong(yield* one.ask())).toBe("UNKNOWN_MEMBER_ID")
        yield* Effect.sleep(600_000)
        expect([...leader.coordinator.streams].every(({ writer }) => [...writer.state()].length === 0)).toBe(true)
      })
    )
  })
})

/** The clock of a process that was stopped: time has passed meanwhile. */
class StoppedAtTimes implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  stoppedMs = 0
  constructor(private readonly real: Clock.Clock) {}
  unsafeCurrentTimeMillis = () => this.real.unsafeCurrentTimeMillis() + this.stoppedMs
  unsafeCurrentTimeNanos = () => this.real.unsafeCurrentTimeNanos() + BigInt(this.stoppedMs) * 1_000_000n
  readonly currentTimeMillis = Effect.sync(() => this.unsafeCurrentTimeMillis())
  readonly currentTimeNanos = Effect.sync(() => this.unsafeCurrentTimeNanos())
  sleep = (duration: Duration.Duration) => this.real.sleep(duration)
}

describe("the leader's own time", () => {
  test("after it was stopped itself, every member has a new session, and a rebalance its whole time", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const clock = new StoppedAtTimes(world.clock)
        const leader = yield* Effect.withClock(world.leader(), clock)
        const one = yield* world.member(leader, "g", "one", { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 20_000 })
        const other = yield* world.member(leader, "h", "other", { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 20_000 })
        yield* one.enter()
        yield* other.enter()
        const two = yield* world.member(leader, "g", "two", { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 20_000 })
        const waiting = yield* Effect.fork(two.enter())
        yield* Effect.sleep(1000)
        clock.stoppedMs = 60_000
        yield* Effect.sleep(5500)
        expect(yield* one.beat()).toBe("REBALANCE_IN_PROGRESS")
        expect(yield* other.beat()).toBe("NONE")
        expect(yield* one.enter()).toBe(`for ${one.memberId}`)
        expect(yield* Fiber.join(waiting)).toBe(`for ${two.memberId}`)
        yield* Effect.sleep(6600)
        expect(yield* other.beat()).toBe("UNKNOWN_MEMBER_ID")
      })
    )
  })
  test("a wall clock that is set back between two lives of the leader does not make a round longer", () => {
    const world = new World()
    return world.run(
      Effect.gen(function* () {
        const ahead = new StoppedAtTimes(world.clock)
        ahead.stoppedMs = 3_600_000
        const config = { "group.initial.rebalance.delay.ms": 3000 }
        yield* Effect.scoped(
          Effect.gen(function* () {
            const leader = yield* Effect.withClock(world.leader(config), ahead)
            const one = yield* world.member(leader, "g", "one")
            yield* Effect.fork(one.join())
            yield* Effect.sleep(1000)
          })
        )
        const leader = yield* world.leader(config)
        const two = yield* world.member(leader, "g", "two", { rebalanceTimeoutMs: 10_000 })
        const before = world.now
        expect(wrong(yield* two.join())).toBe("NONE")
        expect(world.now - before).toBeLessThanOrEqual(6000)
      })
    )
  })
})

test("a bug in what watches over the groups stops the node instead of leaving them alone", () => {
  const world = new World()
  return world.run(
    Effect.gen(function* () {
      const clock = new StoppedAtTimes(world.clock)
      const leader = yield* Effect.withClock(world.leader(), clock)
      const fault = yield* Effect.fork(Effect.flip(leader.stopped))
      yield* Effect.sleep(2000)
      expect(fault.unsafePoll()).toBeNull()
      clock.stoppedMs = Number.NaN
      const { message } = yield* Fiber.join(fault)
      expect(message).toContain("watches over the groups")
    })
  )
})
