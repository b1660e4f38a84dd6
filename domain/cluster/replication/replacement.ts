import { Either, HashMap, Option } from "effect"
import type { BrokerId } from "../../kernel/id.ts"
import type { CommandOf, Decision } from "../decision.ts"
import type { Event } from "../event.ts"
import { replicationEventLevel } from "../event-level.ts"
import { type Broker, brokerOf, type Cluster, liveBrokers, type Partition, sortedTopics, type Topic } from "../state.ts"
import { isReplicated } from "./partition-changes.ts"
import { reassigned } from "./reassignment.ts"

interface Move {
  readonly topic: Topic
  readonly index: number
  readonly partition: Partition
}

/** Partitions with a replica on the broker that no reassignment removes, and how many a reassignment removes now. */
const movesOf = (cluster: Cluster, broker: BrokerId): { readonly due: ReadonlyArray<Move>; readonly running: number } => {
  const due: Array<Move> = []
  let running = 0
  for (const topic of sortedTopics(cluster)) {
    let index = 0
    for (const partition of topic.partitions) {
      if (partition.removing.includes(broker)) running++
      // A copy that is the only one cannot be fetched from anywhere: it waits for its broker.
      else if (partition.replicas.includes(broker) && isReplicated(partition)) due.push({ topic, index, partition })
      index++
    }
  }
  // Partitions whose preferred leader it was come first: the others have their leaders.
  return { due: due.toSorted((one, other) => Number(other.partition.replicas[0] === broker) - Number(one.partition.replicas[0] === broker)), running }
}

/**
 * Moves replicas of a fenced broker to the live brokers with the fewest, of its own rack first: at most `movesMax` at a
 * time. No event for an unfenced or unknown broker, and for a partition for which no broker is free. A broker that is
 * unfenced again keeps what was not moved.
 */
export const replaceBroker = (cluster: Cluster, { brokerId, movesMax, partitionsPerBrokerMax }: CommandOf<"ReplaceBroker">): Decision => {
  const gone = brokerOf(cluster, brokerId)
  if (gone?.fenced === false || cluster.eventLevel < replicationEventLevel) return Either.right([])
  const { due, running } = movesOf(cluster, brokerId)
  const loads = new Map(liveBrokers(cluster).map(({ id }) => [id, Option.getOrElse(HashMap.get(cluster.load, id), () => 0)]))
  const spares = liveBrokers(cluster).filter(({ leavingAt }) => leavingAt === undefined)
  const before = (one: Broker, other: Broker): number =>
    Number(other.rack === gone?.rack) - Number(one.rack === gone?.rack) || (loads.get(one.id) ?? 0) - (loads.get(other.id) ?? 0) || one.id - other.id
  const events: Array<Event> = []
  let moves = running
  for (const { index, partition, topic } of due) {
    if (moves >= movesMax) break
    const free = spares.filter(({ id }) => !partition.replicas.includes(id) && (loads.get(id) ?? 0) < partitionsPerBrokerMax)
    const [spare] = free.toSorted(before)
    if (spare === undefined) continue
    const target = partition.replicas.filter((id) => !partition.removing.includes(id)).map((id) => (id === brokerId ? spare.id : id))
    loads.set(spare.id, (loads.get(spare.id) ?? 0) + 1)
    events.push(...reassigned(cluster, topic, index, partition, target))
    moves++
  }
  return Either.right(events)
}
