import { Effect } from "effect"
import type { Steps } from "../../domain/kernel/steps.ts"

/** How long steps keep the event loop to themselves. */
export const sliceNs = 4_000_000n

/** Lets the loop go round once: sockets, timers and disks are served. `Effect.yieldNow` lets other fibers run, and them alone. */
export const loopTurn: Effect.Effect<void> = Effect.sleep(0)

/** Runs steps on a fiber: a turn of the loop after each slice. */
export const runSteps = <A>(steps: Steps<A>): Effect.Effect<A> => {
  const slice: Effect.Effect<A> = Effect.clockWith((clock) => {
    const end = clock.unsafeCurrentTimeNanos() + sliceNs
    for (;;) {
      const step = steps.next()
      if (step.done === true) return Effect.succeed(step.value)
      if (clock.unsafeCurrentTimeNanos() >= end) return Effect.zipRight(loopTurn, slice)
    }
  })
  return slice
}
