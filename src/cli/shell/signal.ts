import { Effect } from "effect"
import { onStopSignal } from "./stop-signals.ts"

/**
 * Returns the name of the first SIGTERM or SIGINT. A second one ends the process at once: acknowledged messages are
 * safe without a clean shutdown. When the effect is interrupted, a signal ends the process at once again.
 */
export const stopSignal: Effect.Effect<NodeJS.Signals> = Effect.async((resume) => {
  let received = false
  // One listener for both times: Deno calls a listener that is added while a signal is delivered for that same signal.
  const listener = (name: NodeJS.Signals) => {
    if (received) process.exit(130)
    received = true
    resume(Effect.succeed(name))
  }
  process.on("SIGTERM", listener)
  process.on("SIGINT", listener)
  return Effect.sync(() => {
    process.off("SIGTERM", listener)
    process.off("SIGINT", listener)
  })
})

/** The same of a node, which receives signals from its first statement until the process ends: the first one, whenever it came. */
export const nodeStopSignal: Effect.Effect<NodeJS.Signals> = Effect.async((resume) => {
  const forget = onStopSignal((name) => resume(Effect.succeed(name)))
  return Effect.sync(forget)
})
