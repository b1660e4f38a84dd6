import { Effect } from "effect"

/** Returns at the first SIGTERM or SIGINT, with its name. A second one ends the process at once: what was acknowledged is safe without a farewell. */
export const stopSignal: Effect.Effect<NodeJS.Signals> = Effect.async((resume) => {
  const stop = (name: NodeJS.Signals) => {
    const leave = () => process.exit(130)
    process.once("SIGTERM", leave)
    process.once("SIGINT", leave)
    resume(Effect.succeed(name))
  }
  process.once("SIGTERM", stop)
  process.once("SIGINT", stop)
  return Effect.sync(() => {
    process.off("SIGTERM", stop)
    process.off("SIGINT", stop)
  })
})
