import { Effect } from "effect"
import { within } from "./supervision.ts"

/** A bell that one fiber waits for and plain code rings. Rung while nobody waits, it is heard by the next who does. */
export class Signal {
  private rung = false
  private waiter: ((effect: Effect.Effect<void>) => void) | undefined

  ring(): void {
    const waiter = this.waiter
    if (waiter === undefined) this.rung = true
    else {
      this.waiter = undefined
      waiter(Effect.void)
    }
  }

  /** Waits for the bell. One fiber at a time. */
  readonly heard: Effect.Effect<void> = Effect.suspend(() => {
    if (this.rung) {
      this.rung = false
      return Effect.void
    }
    return Effect.async<void>((resume) => {
      this.waiter = resume
      return Effect.sync(() => {
        if (this.waiter === resume) this.waiter = undefined
      })
    })
  })

  /** Waits for the bell, but no longer than `timeoutMs`; infinite for no bound. */
  heardWithin(timeoutMs: number): Effect.Effect<void> {
    if (timeoutMs === Number.POSITIVE_INFINITY) return this.heard
    return Effect.asVoid(within(this.heard, timeoutMs))
  }
}
