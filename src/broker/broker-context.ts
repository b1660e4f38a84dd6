import { Context, Effect, FiberSet, type Scope } from "effect"
import { liveNodeConfig } from "../../domain/cluster/config/node.ts"
import type { Broker, Cluster } from "../../domain/cluster/state.ts"
import { Bug } from "../../domain/kernel/bug.ts"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import { BrokerId } from "../../domain/kernel/id.ts"
import { BrokerIdentity } from "./broker-identity.ts"
import { BrokerSettings } from "./broker-settings.ts"
import { BrokerStop } from "./broker-stop.ts"
import { Image } from "./image/image.ts"

/** The node and the cluster, for all parts of a broker. */
export class BrokerContext extends Context.Tag("comanche-franz/broker/BrokerContext")<
  BrokerContext,
  {
    readonly nodeId: BrokerId
    /** The current settings of this node, dynamic ones included. */
    readonly config: () => NodeConfig
    /** The image of the cluster. */
    readonly cluster: () => Cluster
    /** Whether a registration in the image belongs to this process, and not to another one with the same node id. */
    readonly isSelf: (broker: Broker) => boolean
    /**
     * Logs a warning for the operator. A plain function, because a replica calls it during an append, outside of any
     * Effect.
     */
    readonly warn: (line: string) => void
    /** Stops the broker because an assertion of its own code failed: it must not serve what it may corrupt. Throws. */
    readonly bug: (message: string) => never
  }
>() {
  static readonly make: Effect.Effect<BrokerContext["Type"], never, BrokerSettings | BrokerIdentity | BrokerStop | Image | Scope.Scope> = Effect.gen(
    function* () {
      const { config, nodeId } = yield* BrokerSettings
      const { isSelf } = yield* BrokerIdentity
      const { bug: stop } = yield* BrokerStop
      const { cluster } = yield* Image
      const run = yield* FiberSet.makeRuntime<never>()
      return {
        nodeId: BrokerId.make(nodeId),
        config: liveNodeConfig(config, cluster, nodeId),
        cluster,
        isSelf,
        warn: (line) => void run(Effect.logWarning(line)),
        bug: (message) => {
          stop(message)
          throw new Bug(message)
        }
      }
    }
  )
}
