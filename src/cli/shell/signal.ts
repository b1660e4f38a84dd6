import { Effect } from "effect"

/** Returns at the first SIGTERM or SIGINT, with its name. A second one ends the process at once: what was acknowledged is safe without a farewell. */
export const stopSignal: Effect.Effect<NodeJS.Signals> = Effect.async((resume) => {
  let heard = false
  // One listener for both times: Deno calls a listener that is added while a signal is delivered for that same signal.
  const listener = (name: NodeJS.Signals) => {
    if (heard) process.exit(130)
    heard = true
    resume(Effect.succeed(name))
  }
  process.on("SIGTERM", listener)
  process.on("SIGINT", listener)
  return Effect.sync(() => {
    process.off("SIGTERM", listener)
    process.off("SIGINT", listener)
  })
})
