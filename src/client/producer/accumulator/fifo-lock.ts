import { Deferred, Effect, Exit, FiberId } from "effect"

/** Those who have to wait go on one after another, in the order in which they came. Who need not wait asks first whether the line is empty. */
export class Line {
  private last: Deferred.Deferred<void> | undefined

  get isEmpty(): boolean {
    return this.last === undefined
  }

  /** Runs `effect` when everybody who came before is through. */
  pass<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const before = this.last
      const mine = Deferred.unsafeMake<void>(FiberId.none)
      this.last = mine
      let through = before === undefined
      const leave = Effect.sync(() => {
        if (this.last === mine) this.last = undefined
        // Who gives up leaves his place to those in front of him, not to those behind.
        Deferred.unsafeDone(mine, through || before === undefined ? Exit.void : Deferred.await(before))
      })
      const turn = Effect.suspend(() => {
        through = true
        return effect
      })
      return Effect.ensuring(before === undefined ? turn : Effect.andThen(Deferred.await(before), turn), leave)
    })
  }
}
