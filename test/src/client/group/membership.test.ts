import { describe, expect, test } from "bun:test"
import { Clock, Effect, Fiber } from "effect"
import fc from "fast-check"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { Fenced, GroupRefused, KafkaFailure, NotAuthorized, NotReachable, RequestTimedOut } from "../../../../src/client/error.ts"
import type { MembershipHandler } from "../../../../src/client/group/handler.ts"
import { heartbeats } from "../../../../src/client/group/heartbeats.ts"
import type { HeartbeatResult, Member, MemberAssignment, MemberError } from "../../../../src/client/group/member.ts"
import { runMembership } from "../../../../src/client/group/membership.ts"
import { membershipSettings } from "../../../../src/client/group/options.ts"
import { Signal } from "../../../../src/client/runtime/signal.ts"

const passing: ReadonlyArray<MemberError> = [
  new NotReachable({ addresses: ["node0:9092"], reason: "refused" }),
  new RequestTimedOut({ what: "JoinGroup", timeoutMs: 1, reason: "silence" }),
  ...(
    ["COORDINATOR_NOT_AVAILABLE", "NOT_COORDINATOR", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION", "REBALANCE_IN_PROGRESS", "UNKNOWN_SERVER_ERROR"] as const
  ).map((error) => new KafkaFailure({ error, what: "Joining", detail: null }))
]
const final: ReadonlyArray<MemberError> = [
  new GroupRefused({ group: "g", error: "INVALID_GROUP_ID" }),
  new GroupRefused({ group: "g", error: "INCONSISTENT_GROUP_PROTOCOL" }),
  new NotAuthorized({ error: "GROUP_AUTHORIZATION_FAILED", what: "g" }),
  new Fenced({ what: "g", error: "FENCED_INSTANCE_ID" })
]

/** What becomes of one attempt to join: an error, or partitions and then what ends them. */
type Attempt = MemberError | HeartbeatResult | "reading fails"

/** A member whose attempts end as the list says; when the list is at its end it is a member for good. */
const play = (attempts: ReadonlyArray<Attempt>) => {
  const left = [...attempts]
  let reads = 0
  let stops = 0
  let ends: HeartbeatResult = "alive"
  const assigned: MemberAssignment = { partitions: [], counts: undefined }
  const member = {
    join: (topics: () => unknown) =>
      Effect.suspend(() => {
        topics()
        const next = left.shift()
        if (typeof next === "object") return Effect.fail(next)
        ends = next === undefined || next === "reading fails" ? "alive" : next
        fails = next === "reading fails"
        return Effect.succeed(assigned)
      }),
    get heartbeat() {
      return Effect.sync(() => ends)
    }
  }
  let fails = false
  const handler: MembershipHandler = {
    topics: () => ["orders"],
    subscriptionChanged: new Signal(),
    pause: () => {},
    processed: Effect.void,
    commit: Effect.void,
    read: () =>
      Effect.suspend(() => {
        reads += 1
        return fails ? Effect.fail(passing[0] as MemberError) : Effect.never
      }),
    deliverUntil: () => {},
    onRetry: () => Effect.void,
    endWork: () => Effect.void,
    idleSince: () => Number.POSITIVE_INFINITY,
    resumed: Effect.void,
    onEnd: () => Effect.void,
    stop: () => {
      stops += 1
    },
    cooperative: { add: () => Effect.void, revoke: () => Effect.void, commits: Effect.never }
  }
  const clock = new VirtualClock(0)
  const run = Effect.gen(function* () {
    const life = yield* Effect.fork(runMembership(member as unknown as Member, membershipSettings({}), handler))
    yield* Effect.sleep(600_000)
    const ended = life.unsafePoll()
    const error = ended === null ? undefined : yield* Effect.flip(Fiber.join(life))
    yield* Fiber.interrupt(life)
    return { error, reads, stops, left: left.length }
  })
  return clock.run(run)
}

describe("a membership", () => {
  test("begins again after whatever may pass, however often and however long it lasts", () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom<Attempt>(...passing, "rebalance", "lost", "reading fails"), { maxLength: 40 }), async (attempts) => {
        const { error, left, reads } = await play(attempts)
        expect([error, left]).toEqual([undefined, 0])
        expect(reads).toBe(attempts.filter((one) => typeof one === "string").length + 1)
      }),
      { numRuns: 25 }
    ))

  test("ends with what is final by its nature, and reads nothing then", async () => {
    for (const error of final) expect(await play([passing[2] as MemberError, error, "rebalance"])).toMatchObject({ error, left: 1, reads: 0 })
    expect(await play(["fenced"])).toMatchObject({ error: { _tag: "Fenced" }, reads: 1 })
  })

  /** How an assignment ends, and when, ms: `member` has its first heartbeat after 2 s, and its session is 6 s. */
  const endOf = (member: object, counts: MemberAssignment["counts"]) => {
    const handler = { topics: () => ["orders"], subscriptionChanged: new Signal(), deliverUntil: () => {}, idleSince: () => Number.POSITIVE_INFINITY }
    const settings = membershipSettings({ sessionTimeoutMs: 6000, heartbeatIntervalMs: 2000 })
    const life = heartbeats(member as unknown as Member, settings, handler as unknown as MembershipHandler, { partitions: [], counts }, ["orders"])
    return new VirtualClock(0).run(Effect.zip(life, Clock.currentTimeMillis))
  }
  /** Responds to as many heartbeats, and to no other. */
  const beats = (responses: number) => {
    let sent = 0
    return Effect.suspend(() => (++sent <= responses ? Effect.succeed("alive" as const) : Effect.never))
  }

  test("is lost when its session times out, though a heartbeat still has no response", async () => {
    expect(await endOf({ heartbeat: beats(1) }, undefined)).toEqual(["lost", 8000])
  })

  test("sends heartbeats while the metadata of its topics do not arrive", async () => {
    const member = { heartbeat: beats(20), countPartitions: () => Effect.never }
    expect(await endOf(member, new Map([["orders", 3]]))).toEqual(["lost", 46_000])
  })

  test("rebalances when a topic has more partitions, also after metadata that failed", async () => {
    let counted = 0
    const countPartitions = () =>
      Effect.suspend(() => (++counted === 1 ? Effect.fail("not now") : Effect.succeed(new Map([["orders", counted === 2 ? 3 : 4]]))))
    expect(await endOf({ heartbeat: beats(20), countPartitions }, new Map([["orders", 3]]))).toEqual(["rebalance", 30_000])
  })
})
