import { HashMap } from "effect"
import type { BrokerId } from "../../kernel/id.ts"
import type { Cluster } from "../state.ts"

/**
 * A broker for each of `partitions` new partitions, one copy each. The first goes to the broker that has the fewest
 * partitions, then they go round, so that within the topic no broker gets two more than another, and over all topics
 * the load evens out. `brokers` must not be empty. Deterministic: brokers with the same load are taken by rising id.
 */
export const place = (brokers: ReadonlyArray<BrokerId>, load: Cluster["load"], partitions: number): ReadonlyArray<BrokerId> => {
  const loadOf = (broker: BrokerId): number => {
    const found = HashMap.get(load, broker)
    return found._tag === "Some" ? found.value : 0
  }
  const ordered = brokers.map((broker) => ({ broker, load: loadOf(broker) })).sort((one, other) => one.load - other.load || one.broker - other.broker)
  return Array.from({ length: partitions }, (_, index) => (ordered[index % ordered.length] as { broker: BrokerId }).broker)
}
