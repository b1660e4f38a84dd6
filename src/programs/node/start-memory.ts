import { Effect, type Scope } from "effect"

/** Long enough that the first clients, who wait for the start, are not held up: it takes some 30 ms. */
const quietMs = 1000

/**
 * Gives back what the start alone took: code that runs once, settings as they were parsed, schemas while they were compiled, events that were folded. A collection alone keeps
 * the code, which is half of an idle node's heap; what is needed again is compiled again when it is.
 */
export const releaseStartMemory: Effect.Effect<void, never, Scope.Scope> = Effect.sync(() => {
  if ("Bun" in globalThis) Bun.shrink()
}).pipe(Effect.delay(quietMs), Effect.forkScoped, Effect.asVoid)
