import { Either } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import type { BrokerId } from "../../kernel/id.ts"
import type { TopicPartition } from "../command.ts"
import type { CommandOf, Decision } from "../decision.ts"
import { change } from "../election.ts"
import { type Cluster, type Partition, sortedTopics, topicByName } from "../state.ts"
import { changesOf, eventsOfChanges, eventsOfUncleanElections, livesOf, minIsrOf, type PartitionChange } from "./partition-changes.ts"

type Kind = CommandOf<"ElectLeaders">["kind"]

/** Returns the partition after an election; the same where nothing changes. */
const elected = (cluster: Cluster, kind: Kind, partition: Partition, configs: Readonly<Record<string, string>>): Partition =>
  change(partition, {}, livesOf(cluster), minIsrOf(cluster, configs), kind)

/**
 * Returns why an election does not change a partition; undefined where it does. A handler asks on the state before the
 * command, and on that after it for a partition that has no event: UNKNOWN_TOPIC_OR_PARTITION, ELECTION_NOT_NEEDED,
 * PREFERRED_LEADER_NOT_AVAILABLE or ELIGIBLE_LEADERS_NOT_AVAILABLE. Exported for tests and for that handler.
 */
export const electionFault = (cluster: Cluster, kind: Kind, { partition, topic }: TopicPartition): Rejection | undefined => {
  const found = topicByName(cluster, topic)
  const before = found?.partitions.at(partition)
  const name = `${topic.slice(0, 60)}-${partition}`
  if (found === undefined || before === undefined) return { error: "UNKNOWN_TOPIC_OR_PARTITION", message: `There is no partition ${name}.` }
  if (kind === "preferred" && before.leader === before.replicas[0])
    return { error: "ELECTION_NOT_NEEDED", message: `${name} is led by its preferred leader, broker ${before.leader}.` }
  if (kind === "unclean" && before.leader !== -1) return { error: "ELECTION_NOT_NEEDED", message: `${name} is led by broker ${before.leader}.` }
  const after = elected(cluster, kind, before, found.configs)
  if (kind === "preferred" && after.leader !== before.replicas[0])
    return {
      error: "PREFERRED_LEADER_NOT_AVAILABLE",
      message: `Broker ${before.replicas[0]} cannot lead ${name}: it is fenced, shuts down, or is not in sync.`
    }
  return after.leader === -1 ? { error: "ELIGIBLE_LEADERS_NOT_AVAILABLE", message: `Every replica of ${name} is fenced or shuts down.` } : undefined
}

const changedBy = (cluster: Cluster, kind: Kind, partitions: ReadonlyArray<TopicPartition>): ReadonlyArray<PartitionChange> => {
  const seen = new Set<string>()
  return partitions.flatMap(({ partition, topic }) => {
    const key = `${topic} ${partition}`
    if (seen.has(key) || electionFault(cluster, kind, { topic, partition }) !== undefined) return []
    seen.add(key)
    const found = topicByName(cluster, topic)
    const before = found?.partitions.at(partition)
    if (found === undefined || before === undefined) return []
    const after = elected(cluster, kind, before, found.configs)
    return after === before ? [] : [{ topicId: found.topicId, partition, before, after }]
  })
}

/** R8: an election of a replica that lacks records is an event of its own, and only this command makes it. */
export const electLeaders = (cluster: Cluster, { commandedBy, kind, partitions }: CommandOf<"ElectLeaders">): Decision => {
  const wanted = (partition: Partition) => ((kind === "preferred" ? partition.leader !== partition.replicas[0] : partition.leader === -1) ? {} : undefined)
  const changes = partitions === null ? changesOf(cluster, livesOf(cluster), wanted, kind) : changedBy(cluster, kind, partitions)
  // An election that fails may still complete a reassignment; it is left to what completes it.
  const led = changes.filter(({ after, before }) => after.leader !== before.leader)
  return Either.right(
    kind === "unclean" ? eventsOfUncleanElections(led, commandedBy) : eventsOfChanges(led, { elected: "preferred", inSync: "unfenced", by: null })
  )
}

/** Partitions by their preferred leader that can be elected now, and how many prefer it. */
const imbalances = (cluster: Cluster): ReadonlyMap<BrokerId, { readonly total: number; readonly elsewhere: ReadonlyArray<PartitionChange> }> => {
  const totals = new Map<BrokerId, number>()
  for (const { partitions } of sortedTopics(cluster))
    for (const { replicas } of partitions) totals.set(replicas[0] as BrokerId, (totals.get(replicas[0] as BrokerId) ?? 0) + 1)
  const elsewhere = new Map<BrokerId, Array<PartitionChange>>()
  for (const one of changesOf(cluster, livesOf(cluster), ({ leader, replicas }) => (leader === replicas[0] ? undefined : {}), "preferred")) {
    const preferred = one.before.replicas[0] as BrokerId
    if (one.after.leader === preferred) elsewhere.set(preferred, [...(elsewhere.get(preferred) ?? []), one])
  }
  return new Map([...elsewhere].map(([broker, changes]) => [broker, { total: totals.get(broker) ?? 0, elsewhere: changes }]))
}

/** Only members of the in-sync set are elected, so that no election waits for a replica to catch up (Redpanda 2592). */
export const balanceLeaders = (cluster: Cluster, { electionsMax, imbalancePercentMax }: CommandOf<"BalanceLeaders">): Decision => {
  const due = [...imbalances(cluster)]
    .toSorted(([one], [other]) => one - other)
    .filter(([, { elsewhere, total }]) => elsewhere.length * 100 > imbalancePercentMax * total)
  const changes = due.flatMap(([, { elsewhere }]) => elsewhere).slice(0, Math.max(0, electionsMax))
  return Either.right(eventsOfChanges(changes, { elected: "preferred", inSync: "unfenced", by: null }))
}
