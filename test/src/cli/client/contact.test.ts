import { expect, test } from "bun:test"
import { Effect, Fiber, TestClock, TestContext } from "effect"
import { contact, jsonOption, sayingWait } from "../../../../src/cli/client/options.ts"
import { command } from "../../../../src/cli/shell/command.ts"
import { runProgram } from "../../../../src/cli/shell/shell.ts"
import { noArgument } from "../../../../src/cli/shell/spec.ts"
import { ReplicatedWorld } from "../../broker/replication/support.ts"
import { printed } from "../support.ts"

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

test("a command says what it waits for, and nothing under --json", async () => {
  const run = () => sayingWait("the response of the cluster.", Effect.sleep(5000))
  const waits = command({ path: "wait", summary: "wait", example: ["franz wait"], options: jsonOption, argument: noArgument, run })
  const program = { name: "franz", version: "1.2.3", summary: "waits", commands: [waits] }
  const said = (...words: ReadonlyArray<string>) => {
    const running = Effect.gen(function* () {
      const fiber = yield* Effect.fork(runProgram(program, ["wait", ...words]))
      yield* TestClock.adjust(5000)
      expect(yield* Fiber.join(fiber)).toBe(0)
    })
    return printed("stderr", () => Effect.runPromise(Effect.provide(running, TestContext.TestContext)))
  }
  expect(await said()).toBe("waiting for the response of the cluster.\n")
  expect(await said("--json")).toBe("")
})
