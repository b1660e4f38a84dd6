import { Effect, type Scope } from "effect"

/** Long enough that the release, which takes some 30 ms, does not delay the first clients. */
const quietMs = 1000

/**
 * Releases the memory of the start alone: code that ran once, parsed settings, schemas while they were compiled, folded
 * events. A collection alone keeps the code, which is half of an idle node's heap; code that is needed again is
 * compiled again.
 */
export const releaseStartMemory: Effect.Effect<void, never, Scope.Scope> = Effect.sync(() => {
  if ("Bun" in globalThis) Bun.shrink()
}).pipe(Effect.delay(quietMs), Effect.forkScoped, Effect.asVoid)
