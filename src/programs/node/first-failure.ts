import { Effect } from "effect"

/** Fails with the first that fails; `Effect.raceAll` would wait for one that succeeds, which none of them does. */
export const firstFailure = <E>(effects: ReadonlyArray<Effect.Effect<never, E>>): Effect.Effect<never, E> =>
  effects.reduce((one, other) => Effect.raceFirst(one, other), Effect.never as Effect.Effect<never, E>)
