import { expect, test } from "bun:test"
import { Effect, Fiber, Option } from "effect"
import { VirtualClock } from "../../../../../adapters/clock/virtual-clock.ts"
import { DirectoryMoves } from "../../../../../src/broker/partition/hosted/directory-moves.ts"
import type { LogMove, LogMoves } from "../../../../../src/ports/log-store.ts"
import { topicId } from "../../../../domain/cluster/support.ts"
import { until } from "../../support.ts"

const of = { topic: "orders", topicId: topicId(1), partition: 0 }

/** A log that grows all the time; what its move copies, and what is left for its end. */
class GrowingLog {
  at = "/a"
  size = 0
  copied = 0
  rest: number | undefined
  readonly moves: LogMoves

  constructor() {
    const move: LogMove = {
      copy: Effect.sync(() => void (this.copied = this.size)),
      finish: Effect.sync(() => {
        this.rest = this.size - this.copied
        this.at = "/b"
      }),
      removeOld: Effect.void,
      cancel: Effect.void,
      copiedEnd: () => 0,
      copiedBytes: () => this.copied
    }
    this.moves = { begin: () => Effect.succeed(move), interrupted: Effect.succeed([]), directoryOf: () => this.at, prefer: () => undefined }
  }
}
const moving = (log: GrowingLog, ready: () => void) =>
  new DirectoryMoves({ moves: log.moves, bytesPerSecondMax: () => Number.MAX_SAFE_INTEGER, ready, warn: () => undefined })
const into = (moves: DirectoryMoves) => [...moves.into("/b")].length

test("what is appended while the log cannot be closed is copied before it is: the partition does not wait for it", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const log = new GrowingLog()
      let asked = 0
      const moves = moving(log, () => asked++)
      yield* Effect.fork(moves.run)
      yield* Effect.fork(
        Effect.forever(
          Effect.delay(
            Effect.sync(() => log.size++),
            1
          )
        )
      )
      moves.request(of, "/b")
      // The in-sync set is not decided: the log stays open for so long.
      yield* Effect.sleep("30 seconds")
      expect(asked).toBeGreaterThan(100)
      yield* until(() => moves.isReady(of))
      expect(moves.close(of)).toBe(true)
      yield* moves.place(of, () => undefined, Effect.void)
      yield* until(() => into(moves) === 0)
      expect([log.at, log.size > 29_000, (log.rest ?? Number.POSITIVE_INFINITY) < 300]).toEqual(["/b", true, true])
    }).pipe(Effect.scoped)
  ))

test("a request that ends a move while its log is being closed leaves the log where it is", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const log = new GrowingLog()
      const moves = moving(log, () => undefined)
      yield* Effect.fork(moves.run)
      moves.request(of, "/b")
      yield* until(() => moves.isReady(of))
      expect([moves.close(of), moves.close(of)]).toEqual([true, false])
      moves.request(of, "/a")
      let isOpened = false
      yield* moves.place(
        of,
        () => undefined,
        Effect.sync(() => void (isOpened = true))
      )
      yield* until(() => !moves.isReady(of) && into(moves) === 0)
      expect([isOpened, log.at, log.rest]).toEqual([true, "/a", undefined])
      moves.request(of, "/b")
      yield* until(() => moves.isReady(of))
    }).pipe(Effect.scoped)
  ))

test("a request that comes as the broker ends keeps it from nothing", () =>
  new VirtualClock().run(
    Effect.gen(function* () {
      const log = new GrowingLog()
      const moves = moving(log, () => undefined)
      const running = yield* Effect.fork(moves.run)
      yield* Effect.yieldNow()
      moves.request(of, "/b")
      // The request was taken, or was not.
      running.unsafeInterruptAsFork(running.id())
      yield* Fiber.await(running)
      moves.request(of, "/b")
      expect(Option.isSome(yield* Effect.timeoutOption(moves.end, "10 seconds"))).toBe(true)
    })
  ))
