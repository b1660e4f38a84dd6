import { Cause, Data, Effect, type Fiber, type Option, Schedule, type Scope } from "effect"
import { ClientDefect } from "../error.ts"

/**
 * Forks into a scope. The fiber is interruptible even where the caller is not: forked while a resource is acquired it
 * would otherwise never end with its scope.
 */
export const inScope = <A, E, R>(effect: Effect.Effect<A, E, R>, scope: Scope.Scope): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> =>
  Effect.forkIn(Effect.interruptible(effect), scope)

/**
 * Returns None when the effect takes longer than `ms`. It is then interrupted, even where the caller is not
 * interruptible (a finalizer).
 */
export const within = <A, E, R>(effect: Effect.Effect<A, E, R>, ms: number): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.timeoutOption(Effect.interruptible(effect), Math.max(0, ms))

/** Characters of a defect's text in an error. The whole defect is in the log. */
const reasonCharactersMax = 500

/** Returns the defect as an error for the calls that wait for the part that failed. */
export const defectOf = (part: string, defect: unknown): ClientDefect =>
  new ClientDefect({ part, reason: (defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)).slice(0, reasonCharactersMax) })

/** Logs a defect with its stack: it is a bug of the library, and the log is the operator's only trace of it. */
export const reportDefect = (part: string, defect: unknown): Effect.Effect<void> =>
  Effect.logError(`The client's ${part} failed by a defect, which is a bug of the library`, Cause.die(defect))

/** The part failed and is to be started again. */
class RestartDue extends Data.TaggedError("RestartDue")<Record<never, never>> {}

/** The pauses before a part starts again: doubled after each defect, up to 5 s. */
const restarts = Schedule.union(Schedule.exponential("50 millis"), Schedule.spaced("5 seconds"))

/**
 * Keeps a background effect alive. After a defect it logs it, calls `onDefect`, which fails what waits for the part,
 * and starts the effect again. Returns when the effect returns; interruption ends it.
 */
export const supervised = <R>(part: string, effect: Effect.Effect<void, never, R>, onDefect: (fault: ClientDefect) => void): Effect.Effect<void, never, R> =>
  Effect.interruptible(effect).pipe(
    Effect.catchAllCause((cause) => {
      if (Cause.isInterrupted(cause)) return Effect.interrupt
      const defect = Cause.squash(cause)
      return reportDefect(part, defect).pipe(Effect.andThen(Effect.sync(() => settle(part, defect, onDefect))), Effect.andThen(Effect.fail(new RestartDue())))
    }),
    Effect.retry(restarts),
    // The schedule never ends.
    Effect.orDie
  )

/** The callback must not end the supervisor, whatever state the defect left behind. */
const settle = (part: string, defect: unknown, onDefect: (fault: ClientDefect) => void): void => {
  try {
    onDefect(defectOf(part, defect))
  } catch {
    // The part starts again. What the callback could not settle reaches its own deadline.
  }
}
