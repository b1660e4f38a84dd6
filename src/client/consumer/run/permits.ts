import { Effect } from "effect"

/**
 * Permits for handlers, in the order in which they were asked for. Plain code where one is free: a semaphore of Effect
 * costs more than the rest of a handler that does little.
 */
export class Permits {
  private readonly waiting: Array<() => void> = []

  constructor(private free: number) {}

  /** Takes a permit if one is free, and none waits for it. */
  tryTake(): boolean {
    if (this.free === 0 || this.waiting.length > 0) return false
    this.free -= 1
    return true
  }
  /** Waits for a permit. `granted` runs in the turn in which the permit is given. */
  take(granted: () => void): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      if (this.tryTake()) {
        granted()
        return resume(Effect.void)
      }
      const grant = () => {
        granted()
        resume(Effect.void)
      }
      this.waiting.push(grant)
      return Effect.sync(() => {
        const at = this.waiting.indexOf(grant)
        if (at >= 0) this.waiting.splice(at, 1)
      })
    })
  }
  release(): void {
    const next = this.waiting.shift()
    if (next === undefined) this.free += 1
    else next()
  }
}
