import { Effect } from "effect"
import type { Connection } from "../../src/ports/transport.ts"

/** A connection that knows whether it is over. */
export interface Closable extends Connection {
  readonly isClosed: boolean
}

/** How long a connection that its scope closes may take to send what was written, and how often we look. */
const lingerMs = 1000
const lookMs = 10

/** Ends connections when their scope closes: what was written goes out first, but a peer that does not read gets only a moment. */
export const endAll = (connections: Iterable<Closable>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const open = [...connections]
    for (const connection of open) connection.end()
    const late = () => open.filter((connection) => !connection.isClosed)
    if (late().length === 0) return Effect.void
    return Effect.gen(function* () {
      for (let waitedMs = 0; waitedMs < lingerMs && late().length > 0; waitedMs += lookMs) yield* Effect.sleep(lookMs)
      for (const connection of late()) connection.destroy()
    })
  })
