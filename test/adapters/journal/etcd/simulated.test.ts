import { describe, expect, test } from "bun:test"
import { Cause, Clock, Deferred, Effect, Exit, Fiber, Logger, LogLevel } from "effect"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import { SimulatedEtcd } from "../../../../adapters/journal/etcd/simulated.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { candidate, type JournalWorld, journalContract, stream } from "../../../src/ports/journal.contract.ts"
import { mutants } from "./mutants.ts"
import { type Mistake, scenarios } from "./scenarios.ts"
import { leaseMs, process, processLayer, rivals } from "./support.ts"

/** Two processes over one simulated etcd, in virtual time. The first keeps its disk over restarts. */
const simulatedWorld = (): JournalWorld => {
  const etcd = new SimulatedEtcd()
  const clock = new VirtualClock()
  return {
    layer: processLayer(etcd.client("a"), "/franz", new MemoryDisk()),
    end: () => undefined,
    isShared: true,
    run: (effect) => clock.run(effect),
    takeOver: rivals(etcd.revokeAll, process(etcd.client("b"))),
    rivalAppends: Number(globalThis.process.env.FRANZ_JOURNAL_APPENDS ?? 20_000)
  }
}

journalContract("over simulated etcd", simulatedWorld)

const play = (name: string, mistake: Mistake = (client) => client): Promise<Exit.Exit<void, unknown>> => {
  const scenario = scenarios[name]?.(new SimulatedEtcd(), mistake) ?? Effect.void
  return new VirtualClock().run(Effect.exit(Effect.scoped(scenario)).pipe(Logger.withMinimumLogLevel(LogLevel.None)), 600_000)
}

describe("the journal over a simulated etcd with faults", () => {
  for (const name of Object.keys(scenarios))
    test(name, async () => {
      const exit = await play(name)
      if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    })
})

test("a leader that is interrupted, as by SIGTERM, gives the leadership up without a wait for its lease", async () => {
  const etcd = new SimulatedEtcd()
  const waitedMs = await new VirtualClock().run(
    Effect.scoped(
      Effect.gen(function* () {
        const [first, second] = [yield* process(etcd.client("a")), yield* process(etcd.client("b"))]
        const leads = yield* Deferred.make<void>()
        const leading = Effect.zipRight(first.campaign(stream, candidate), Effect.zipRight(Deferred.succeed(leads, undefined), Effect.never))
        const leader = yield* Effect.fork(Effect.scoped(leading))
        yield* Deferred.await(leads)
        const successor = yield* Effect.fork(second.campaign(stream, candidate))
        yield* Effect.sleep(leaseMs / 4)
        const stopped = yield* Clock.currentTimeMillis
        yield* Fiber.interrupt(leader)
        yield* Fiber.join(successor)
        return (yield* Clock.currentTimeMillis) - stopped
      })
    ).pipe(Logger.withMinimumLogLevel(LogLevel.None)),
    600_000
  )
  expect(waitedMs).toBeLessThan(leaseMs / 4)
})

describe("mistakes that the scenarios catch", () => {
  for (const [name, mistake] of Object.entries(mutants))
    test(name, async () => {
      const caught: Array<string> = []
      for (const scenario of Object.keys(scenarios)) {
        const exit = await play(scenario, mistake).catch((stuck: unknown) => Exit.fail(stuck))
        if (Exit.isFailure(exit)) caught.push(scenario)
      }
      expect(caught).not.toEqual([])
      // A change that breaks everything would show nothing.
      expect(caught.length).toBeLessThan(Object.keys(scenarios).length)
    })
})
