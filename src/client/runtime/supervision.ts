import { Cause, Effect, type Fiber, type Option, type Scope } from "effect"
import { ClientDefect } from "../error.ts"

/**
 * Forks into a scope. Interruptible even where the caller is not: a fiber that is begun while a resource is acquired would else never end with its scope.
 */
export const inScope = <A, E, R>(effect: Effect.Effect<A, E, R>, scope: Scope.Scope): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> =>
  Effect.forkIn(Effect.interruptible(effect), scope)

/** None when it took longer than `ms`; it is interrupted then, even where the caller is not interruptible (a finalizer). */
export const within = <A, E, R>(effect: Effect.Effect<A, E, R>, ms: number): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.timeoutOption(Effect.interruptible(effect), Math.max(0, ms))

/** The defect as an error for the calls that wait for the part that failed. */
export const defectOf = (part: string, defect: unknown): ClientDefect =>
  new ClientDefect({ part, reason: (defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)).slice(0, 500) })

/** Writes a defect to the log, with its stack: it is a bug of the library, and the operator's only trace of it. */
export const reportDefect = (part: string, defect: unknown): Effect.Effect<void> =>
  Effect.logError(`The client's ${part} failed by a defect, which is a bug of the library`, Cause.die(defect))

/** The first pause before a part starts again, and the longest, ms. */
const pauseFirstMs = 50
const pauseMostMs = 5000

/**
 * Keeps a background effect alive: after a defect it is reported, `failed` settles everything that waits for it, and the effect begins again after a pause that doubles with
 * each defect. Returns when the effect returns; interruption ends it.
 */
export const supervised = <R>(part: string, effect: Effect.Effect<void, never, R>, failed: (fault: ClientDefect) => void): Effect.Effect<void, never, R> => {
  const attempt = (pauseMs: number): Effect.Effect<void, never, R> =>
    Effect.catchAllCause(Effect.interruptible(effect), (cause) => {
      if (Cause.isInterrupted(cause)) return Effect.interrupt
      const defect = Cause.squash(cause)
      return reportDefect(part, defect).pipe(
        Effect.andThen(Effect.sync(() => settled(part, defect, failed))),
        Effect.andThen(Effect.sleep(pauseMs)),
        Effect.andThen(Effect.suspend(() => attempt(Math.min(pauseMostMs, pauseMs * 2))))
      )
    })
  return attempt(pauseFirstMs)
}

/** `failed` must not end the supervisor, whatever state the defect left behind. */
const settled = (part: string, defect: unknown, failed: (fault: ClientDefect) => void): void => {
  try {
    failed(defectOf(part, defect))
  } catch {
    // The part that failed is begun anew; what it could not settle meets its own deadline.
  }
}
