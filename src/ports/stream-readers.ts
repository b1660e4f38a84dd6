import { Effect } from "effect"

/** The readers of a stream that wait for entries to come. As many as there are calls of `follow`. */
export class StreamReaders {
  private readonly waiting = new Set<() => void>()

  /** Returns when `isDue` says so: looks at once, and after each `wake`. */
  readonly until = (isDue: () => boolean): Effect.Effect<void> =>
    Effect.async<void>((resume) => {
      if (isDue()) return resume(Effect.void)
      const look = () => {
        if (!isDue()) return
        this.waiting.delete(look)
        resume(Effect.void)
      }
      this.waiting.add(look)
      return Effect.sync(() => this.waiting.delete(look))
    })

  /** Lets the readers look: there are more entries, or the stream is closed. */
  wake(): void {
    for (const look of [...this.waiting]) look()
  }
}
