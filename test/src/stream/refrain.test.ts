import { expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { makeRefrain } from "../../../src/stream/refrain.ts"

/** The warnings that `body` says. */
const warnings = async (body: Effect.Effect<void>): Promise<ReadonlyArray<string>> => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => void (logLevel === LogLevel.Warning && lines.push([message].flat().join(" "))))
  await new VirtualClock().run(body.pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger))))
  return lines
}

test("what is repeated every second is said once a minute, and inventing causes fills no log", async () => {
  const lines = await warnings(
    Effect.gen(function* () {
      const refrain = makeRefrain()
      for (let second = 0; second < 120; second++) {
        yield* refrain("broker 1", `broker 1 from port ${second}`)
        yield* Effect.sleep("1 second")
      }
      for (let n = 0; n < 1000; n++) yield* refrain(`broker ${n}`, `broker ${n}`)
    })
  )
  expect(lines.slice(0, 2)).toEqual(["broker 1 from port 0", "broker 1 from port 60"])
  expect(lines.length).toBe(7)
})
