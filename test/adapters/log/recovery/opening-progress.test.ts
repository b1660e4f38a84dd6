import { expect, test } from "bun:test"
import { Clock, Effect, Logger } from "effect"
import { Pace } from "../../../../adapters/log/disk/slices.ts"
import { OpeningProgress } from "../../../../adapters/log/recovery/opening-progress.ts"

test("a long opening logs its progress every five seconds, and no line is logged when none runs", async () => {
  let now = 0n
  const clock: Clock.Clock = Object.assign(Object.create(Clock.make()) as Clock.Clock, { unsafeCurrentTimeNanos: () => now })
  const said: Array<string> = []
  const logger = Logger.make(({ message }) => void said.push(String(message)))
  const progress = new OpeningProgress(clock, () => 10_000)
  const pace = new Pace(clock, progress.tell)
  const second = Effect.suspend(() => {
    now += 1_000_000_000n
    return pace.pause
  })
  const over = (open: Effect.Effect<void>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => progress.begun()),
      () => open,
      () => Effect.sync(() => progress.ended(true))
    )
  const opened = over(Effect.void)
  const run = Effect.gen(function* () {
    yield* Effect.repeatN(second, 9)
    expect(said).toEqual([])
    yield* Effect.repeatN(opened, 1199)
    const large = Effect.gen(function* () {
      progress.due(4 * 1_073_741_824)
      yield* Effect.repeatN(second, 3)
      progress.checked(3.1 * 1_073_741_824)
      yield* Effect.repeatN(second, 3)
    })
    yield* over(large)
    yield* Effect.repeatN(second, 9)
  })
  await Effect.runPromise(Effect.provide(run, Logger.replace(Logger.defaultLogger, logger)))
  expect(said).toEqual(["recovering: 1,200 of 10,000 logs are open, 3.1 of 4.0 GiB checked in those that were not closed cleanly"])
})
