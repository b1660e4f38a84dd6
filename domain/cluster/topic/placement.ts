import { HashMap } from "effect"
import type { BrokerId } from "../../kernel/id.ts"
import type { BrokerLife } from "../election.ts"
import type { Cluster } from "../state.ts"

/** A broker that can hold new replicas. */
interface PlacementBroker {
  readonly id: BrokerId
  readonly rack: string | null
  readonly life: BrokerLife
}

interface Load {
  readonly id: BrokerId
  readonly rack: string | null
  /** 0: it serves; 1: it shuts down; 2: it is fenced. */
  readonly rank: number
  /** Partitions whose preferred leader it is, and replicas on it. */
  leaders: number
  replicas: number
}

/** Returns how many partitions prefer each broker as their leader. */
const preferredLeaders = (cluster: Pick<Cluster, "topics">): ReadonlyMap<BrokerId, number> => {
  const counts = new Map<BrokerId, number>()
  for (const { partitions } of HashMap.values(cluster.topics))
    for (const { replicas } of partitions) {
      const first = replicas[0] as BrokerId
      counts.set(first, (counts.get(first) ?? 0) + 1)
    }
  return counts
}

const least = (loads: ReadonlyArray<Load>, isAllowed: (load: Load) => boolean, before: (one: Load, other: Load) => number): Load => {
  let found: Load | undefined
  for (const load of loads) if (isAllowed(load) && (found === undefined || before(load, found) < 0)) found = load
  return found as Load
}
const ranks: Readonly<Record<BrokerLife, number>> = { unfenced: 0, leaving: 1, fenced: 2 }
const byLeaders = (one: Load, other: Load): number => one.rank - other.rank || one.leaders - other.leaders || one.replicas - other.replicas || one.id - other.id
const byReplicas = (one: Load, other: Load): number => one.rank - other.rank || one.replicas - other.replicas || one.id - other.id

/** Takes the replicas of one partition: the leader first, then a broker of each rack in turn before a second one of any. */
const placeOne = (loads: ReadonlyArray<Load>, replicationFactor: number): ReadonlyArray<BrokerId> => {
  const taken: Array<Load> = []
  const inRack = (rack: string | null): number => taken.filter((load) => load.rack === rack).length
  while (taken.length < replicationFactor) {
    // A broker without a rack shares its rack with no other.
    const fewest = (one: Load, other: Load): number => (one.rack === null ? 0 : inRack(one.rack)) - (other.rack === null ? 0 : inRack(other.rack))
    const next = least(
      loads,
      (load) => !taken.includes(load),
      taken.length === 0 ? byLeaders : (one, other) => one.rank - other.rank || fewest(one, other) || byReplicas(one, other)
    )
    if (taken.length === 0) next.leaders++
    next.replicas++
    taken.push(next)
  }
  return taken.map(({ id }) => id)
}

/**
 * Returns the replicas of each of `partitions` new partitions, the preferred leader first. `brokers` must have at least
 * `replicationFactor` entries. Deterministic: of brokers with the same load the lower id comes first.
 *
 * With one replica the broker with the fewest partitions gets the first partition; the others follow in turn, so that no
 * broker gets two partitions of the topic more than another. With more replicas each partition is led by a broker that
 * is the preferred leader of the fewest, and its followers are on other racks, on the brokers with the fewest replicas.
 * A broker that is fenced, or shuts down, gets a replica only where the others are too few, as in Kafka: it comes last.
 */
export const place = (
  brokers: ReadonlyArray<PlacementBroker>,
  cluster: Pick<Cluster, "load" | "topics">,
  partitions: number,
  replicationFactor = 1
): ReadonlyArray<ReadonlyArray<BrokerId>> => {
  const replicasOf = (broker: BrokerId): number => {
    const found = HashMap.get(cluster.load, broker)
    return found._tag === "Some" ? found.value : 0
  }
  const leaders = replicationFactor === 1 ? new Map<BrokerId, number>() : preferredLeaders(cluster)
  const loads = brokers
    .map(({ id, life, rack }): Load => ({ id, rack, rank: ranks[life], leaders: leaders.get(id) ?? 0, replicas: replicasOf(id) }))
    .sort(byReplicas)
  const first = loads.filter(({ rank }) => rank === loads[0]?.rank)
  return Array.from({ length: partitions }, (_, index) =>
    replicationFactor === 1 ? [(first[index % first.length] as Load).id] : placeOne(loads, replicationFactor)
  )
}
