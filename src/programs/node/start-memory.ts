import { Effect, type Scope } from "effect"
import { releaseProgramPages } from "./program-pages.ts"

/** Long enough that the release, which takes some 30 ms, does not delay the first clients. */
const quietMs = 1000

/**
 * Releases the memory of the start alone: code that ran once, parsed settings, schemas while they were compiled, folded
 * events. A collection alone keeps the code, which is half of an idle node's heap; code that is needed again is
 * compiled again. Then the pages of the program's file, when what runs in an idle node has been compiled.
 */
export const releaseStartMemory: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function* () {
  yield* Effect.sleep(quietMs)
  if ("Bun" in globalThis) Bun.shrink()
  yield* Effect.sleep(quietMs)
  releaseProgramPages()
}).pipe(Effect.forkScoped, Effect.asVoid)
