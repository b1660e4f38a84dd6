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

/** What is left of the replacement of a broker: its partitions, by what can be done about them. */
export interface Replacement {
  /** Partitions whose replica on the broker can be moved. */
  readonly due: number
  /** Partitions that are moved away from the broker now. */
  readonly moving: number
  /** Partitions without another copy to move from: the broker's is the only one, or no replica leads. */
  readonly waiting: number
}

interface MovesOf {
  readonly due: ReadonlyArray<Move>
  readonly moving: number
  readonly waiting: number
}

const movesOf = (cluster: Cluster, broker: BrokerId): MovesOf => {
  const due: Array<Move> = []
  let moving = 0
  let waiting = 0
  for (const topic of sortedTopics(cluster)) {
    let index = 0
    for (const partition of topic.partitions) {
      const at = index++
      if (!partition.replicas.includes(broker)) continue
      // Followers fetch from the leader alone: a move from a partition without one would only hold up the others.
      if (partition.leader === -1 || !isReplicated(partition)) waiting++
      else if (partition.removing.includes(broker)) moving++
      else due.push({ topic, index: at, partition })
    }
  }
  // Partitions whose preferred leader it was come first: the others have their leaders.
  const isFirst = ({ partition: { replicas } }: Move) => Number(replicas[0] === broker)
  return { due: due.toSorted((one, other) => isFirst(other) - isFirst(one)), moving, waiting }
}

/** Returns how many of the broker's partitions are due to move, move now, or cannot be moved. */
export const replacementOf = (cluster: Cluster, broker: BrokerId): Replacement => {
  const { due, moving, waiting } = movesOf(cluster, broker)
  return { due: due.length, moving, waiting }
}

/** Chooses the brokers that take the place of a lost one. */
class Spares {
  private readonly loads: Map<BrokerId, number>
  private readonly live: ReadonlyArray<Broker>

  constructor(
    private readonly cluster: Cluster,
    private readonly rack: string | null,
    private readonly partitionsPerBrokerMax: number
  ) {
    this.live = liveBrokers(cluster).filter(({ leavingAt }) => leavingAt === undefined)
    this.loads = new Map(this.live.map(({ id }) => [id, Option.getOrElse(HashMap.get(cluster.load, id), () => 0)]))
  }

  private loadOf(id: BrokerId): number {
    return this.loads.get(id) ?? 0
  }

  /** The lost broker's own rack first, then one with the fewest replicas of the partition, then the broker with the fewest partitions. */
  take({ replicas }: Partition, lost: BrokerId): BrokerId | undefined {
    const racks = replicas.flatMap((id) => (id === lost ? [] : (brokerOf(this.cluster, id)?.rack ?? [])))
    const shared = ({ rack }: Broker): number => racks.filter((one) => one === rack).length
    const own = ({ rack }: Broker): number => Number(rack === this.rack)
    const [spare] = this.live
      .filter(({ id }) => !replicas.includes(id) && this.loadOf(id) < this.partitionsPerBrokerMax)
      .toSorted((one, other) => own(other) - own(one) || shared(one) - shared(other) || this.loadOf(one.id) - this.loadOf(other.id) || one.id - other.id)
    if (spare === undefined) return undefined
    this.loads.set(spare.id, this.loadOf(spare.id) + 1)
    return spare.id
  }
}

/**
 * Moves replicas of a fenced broker to the live brokers with the fewest, of its own rack first: at most `movesMax` at a
 * time. No event for an unfenced broker, and for a partition for which no broker is free or which has no leader to copy
 * from. A broker that is unfenced again keeps what was not moved.
 */
export const replaceBroker = (cluster: Cluster, { brokerId, movesMax, partitionsPerBrokerMax }: CommandOf<"ReplaceBroker">): Decision => {
  const gone = brokerOf(cluster, brokerId)
  if (gone?.fenced === false || cluster.eventLevel < replicationEventLevel) return Either.right([])
  const { due, moving } = movesOf(cluster, brokerId)
  const spares = new Spares(cluster, gone?.rack ?? null, partitionsPerBrokerMax)
  const events: Array<Event> = []
  let moves = moving
  for (const { index, partition, topic } of due) {
    if (moves >= movesMax) break
    const spare = spares.take(partition, brokerId)
    if (spare === undefined) continue
    const target = partition.replicas.filter((id) => !partition.removing.includes(id)).map((id) => (id === brokerId ? spare : id))
    events.push(...reassigned(cluster, topic, index, partition, target))
    moves++
  }
  return Either.right(events)
}
