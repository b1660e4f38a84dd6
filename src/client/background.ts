import { Effect, type Fiber, type Option, type Scope } from "effect"

/**
 * Forks into a scope. Interruptible even where the caller is not: a fiber that is begun while a resource is acquired would else never end with its scope.
 */
export const inScope = <A, E, R>(effect: Effect.Effect<A, E, R>, scope: Scope.Scope): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> =>
  Effect.forkIn(Effect.interruptible(effect), scope)

/** None when it took longer than `ms`; it is interrupted then, even where the caller is not interruptible (a finalizer). */
export const within = <A, E, R>(effect: Effect.Effect<A, E, R>, ms: number): Effect.Effect<Option.Option<A>, E, R> =>
  Effect.timeoutOption(Effect.interruptible(effect), Math.max(0, ms))
