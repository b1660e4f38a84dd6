import { expect, test } from "bun:test"
import { Effect } from "effect"
import { contact } from "../../../../src/cli/client/options.ts"
import { ReplicatedWorld } from "../../broker/replication/support.ts"

const options = { leader: "leader:9092" }

/** How the first contact with the leader ends, and after how many ms. */
const contacted = (world: ReplicatedWorld) =>
  Effect.gen(function* () {
    const beganAt = world.clock.unsafeCurrentTimeMillis()
    const outcome = yield* Effect.either(Effect.provide(contact(options), world.network.layer("client")))
    return { error: outcome._tag === "Left" ? outcome.left._tag : undefined, tookMs: world.clock.unsafeCurrentTimeMillis() - beganAt }
  })

test("a command gives up within 2 s where connections are refused", async () => {
  const world = new ReplicatedWorld()
  const { error, tookMs } = await world.run(contacted(world))
  expect(error).toBe("NotReachable")
  expect(tookMs).toBeLessThanOrEqual(2000)
})

test("a command waits for a node that responds after 5 s", async () => {
  const world = new ReplicatedWorld()
  const { error, tookMs } = await world.run(
    Effect.gen(function* () {
      yield* world.leader()
      yield* world.broker(1)
      yield* Effect.sleep(2000)
      world.network.cut("client", "leader")
      yield* Effect.forkScoped(
        Effect.delay(
          Effect.sync(() => world.network.heal()),
          5000
        )
      )
      return yield* contacted(world)
    })
  )
  expect(error).toBeUndefined()
  expect(tookMs).toBeGreaterThanOrEqual(5000)
})

test("a command gives a silent node up after 10 s", async () => {
  const world = new ReplicatedWorld()
  const { error, tookMs } = await world.run(
    Effect.gen(function* () {
      yield* world.leader()
      world.network.cut("client", "leader")
      return yield* contacted(world)
    })
  )
  expect(error).toBe("NotReachable")
  expect(tookMs).toBeGreaterThanOrEqual(9000)
  expect(tookMs).toBeLessThanOrEqual(10_100)
})
