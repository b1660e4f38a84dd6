import { type Clock, Effect } from "effect"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { attempt } from "./disk.ts"

/** How long what is done in slices keeps the event loop to itself, all of it together. */
const sliceNs = 8_000_000n

/** Runs the event loop once: sockets, timers and disk callbacks are served. `Effect.yieldNow` lets other fibers run, and they alone. */
const turn: Effect.Effect<void> = Effect.async((resume) => void setImmediate(() => resume(Effect.void)))

/** One store's measure of how long it has kept the loop. */
export class Pace {
  private since: bigint

  constructor(
    private readonly clock: Clock.Clock,
    /** What is told between slices. */
    private readonly tell: Effect.Effect<void> = Effect.void
  ) {
    this.since = clock.unsafeCurrentTimeNanos()
  }

  /** Costs nothing until a slice's time is over. */
  readonly pause: Effect.Effect<void> = Effect.suspend(() => {
    if (this.clock.unsafeCurrentTimeNanos() - this.since < sliceNs) return Effect.void
    return Effect.zipRight(
      Effect.zipRight(this.tell, turn),
      Effect.sync(() => void (this.since = this.clock.unsafeCurrentTimeNanos()))
    )
  })
}

/** Runs plain disk work that says by `yield` where it may pause; what it throws becomes a LogFault, as by `attempt`. */
export const inSlices = <A>(pace: Pace, path: string, doing: string, work: Generator<void, A>): Effect.Effect<A, LogFault> => {
  const next: Effect.Effect<A, LogFault> = Effect.suspend(() =>
    Effect.flatMap(
      attempt(path, doing, () => work.next()),
      (step) => (step.done === true ? Effect.succeed(step.value) : Effect.zipRight(pace.pause, next))
    )
  )
  return next
}
