import { Effect, FiberRef, Scope } from "effect"

/**
 * Effect 3.22.3 and 3.22.4 lose an interruption that arrives while a fiber runs a finalizer, unless it is the fiber's first one:
 *
 * 1. A finalizer of `Effect.addFinalizer` or `Effect.acquireRelease` runs with the FiberRefs of its acquisition. At its end it restores those of the fiber that closes the scope, as far as
 *    the two differ.
 * 2. The first finalizer sets `FiberRef.interruptedCause`, which has had no value, to the empty cause.
 * 3. So the refs of the second one differ: acquired without a value, the fiber has one. At its end it restores that value, the empty cause.
 * 4. An interruption that arrives in between has stored its cause in the ref. The cause is overwritten. The fiber continues, and the fiber that interrupts it waits for its end: for ever where
 *    it is a loop that opens a scope in each round, as one that connects again.
 *
 * Where the ref has a value before a fiber acquires, nothing differs. `test/src/ports/kept-interruption.test.ts` fails when an Effect no longer needs this.
 */

/** Lets the calling fiber, and the fibers that it and they fork, keep an interruption that arrives while they run a finalizer. */
export const keepInterruption: Effect.Effect<void> = FiberRef.update(FiberRef.interruptedCause, (cause) => cause)

/** The same for what `make` acquires, also where another fiber closes its scope: its finalizers run on a fiber that keeps interruptions. */
export const keepingInterruption = <A, E, R>(make: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.onExit(Effect.zipRight(keepInterruption, make), () =>
    // The last finalizer of the scope runs first. One that is added to the scope itself restores no refs.
    Effect.flatMap(Effect.scope, (scope) => Scope.addFinalizer(scope, keepInterruption))
  )
