import { Context } from "effect"
import type { Broker, Cluster } from "../../domain/cluster/state.ts"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"

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
>() {}
