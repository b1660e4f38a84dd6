import { Clock, Effect } from "effect"

/** How long a line is not said again, ms. */
const windowMs = 60_000
/** Different lines in that time: whoever invents causes must not fill the log. */
const linesMax = 5

/** Says the same thing once a minute at most, for what others repeat every second. `what` tells one thing from another, `line` is how it is said. */
export const makeRefrain = (): ((what: string, line: string) => Effect.Effect<void>) => {
  const said = new Set<string>()
  let sinceMs = Number.NEGATIVE_INFINITY
  return (what, line) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      // A clock that was set back begins a new minute too.
      if (now - sinceMs >= windowMs || now < sinceMs) {
        said.clear()
        sinceMs = now
      }
      if (said.has(what) || said.size >= linesMax) return Effect.logDebug(line)
      said.add(what)
      return Effect.logWarning(line)
    })
}
