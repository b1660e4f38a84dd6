import { Effect } from "effect"

/**
 * A response that is due later, by a callback and without a fiber: for a Fetch that each record wakes, the fiber would cost more than everything else. `begin` starts
 * the wait, calls `ready` once with the function that makes the response (never after cancellation), and returns a function that cancels the wait. The result may be a Later again.
 * `early` makes the response of a wait that ends because the node is short of memory; absent where an early response would be wrong.
 * `yields`: the next request of the connection ends the wait, too.
 */
export class Later<A> {
  constructor(
    readonly begin: (ready: (make: () => A | Later<A>) => void) => () => void,
    readonly early?: () => A | Later<A>,
    readonly yields = false
  ) {}

  /** The same as an Effect. */
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
