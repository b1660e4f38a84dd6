import { Effect, type Scope } from "effect"
import type { Address, ConnectFault, Connection, Listener } from "../../src/ports/transport.ts"
import { connectFault, connectTimeout } from "./fault.ts"
import { type Closable, endAll } from "./linger.ts"

/**
 * What an adapter reports while it connects. `accepted` returns the listener of the connection; undefined where the
 * caller has left.
 */
interface Attempt<C> {
  readonly accepted: (connection: C) => Listener | undefined
  readonly failed: (cause: unknown) => void
}

/**
 * Connects within `timeoutMs` or fails, and closes the connection with the scope. `begin` starts the attempt and
 * returns how to cancel it.
 */
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
      const cancel = begin({
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
        cancel()
      })
    })
    return restore(Effect.timeoutFail(attempt, { duration: timeoutMs, onTimeout: () => connectTimeout(address, timeoutMs) })).pipe(
      // The connection may have opened in the same turn in which the time ran out or the caller was interrupted.
      Effect.onError(() => Effect.sync(() => made?.destroy())),
      Effect.tap((connection) => Effect.addFinalizer(() => endAll([connection])))
    )
  })
