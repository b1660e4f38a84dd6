import { expect, test } from "bun:test"
import { Effect, Logger, LogLevel } from "effect"
import { FollowerCheck } from "../../../../adapters/log/follower-check.ts"
import { SegmentList } from "../../../../adapters/log/segment/segment-list.ts"
import { LogTail } from "../../../../adapters/log/segment/tail-cache.ts"
import { bug } from "../../../../domain/kernel/bug.ts"
import { StreamFold } from "../../../../src/stream/stream-fold.ts"
import { consume, createReplicated, partitionOf, produce, ReplicatedWorld, until } from "./support.ts"

/** A broken assertion stops the broker, wherever it is: in a request, or in a fiber of the background, whose end no other code would notice. */

/** Lets a method fail as an assertion does, from `plant` on. */
const broken = <K extends string>(of: { readonly [P in K]: (...args: never) => unknown }, method: K) => {
  const methods = of as Record<K, (...args: never) => unknown>
  const before = methods[method]
  return { plant: () => void (methods[method] = () => bug(`planted in ${method}`)), undo: () => void (methods[method] = before) }
}

/** The fault that stops broker `id`: 1 leads the partition, 2 follows. `provoke` runs once both are in sync and the assertion is planted. */
const faultOf = async (
  id: number,
  planted: ReturnType<typeof broken>,
  provoke: (world: ReplicatedWorld, stopFirst: Effect.Effect<void>) => Effect.Effect<unknown, unknown>
): Promise<{ readonly kind: string; readonly message: string }> => {
  const world = new ReplicatedWorld()
  try {
    return await world.run(
      Effect.gen(function* () {
        const leader = yield* world.leader()
        const brokers = [yield* world.broker(1), yield* world.broker(2)] as const
        yield* createReplicated(leader, [1, 2], { "segment.bytes": "100" })
        yield* until(() => partitionOf(leader)?.isr.length === 2)
        expect(yield* Effect.scoped(Effect.flatMap(world.link(1), (to) => produce(to, "before")))).toEqual(["NONE", 0])
        planted.plant()
        yield* Effect.forkScoped(Effect.ignore(provoke(world, brokers[0].stop)))
        const failed = brokers[id - 1]?.broker.failed ?? Effect.never
        return yield* Effect.timeoutFail(Effect.flip(failed), { duration: 60_000, onTimeout: () => new Error("The broker did not stop.") })
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
    )
  } finally {
    planted.undo()
  }
}
const producing = (world: ReplicatedWorld) => Effect.scoped(Effect.flatMap(world.link(1), (to) => produce(to, "more")))
const consuming = (world: ReplicatedWorld) => Effect.scoped(Effect.flatMap(world.link(1), (to) => consume(to, 0)))

test("in the log of a follower, while its fetcher appends", async () => {
  const fault = await faultOf(2, broken(FollowerCheck.prototype, "check"), producing)
  expect(fault).toMatchObject({ kind: "bug", message: "Broker 2 stops because of a bug: planted in check. Report it with this line." })
})

test("in the fold of the image", async () => {
  const fault = await faultOf(2, broken(StreamFold.prototype, "take"), (_, stopFirst) => stopFirst)
  expect(fault).toMatchObject({ kind: "bug", message: "Broker 2 stops because of a bug: planted in take. Report it with this line." })
})

test("in the log, while a consumer reads: the server alone would close the connection", async () => {
  const fault = await faultOf(1, broken(LogTail.prototype, "read"), consuming)
  expect(fault).toMatchObject({ kind: "bug" })
  expect(fault.message).toContain("orders-0 has a log whose assertion failed: planted in read.")
})

test("in the log, while a producer's batch begins a segment: it is no fault of the disk", async () => {
  const fault = await faultOf(1, broken(SegmentList.prototype, "roll"), producing)
  expect(fault).toMatchObject({ kind: "bug" })
  expect(fault.message).toContain("orders-0 has a log whose assertion failed: planted in roll.")
})
