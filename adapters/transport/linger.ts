import { Effect } from "effect"
import type { Connection } from "../../src/ports/transport.ts"

/** A connection that knows whether it is closed. */
export interface Closable extends Connection {
  readonly isClosed: boolean
}

/** How long a connection may take to send what was written when its scope closes, and how often that is checked. */
const lingerMs = 1000
const lookMs = 10

/**
 * Closes connections when their scope closes: written bytes are sent first; a connection whose peer does not read is
 * destroyed after `lingerMs`.
 */
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
