import { Effect } from "effect"

/**
 * An answer that comes later, by a call and without a fiber: a long poll that is woken for each record would pay more for its fiber than for everything else. `begin` starts
 * the wait, calls `ready` once with what makes the answer (never after it was called off), and answers how to call it off. What is made may have to wait again.
 * `early` makes the answer of a wait that is called off because the node is short of memory; absent where an early answer would be wrong.
 */
export class Later<A> {
  constructor(
    readonly begin: (ready: (make: () => A | Later<A>) => void) => () => void,
    readonly early?: () => A | Later<A>
  ) {}

  /** The same for who waits with an Effect. */
  get effect(): Effect.Effect<A> {
    return Effect.async<A>((resume) =>
      Effect.sync(
        this.begin((make) =>
          resume(
            Effect.suspend(() => {
              const made = make()
              return made instanceof Later ? made.effect : Effect.succeed(made)
            })
          )
        )
      )
    )
  }
}
