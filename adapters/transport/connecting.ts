import { Effect, type Scope } from "effect"
import type { Address, ConnectFault, Connection, Listener } from "../../src/ports/transport.ts"
import { connectFault, connectTimeout } from "./fault.ts"
import { type Closable, endAll } from "./linger.ts"

/** What an adapter tells while it connects. `accepted` answers what to do with the connection: undefined where nobody wants it any more. */
export interface Attempt<C> {
  readonly accepted: (connection: C) => Listener | undefined
  readonly failed: (cause: unknown) => void
}

/** Connects in time or fails, and closes the connection with the scope. `begin` starts the attempt and answers how to give it up. */
export const connecting = <C extends Closable>(
  address: Address,
  timeoutMs: number,
  opened: (connection: Connection) => Listener,
  begin: (attempt: Attempt<C>) => () => void
): Effect.Effect<C, ConnectFault, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) => {
    let made: C | undefined
    const attempt = Effect.async<C, ConnectFault>((resume) => {
      let wanted = true
      const giveUp = begin({
        accepted: (connection) => {
          if (!wanted) {
            connection.destroy()
            return undefined
          }
          made = connection
          const listener = opened(connection)
          resume(Effect.succeed(connection))
          return listener
        },
        failed: (cause) => {
          if (made === undefined) resume(Effect.fail(connectFault(address, cause)))
        }
      })
      return Effect.sync(() => {
        wanted = false
        giveUp()
      })
    })
    return restore(Effect.timeoutFail(attempt, { duration: timeoutMs, onTimeout: () => connectTimeout(address, timeoutMs) })).pipe(
      // It may have opened in the moment in which the time ran out or the caller left.
      Effect.onError(() => Effect.sync(() => made?.destroy())),
      Effect.tap((connection) => Effect.addFinalizer(() => endAll([connection])))
    )
  })
