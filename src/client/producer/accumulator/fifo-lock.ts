import { Deferred, Effect, Exit, FiberId } from "effect"

/**
 * Runs effects one after another, in the order of the calls. A caller that need not wait asks `isFree` first and runs
 * without the lock.
 */
export class FifoLock {
  private last: Deferred.Deferred<void> | undefined

  get isFree(): boolean {
    return this.last === undefined
  }

  /** Runs `effect` when the effects of all earlier calls have ended. */
  withLock<A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      const before = this.last
      const mine = Deferred.unsafeMake<void>(FiberId.none)
      this.last = mine
      let hasTurn = before === undefined
      const leave = Effect.sync(() => {
        if (this.last === mine) this.last = undefined
        // A caller that gives up before its turn ends no earlier call: those behind it wait for those before it.
        Deferred.unsafeDone(mine, hasTurn || before === undefined ? Exit.void : Deferred.await(before))
      })
      const turn = Effect.suspend(() => {
        hasTurn = true
        return effect
      })
      return Effect.ensuring(before === undefined ? turn : Effect.andThen(Deferred.await(before), turn), leave)
    })
  }
}
