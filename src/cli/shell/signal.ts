import { Effect } from "effect"

/**
 * Returns the name of the first SIGTERM or SIGINT. A second one ends the process at once: acknowledged messages are
 * safe without a clean shutdown.
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
