import { expect, test } from "bun:test"
import { Effect, Fiber, Layer, Random, type Scope } from "effect"
import fc from "fast-check"
import { layerSeededRandom } from "../../../adapters/clock/seeded-random.ts"
import type { RunningLeader } from "../../../src/leader/leader.ts"
import { type Member, World } from "./support.ts"

/** A consumer as clients are: it enters the group, beats, and enters again when it is told so. After a while it leaves, dies without a word, or stays. */
const consumer = (member: Member, fate: "leaves" | "dies" | "stays", livesMs: number, until: () => boolean): Effect.Effect<Member | undefined, unknown> =>
  Effect.gen(function* () {
    const bornAt = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
    let assigned = ""
    while (!until()) {
      const now = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      if (fate !== "stays" && now - bornAt > livesMs) {
        if (fate === "leaves") yield* member.leave()
        return undefined
      }
      const pulse = assigned === `for ${member.memberId}` ? yield* member.beat() : "REBALANCE_IN_PROGRESS"
      if (pulse === "NONE") yield* Effect.sleep(700 + (yield* Random.nextIntBetween(0, 600)))
      else {
        if (pulse === "UNKNOWN_MEMBER_ID") member.memberId = ""
        assigned = yield* member.enter()
        if (assigned === "UNKNOWN_MEMBER_ID") member.memberId = ""
      }
    }
    return member
  })

const scenario = fc.record({
  seed: fc.nat(),
  delayMs: fc.constantFrom(0, 100, 3000),
  members: fc.array(
    fc.record({ fate: fc.constantFrom("leaves" as const, "dies" as const, "stays" as const), bornAfterMs: fc.nat(20_000), livesMs: fc.nat(20_000) }),
    {
      minLength: 1,
      maxLength: 7
    }
  )
})

test("G1, G4: whichever members join, leave and crash, the members that stay end up in one generation, each with its own assignment, and no request waits for ever", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async ({ delayMs, members, seed }) => {
      const world = new World()
      await world.run(
        Effect.gen(function* () {
          const leader: RunningLeader = yield* world.leader({ "group.initial.rebalance.delay.ms": delayMs })
          let isOver = false
          const fibers = yield* Effect.forEach(members, ({ bornAfterMs, fate, livesMs }, n) =>
            Effect.fork(
              Effect.gen(function* () {
                yield* Effect.sleep(bornAfterMs)
                const member = yield* world.member(leader, "g", `m${n}`, { sessionTimeoutMs: 6000, rebalanceTimeoutMs: 8000 })
                return yield* consumer(member, fate, livesMs, () => isOver)
              })
            )
          )
          yield* Effect.sleep(120_000)
          isOver = true
          const stayed = (yield* Effect.forEach(fibers, Fiber.join)).filter((member) => member !== undefined)
          expect(stayed.length).toBe(members.filter(({ fate }) => fate === "stays").length)
          const group = [...leader.coordinator.streams].flatMap(({ writer }) => [...writer.state()]).map(([, each]) => each)[0]
          if (stayed.length === 0) return expect(group?.phase ?? "Empty").toBe("Empty")
          expect(new Set(stayed.map(({ generation }) => generation))).toEqual(new Set([group?.generation as number]))
          expect(yield* Effect.forEach(stayed, (member) => member.beat())).toEqual(stayed.map(() => "NONE"))
        }).pipe(Effect.provide(layerSeededRandom(seed) as Layer.Layer<never>)) as Effect.Effect<void, unknown, Scope.Scope>
      )
    }),
    { numRuns: 25 }
  )
}, 300_000)
