import { Context, Deferred, Effect } from "effect"
import type { BrokerFault } from "./fault.ts"

/** Ends the broker because of a fault that it cannot continue with. */
export class BrokerStop extends Context.Tag("comanche-franz/broker/BrokerStop")<
  BrokerStop,
  {
    /** Logs the fault, and stops the broker with it. The first fault is the one that the node reports. */
    readonly stop: (fault: BrokerFault) => Effect.Effect<void>
    /** Fails with the fault that stopped the broker. */
    readonly failed: Effect.Effect<never, BrokerFault>
  }
>() {
  static readonly make: Effect.Effect<BrokerStop["Type"]> = Effect.map(Deferred.make<never, BrokerFault>(), (failed) => ({
    stop: (fault) => Effect.zipRight(Effect.logError(fault.message), Effect.asVoid(Deferred.fail(failed, fault))),
    failed: Deferred.await(failed)
  }))
}
