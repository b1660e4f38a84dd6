import { HashMap } from "effect"
import type { BrokerId } from "../../kernel/id.ts"
import type { Cluster } from "../state.ts"

/**
 * Returns a broker for each of `partitions` new partitions, one copy each. The broker with the fewest partitions gets
 * the first; the others follow in turn, so that no broker gets two partitions of the topic more than another, and the
 * load evens out over all topics. `brokers` must not be empty. Deterministic: of brokers with the same load the lower
 * id comes first.
 */
export const place = (brokers: ReadonlyArray<BrokerId>, load: Cluster["load"], partitions: number): ReadonlyArray<BrokerId> => {
  const loadOf = (broker: BrokerId): number => {
    const found = HashMap.get(load, broker)
    return found._tag === "Some" ? found.value : 0
  }
  const ordered = brokers.map((broker) => ({ broker, load: loadOf(broker) })).sort((one, other) => one.load - other.load || one.broker - other.broker)
  return Array.from({ length: partitions }, (_, index) => (ordered[index % ordered.length] as { broker: BrokerId }).broker)
}
