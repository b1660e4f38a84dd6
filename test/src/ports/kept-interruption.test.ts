import { describe, expect, test } from "bun:test"
import { Deferred, Effect, Exit, Fiber, FiberId, Scope } from "effect"
import { keepInterruption, keepingInterruption } from "../../../src/ports/kept-interruption.ts"

type Outcome = "interrupted" | "continued"
/** Acquires twice; the one that is released last reports that its release has begun, and waits for its end. */
interface Released {
  readonly acquired: Effect.Effect<void, never, Scope.Scope>
  readonly begun: Effect.Effect<void>
  readonly end: Effect.Effect<unknown>
}
const released: Effect.Effect<Released> = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const ended = yield* Deferred.make<void>()
  const acquired = Effect.zipRight(
    Effect.addFinalizer(() => Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(ended))),
    Effect.addFinalizer(() => Effect.void)
  )
  return { acquired, begun: Deferred.await(begun), end: Deferred.succeed(ended, undefined) }
})

/** Forks `use` after `before`, and interrupts it during the last release; what the fiber does then. */
const interrupted = (use: (acquired: Released["acquired"]) => Effect.Effect<void>, before: Effect.Effect<void> = Effect.void): Promise<Outcome> =>
  Effect.gen(function* () {
    yield* before
    const { acquired, begun, end } = yield* released
    const continued = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkDaemon(Effect.zipRight(use(acquired), Effect.zipRight(Deferred.succeed(continued, undefined), Effect.never)))
    yield* begun
    fiber.unsafeInterruptAsFork(FiberId.none)
    yield* end
    return yield* Effect.raceFirst(Effect.as(Fiber.await(fiber), "interrupted" as const), Effect.as(Deferred.await(continued), "continued" as const))
  }).pipe(Effect.runPromise)

/** As layers that are built side by side: another fiber acquires than the one that closes the scope. */
const acquiredElsewhere =
  (make: (acquired: Released["acquired"]) => Released["acquired"]) =>
  (acquired: Released["acquired"]): Effect.Effect<void> =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Fiber.join(yield* Effect.forkDaemon(Scope.extend(make(acquired), scope)))
      yield* Scope.close(scope, Exit.void)
    })

describe("an interruption that arrives during a finalizer", () => {
  test("ends the fiber", async () => {
    expect(await interrupted((acquired) => Effect.zipRight(keepInterruption, Effect.scoped(acquired)))).toBe("interrupted")
  })

  test("ends a fiber that was forked by one that keeps interruptions", async () => {
    expect(await interrupted(Effect.scoped, keepInterruption)).toBe("interrupted")
  })

  test("ends the fiber that closes the scope, also where another one has acquired", async () => {
    expect(await interrupted(acquiredElsewhere(keepingInterruption))).toBe("interrupted")
    expect(await interrupted((acquired) => Effect.scoped(keepingInterruption(acquired)))).toBe("interrupted")
  })

  test("where what is made fails, too", async () => {
    const failing = (acquired: Released["acquired"]) => Effect.ignore(Effect.scoped(keepingInterruption(Effect.zipRight(acquired, Effect.fail("refused")))))
    expect(await interrupted(failing)).toBe("interrupted")
  })

  test("an earlier interruption stays", async () => {
    const kept = Effect.uninterruptible(Effect.zipRight(Effect.yieldNow(), keepInterruption))
    const exit = await Effect.gen(function* () {
      const fiber = yield* Effect.forkDaemon(Effect.zipRight(kept, Effect.never))
      fiber.unsafeInterruptAsFork(FiberId.none)
      return yield* Fiber.await(fiber)
    }).pipe(Effect.runPromise)
    expect(Exit.isInterrupted(exit)).toBe(true)
  })

  test("is lost by Effect itself: when this fails, src/ports/kept-interruption.ts has no use any more", async () => {
    expect(await interrupted(Effect.scoped)).toBe("continued")
  })
})
