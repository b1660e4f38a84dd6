import { Effect, type Scope } from "effect"
import type { Address, ConnectFault, Connection, Listener } from "../../src/ports/transport.ts"
import { connectTimeout } from "./fault.ts"
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
 * returns how to cancel it; `faultOf` gives the fault for what the runtime reports.
 */
export const connecting = <C extends Closable, E>(
  address: Address,
  timeoutMs: number,
  opened: (connection: Connection) => Listener,
  faultOf: (address: Address, cause: unknown) => E,
  begin: (attempt: Attempt<C>) => () => void
): Effect.Effect<C, E | ConnectFault, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) => {
    let made: C | undefined
    const attempt = Effect.async<C, E>((resume) => {
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
          if (made === undefined) resume(Effect.fail(faultOf(address, cause)))
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
