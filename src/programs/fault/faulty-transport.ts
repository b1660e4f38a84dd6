import { Effect, Fiber, Runtime } from "effect"
import type { Transport } from "../../ports/transport.ts"
import { ownLinksOf } from "../../wire/admission/own-links.ts"
import type { Faults } from "./faults.ts"
import { FaultyConnection } from "./faulty-connection.ts"

/** The transport of a cluster's nodes, on which requests of clients fail as `faults` says. */
export const faultyTransport = (plain: Transport["Type"], faults: Faults): Transport["Type"] => {
  const faulty: Transport["Type"] = {
    ...plain,
    listen: (address, accept) =>
      Effect.flatMap(Effect.runtime<never>(), (runtime) => {
        const after = (ms: number, task: () => void) => {
          const fiber = Runtime.runFork(runtime)(Effect.delay(Effect.sync(task), ms))
          return () => void Effect.runFork(Fiber.interrupt(fiber))
        }
        let { port } = address
        return Effect.tap(
          plain.listen(address, (connection) => {
            // The transport of the nodes alone is asked: links that clients of this process opened over another one are clients'.
            const own = new FaultyConnection(connection, { faults, port: () => port, isNode: (each) => ownLinksOf(faulty).has(each), after })
            return own.listen(accept(own.connection))
          }),
          (at) => Effect.sync(() => void ({ port } = at))
        )
      })
  }
  return faulty
}
