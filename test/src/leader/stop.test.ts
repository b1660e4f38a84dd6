import { expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { life, World } from "../groups/support.ts"

test("a leader that stops while events of groups are written logs no error: its writers end before its journal closes", () => {
  const world = new World()
  const errors: Array<string> = []
  const noted = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => void errors.push(String(message)))
  )
  return world.run(
    Effect.gen(function* () {
      yield* life(world.leader(), (leader) =>
        Effect.gen(function* () {
          const members = yield* Effect.forEach(["a", "b", "c"], (group) => world.member(leader, group, `of ${group}`))
          for (const member of members) yield* member.enter()
          // Longer than the leader's listener waits for requests in flight.
          world.disk.syncDelayMs = 20_000
          for (const member of members) yield* Effect.fork(Effect.ignore(member.ask()))
          yield* Effect.sleep(100)
        })
      ).pipe(Effect.provide(noted), Logger.withMinimumLogLevel(LogLevel.Error))
      expect(errors).toEqual([])
      world.disk.syncDelayMs = 0
      const leader = yield* world.leader()
      expect([...leader.coordinator.streams].flatMap(({ writer }) => [...writer.state()])).toHaveLength(3)
    })
  )
})
