import { brokerOf } from "../../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../../domain/kernel/id.ts"
import type { BrokerContext } from "../../broker-context.ts"

const rackAware = /(^|\.)RackAwareReplicaSelector$/

/**
 * Which brokers are near to a consumer, by `replica.selector.class` (KIP-392): with RackAwareReplicaSelector the unfenced
 * ones of its rack, unless this broker is one of them. Empty: consumers read from the leader.
 */
export const nearTo =
  ({ cluster, config, nodeId }: Pick<BrokerContext["Type"], "cluster" | "config" | "nodeId">) =>
  (rack: string): ((broker: BrokerId) => boolean) | undefined => {
    const settings = config()
    if (!rackAware.test(settings["replica.selector.class"]) || settings["broker.rack"] === rack) return undefined
    const now = cluster()
    return (id) => {
      const broker = brokerOf(now, id)
      return id !== nodeId && broker?.rack === rack && !broker.fenced
    }
  }
