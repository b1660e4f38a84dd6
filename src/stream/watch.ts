import { Effect } from "effect"

/**
 * A look for work that is repeated while there may be some. Otherwise it waits until `wake` is called, so that an idle
 * node has no timer for it.
 */
export class Watch {
  private readonly mayHaveWork = Effect.unsafeMakeLatch(true)

  /** There may be work from now on. Costs a few nanoseconds while the look is repeated. */
  readonly wake = (): void => void this.mayHaveWork.unsafeOpen()

  /**
   * Looks `everyMs` after `wake`, and every `everyMs` from then on for as long as `look` returns true. A call of `wake`
   * during a look is followed by another one.
   */
  repeat<R>(everyMs: number, look: Effect.Effect<boolean, never, R>): Effect.Effect<never, never, R> {
    const once = Effect.suspend(() => {
      this.mayHaveWork.unsafeClose()
      return Effect.map(look, (again) => (again ? this.wake() : undefined))
    })
    return Effect.forever(Effect.zipRight(this.mayHaveWork.await, Effect.zipRight(Effect.sleep(everyMs), once)))
  }
}
