import { Cause, Chunk, Context, Deferred, Effect, Exit, Runtime, Supervisor } from "effect"
import { Bug } from "../../domain/kernel/bug.ts"
import { BrokerSettings } from "./broker-settings.ts"
import { BrokerFault } from "./fault.ts"

/** Looks at how fibers end. */
class EndedFibers extends Supervisor.AbstractSupervisor<void> {
  readonly value = Effect.void
  constructor(private readonly failed: (bug: Bug) => void) {
    super()
  }
  override onEnd<A, E>(exit: Exit.Exit<A, E>): void {
    if (Exit.isSuccess(exit)) return
    for (const defect of Chunk.toReadonlyArray(Cause.defects(exit.cause))) if (defect instanceof Bug) this.failed(defect)
  }
}

/** Ends the broker because of a fault that it cannot continue with. */
export class BrokerStop extends Context.Tag("comanche-franz/broker/BrokerStop")<
  BrokerStop,
  {
    /** Logs the fault, and stops the broker with it. The first fault is the one that the node reports. */
    readonly stop: (fault: BrokerFault) => Effect.Effect<void>
    /** Fails with the fault that stopped the broker. */
    readonly failed: Effect.Effect<never, BrokerFault>
    /** The same effect, whose fibers stop the broker where one of them ends with a Bug. Otherwise a loop in the background would end, and the broker would serve what it may corrupt. */
    readonly watched: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
    /** Stops the broker because an assertion of its code failed. */
    readonly bug: (message: string) => void
  }
>() {
  static readonly make: Effect.Effect<BrokerStop["Type"], never, BrokerSettings> = Effect.gen(function* () {
    const { nodeId } = yield* BrokerSettings
    const failed = yield* Deferred.make<never, BrokerFault>()
    const runtime = yield* Effect.runtime<never>()
    const stop = (fault: BrokerFault) => Effect.zipRight(Effect.logError(fault.message), Effect.asVoid(Deferred.fail(failed, fault)))
    let isStopped = false
    const bug = (message: string): void => {
      // The failed assertion ends a fiber, and those that wait for it.
      if (isStopped) return
      isStopped = true
      const told = `Broker ${nodeId} stops because of a bug: ${message.replace(/\.?$/, ".")} Report it with this line.`
      Runtime.runFork(runtime)(stop(new BrokerFault({ kind: "bug", message: told })))
    }
    return { stop, bug, failed: Deferred.await(failed), watched: Effect.supervised(new EndedFibers(({ message }) => bug(message))) }
  })
}
