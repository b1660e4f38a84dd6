import { Either } from "effect"
import type { BrokerId, TopicId } from "../../kernel/id.ts"
import { currentBroker } from "../broker/current-broker.ts"
import { type CommandOf, type Decision, rejected } from "../decision.ts"
import { type BrokerLife, change, type WantedPartition } from "../election.ts"
import { replicationEventLevel } from "../event-level.ts"
import { type Cluster, type Partition, topicById } from "../state.ts"
import { RecordsLost, ReplicasDisowned, rowsMax } from "./event.ts"
import { eventsOfChanges, isLastCopy, isReplicated, livesOf, minIsrOf, type PartitionChange } from "./partition-changes.ts"

/**
 * Returns how many of the replicas that a broker disowns stay its own, since no other log has what is committed. Two
 * brokers that both lost their logs each see the other one in the in-sync set: the second one to report has the last
 * copy.
 */
export const lastCopies = (cluster: Cluster, { brokerId, partitions, reason }: Omit<CommandOf<"DisownReplicas">, "_tag" | "brokerEpoch">): number =>
  partitions.filter(({ partition, topicId }) => {
    const placed = topicById(cluster, topicId)?.partitions.at(partition)
    return reason !== "unwritable" && placed !== undefined && isReplicated(placed) && isLastCopy(placed, brokerId as BrokerId)
  }).length

/**
 * Returns what becomes of a partition whose log on a broker takes no records. The broker leaves the in-sync set where
 * another member of it can lead; otherwise the partition stays as it is, so that it can be read at least.
 */
const withoutUnwritable = ({ isr }: Partition, id: BrokerId, lifeOf: (id: BrokerId) => BrokerLife): WantedPartition | undefined =>
  isr.includes(id) && isr.some((other) => other !== id && lifeOf(other) === "unfenced") ? { unwritable: id } : undefined

const withoutDisowned = (partition: Partition, id: BrokerId, reason: CommandOf<"DisownReplicas">["reason"]): WantedPartition | undefined => {
  const isCounted = partition.isr.includes(id) || partition.elr.includes(id)
  const isForgotten = reason === "damage" && partition.replicas.includes(id)
  return (isCounted || isForgotten) && !isLastCopy(partition, id) ? { disowned: id } : undefined
}

/**
 * Takes a broker out of the in-sync sets and ELRs of partitions whose logs it lost, so that an empty log never leads
 * (KAFKA-14139). Partitions of which it has the last copy stay as they are: an election would make the loss final.
 *
 * A log that a running broker found damaged is reported where no set has the broker, too: the leader epoch rises, so
 * that the partition leader forgets what the replica fetched before. Otherwise it could still take the replica up by
 * that, without its records. No other report of a partition whose sets do not have the broker has an event.
 *
 * A log that takes no records, because its disk is full, has what its broker acknowledged. The broker leaves the
 * in-sync set, so that acks=all does not wait for it, and stays eligible where the set is too small without it. The
 * journal gives the reason "disk", since older brokers know no other word.
 */
export const disownReplicas = (cluster: Cluster, command: CommandOf<"DisownReplicas">): Decision =>
  Either.map(currentBroker(cluster, command.brokerId, command.brokerEpoch), ({ epoch, id }) => {
    const lifeOf = livesOf(cluster)
    const changes: Array<PartitionChange> = []
    const seen = new Set<string>()
    for (const { partition, topicId } of command.partitions) {
      const topic = topicById(cluster, topicId)
      const before = topic?.partitions.at(partition)
      if (topic === undefined || before === undefined || !isReplicated(before) || seen.has(`${topicId} ${partition}`)) continue
      seen.add(`${topicId} ${partition}`)
      const wanted = command.reason === "unwritable" ? withoutUnwritable(before, id, lifeOf) : withoutDisowned(before, id, command.reason)
      if (wanted === undefined) continue
      const after = change(before, wanted, lifeOf, minIsrOf(cluster, topic.configs))
      changes.push({ topicId: topic.topicId, partition, before, after })
    }
    const rows = changes.map(({ partition, topicId }) => [topicId, partition] as const)
    const reason = command.reason === "unwritable" ? "disk" : command.reason
    const reports = Array.from(
      { length: Math.ceil(rows.length / rowsMax) },
      (_, at) => new ReplicasDisowned({ brokerId: id, brokerEpoch: epoch, reason, rows: rows.slice(at * rowsMax, (at + 1) * rowsMax) })
    )
    return [...reports, ...eventsOfChanges(changes, { elected: "disowned", inSync: "disowned", by: id })]
  })

/** Records that a replica removed below its own high watermark. The cluster's state does not change. */
export const reportLostRecords = (cluster: Cluster, command: CommandOf<"ReportLostRecords">): Decision => {
  const { from, leaderEpoch, partition, to, topicId } = command
  return Either.flatMap(currentBroker(cluster, command.brokerId, command.brokerEpoch), ({ id }) => {
    if (
      topicById(cluster, topicId)
        ?.partitions.at(partition)
        ?.replicas.includes(id as BrokerId) !== true
    )
      return rejected("INVALID_REQUEST", `Broker ${id} is no replica of partition ${partition} of topic ${topicId.slice(0, 60)}.`)
    if (![from, to, leaderEpoch].every(Number.isSafeInteger) || from < 0 || to <= from)
      return rejected("INVALID_REQUEST", `The lost records ${from} to ${to} of partition ${partition} are no range of offsets.`)
    if (cluster.eventLevel < replicationEventLevel) return Either.right([])
    return Either.right([new RecordsLost({ topicId: topicId as TopicId, partition, brokerId: id, leaderEpoch, from, to })])
  })
}
