import { Effect } from "effect"
import { within } from "./supervision.ts"

/**
 * Wakes the one fiber that waits for it, from plain code. A notification without a waiting fiber is kept for the next
 * wait; several of them count once.
 */
export class Signal {
  private notified = false
  private waiter: ((effect: Effect.Effect<void>) => void) | undefined

  notify(): void {
    const waiter = this.waiter
    if (waiter === undefined) this.notified = true
    else {
      this.waiter = undefined
      waiter(Effect.void)
    }
  }

  /** Returns after the next notification. One fiber at a time may wait. */
  readonly wait: Effect.Effect<void> = Effect.suspend(() => {
    if (this.notified) {
      this.notified = false
      return Effect.void
    }
    return Effect.async<void>((resume) => {
      this.waiter = resume
      return Effect.sync(() => {
        if (this.waiter === resume) this.waiter = undefined
      })
    })
  })

  /** Returns after the next notification, or after `timeoutMs`; infinite for no bound. */
  waitAtMost(timeoutMs: number): Effect.Effect<void> {
    if (timeoutMs === Number.POSITIVE_INFINITY) return this.wait
    return Effect.asVoid(within(this.wait, timeoutMs))
  }
}
