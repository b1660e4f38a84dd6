import { Context } from "effect"
import type { Broker, Cluster } from "../../domain/cluster/state.ts"
import type { NodeConfig } from "../../domain/kernel/config.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"

/** What all parts of a broker know of their node and of the cluster. */
export class BrokerContext extends Context.Tag("comanche-franz/broker/BrokerContext")<
  BrokerContext,
  {
    readonly nodeId: BrokerId
    /** The settings of this node: those that it started with, and those that were set since. */
    readonly config: () => NodeConfig
    /** The image of the cluster. */
    readonly cluster: () => Cluster
    /** Whether the image's entry for this node is this process, and not an earlier one with the same id. */
    readonly isSelf: (broker: Broker) => boolean
    /** Warns the operator. Plain, because a replica reports from plain code in the middle of an append. */
    readonly warn: (line: string) => void
    /** Stops the broker because an assertion of its own code failed: it must not serve what it may corrupt. Throws. */
    readonly bug: (message: string) => never
  }
>() {}
