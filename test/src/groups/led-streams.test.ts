import { expect, test } from "bun:test"
import { Context, Effect, Fiber, Layer, Logger, LogLevel } from "effect"
import { VirtualClock } from "../../../adapters/clock/virtual-clock.ts"
import { layerMemory, MemoryStreams } from "../../../adapters/journal/memory.ts"
import { initial } from "../../../domain/cluster/state.ts"
import { defaultNodeConfig } from "../../../domain/kernel/config.ts"
import { ClusterImage } from "../../../src/groups/cluster-image.ts"
import { GroupCoordinator, layer } from "../../../src/groups/coordinator.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import { CommandIdFactory, CommandIds } from "../../../src/stream/command-ids.ts"

const notLed = new LogFault({ path: "__group_metadata-0", reason: "offline", message: "This process does not lead the partition of __group_metadata-0." })

/** The warnings of a coordinator that is to lead a stream which cannot be opened for five seconds. */
const warningsWhile = (isLed: boolean) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning) && lines.push(String(message))))
  let attempts = 0
  const partitions = {
    prepare: () =>
      Effect.zipRight(
        Effect.sync(() => attempts++),
        Effect.fail(notLed)
      ),
    isLed: () => isLed,
    unloaded: () => undefined
  }
  const coordinator = layer({ config: defaultNodeConfig, streamCount: () => 1, partitions }).pipe(
    Layer.provide(layerMemory(new MemoryStreams())),
    Layer.provide(Layer.succeed(ClusterImage, { cluster: () => initial })),
    Layer.provide(Layer.succeed(CommandIds, new CommandIdFactory("1.test")))
  )
  const leading = Effect.gen(function* () {
    const { leadStream } = Context.get(yield* Layer.build(coordinator), GroupCoordinator)
    const fiber = yield* Effect.fork(leadStream(0))
    yield* Effect.sleep(5000)
    yield* Fiber.interrupt(fiber)
    expect(attempts).toBeGreaterThan(2)
    return lines
  })
  return new VirtualClock().run(Effect.scoped(leading).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger))))
}

test("a broker whose leadership ends before the stream is open warns of nothing; one that still leads says why it is not open", async () => {
  expect(await warningsWhile(false)).toEqual([])
  expect(await warningsWhile(true)).toEqual([
    "__group_metadata-0 cannot be opened yet; the coordinator retries: This process does not lead the partition of __group_metadata-0."
  ])
})
