import { Effect } from "effect"
import { shown } from "../../argument/guard.ts"
import { InvalidArgument } from "../../error.ts"

/** A handler that returns no Effect fails for every message. It ends `run`, so that no message is put aside for it. */
class NoEffect extends InvalidArgument {}
export const isNoEffect = (defect: unknown): boolean => defect instanceof NoEffect

const allowed = "an Effect, such as Effect.promise(() => …) of a function that returns a promise, or Effect.void"

/** Returns what a handler returned. The compiler knows its type; a handler in JavaScript may be an async function. */
export const effectOf = <E, R>(result: Effect.Effect<unknown, E, R>): Effect.Effect<unknown, E, R> =>
  Effect.isEffect(result) ? result : Effect.die(new NoEffect({ call: "run", field: "the result of the handler", given: shown(result), allowed }))
