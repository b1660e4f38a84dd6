import { Effect, FiberRef } from "effect"
import { monotonicNow } from "./monotonic.ts"

/** When the public call of this fiber must have ended, ms of the monotonic clock; infinite for no bound. */
const callDeadline: FiberRef.FiberRef<number> = FiberRef.unsafeMake(Number.POSITIVE_INFINITY)

/**
 * Gives a public call `timeoutMs` for all its requests together. Each request within it takes what is left of that as
 * its own bound, and so fails with its own error.
 */
const withDeadline =
  (timeoutMs: number) =>
  <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(monotonicNow, (now) => Effect.locallyWith(call, callDeadline, (deadline) => Math.min(deadline, now + timeoutMs)))

/** Returns `timeoutMs`, or what is left of the public call's time if that is less. */
export const timeLeft = (timeoutMs: number): Effect.Effect<number> =>
  Effect.zipWith(FiberRef.get(callDeadline), monotonicNow, (deadline, now) => Math.max(0, Math.min(timeoutMs, deadline - now)))

/** Gives each call of a service, an effect or a function that returns one, `timeoutMs` for all its requests together. */
export const withDeadlines = <S extends object>(service: S, timeoutMs: number): S => {
  const bound = (member: unknown): unknown => {
    if (Effect.isEffect(member)) return withDeadline(timeoutMs)(member)
    if (typeof member !== "function") return member
    return (...args: ReadonlyArray<unknown>) => bound((member as (...given: ReadonlyArray<unknown>) => unknown)(...args))
  }
  // The members keep their types.
  return Object.fromEntries(Object.entries(service).map(([name, member]) => [name, bound(member)])) as S
}
