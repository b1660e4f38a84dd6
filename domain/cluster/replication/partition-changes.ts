import { HashMap, type Schema } from "effect"
import type { BrokerId, TopicId } from "../../kernel/id.ts"
import { nodeConfigsOf } from "../config/node.ts"
import { type BrokerLife, change, type ElectionKind, type WantedPartition } from "../election.ts"
import type { Event } from "../event.ts"
import { brokerOf, type Cluster, type Partition, sortedTopics, type Topic } from "../state.ts"
import { InSyncSetsChanged, LeaderElectedUncleanly, LeadersElected, ReassignmentEnded, rowsMax } from "./event.ts"

/** A partition that a decision changes. */
export interface PartitionChange {
  readonly topicId: TopicId
  readonly partition: number
  readonly before: Partition
  readonly after: Partition
}
/** Why partitions change, as their events say it. */
export interface ChangeReason {
  readonly elected: LeadersElected["reason"]
  readonly inSync: InSyncSetsChanged["reason"]
  /** The broker that asked; null: the cluster's leader. */
  readonly by: BrokerId | null
}

export const minIsrSetting = "min.insync.replicas"

/** Returns `min.insync.replicas` of a topic: its own, that of all nodes, or 1. All nodes have the same value (KAFKA-16540). */
export const minIsrOf = (cluster: Pick<Cluster, "nodeConfigs">, configs: Topic["configs"]): number => {
  const value = Number(configs[minIsrSetting] ?? nodeConfigsOf(cluster, null)[minIsrSetting] ?? 1)
  return Number.isInteger(value) && value >= 1 ? value : 1
}

/** Returns what each broker can do now; `instead` has the state of brokers that the same command changes. */
export const livesOf =
  (cluster: Cluster, instead: ReadonlyMap<BrokerId, BrokerLife> = new Map()): ((id: BrokerId) => BrokerLife) =>
  (id) => {
    const given = instead.get(id)
    if (given !== undefined) return given
    const broker = brokerOf(cluster, id)
    if (broker === undefined || broker.fenced) return "fenced"
    return broker.leavingAt === undefined ? "unfenced" : "leaving"
  }

/**
 * Whether rows say what becomes of the partition. One with a single replica follows its broker: BrokerFenced and
 * BrokerUnfenced change it by themselves.
 */
export const isReplicated = ({ replicas }: Partition): boolean => replicas.length > 1

/** Whether the in-sync set or the ELR names the broker, and no other one: no other log is known to have all that is committed. */
export const isLastCopy = ({ elr, isr }: Partition, id: BrokerId): boolean => [...isr, ...elr].every((each) => each === id) && isr.length + elr.length > 0

/**
 * Returns the changes to all partitions with more than one replica for which `wanted` returns a value: one walk, some
 * 10 ms for 200,000 partitions.
 */
export const changesOf = (
  cluster: Cluster,
  lifeOf: (id: BrokerId) => BrokerLife,
  wanted: (partition: Partition, topic: Topic) => WantedPartition | undefined,
  kind: ElectionKind = "online"
): ReadonlyArray<PartitionChange> => {
  const changes: Array<PartitionChange> = []
  for (const topic of sortedTopics(cluster)) {
    let index = 0
    let minIsr = 0
    for (const before of topic.partitions) {
      const partition = index++
      const target = isReplicated(before) ? wanted(before, topic) : undefined
      if (target === undefined) continue
      if (minIsr === 0) minIsr = minIsrOf(cluster, topic.configs)
      const after = change(before, target, lifeOf, minIsr, kind)
      if (after !== before) changes.push({ topicId: topic.topicId, partition, before, after })
    }
  }
  return changes
}

type ElectedRow = Schema.Schema.Type<typeof LeadersElected>["rows"][number]
type InSyncRow = Schema.Schema.Type<typeof InSyncSetsChanged>["rows"][number]

function* parts<A>(rows: ReadonlyArray<A>): Generator<ReadonlyArray<A>> {
  for (let at = 0; at < rows.length; at += rowsMax) yield rows.slice(at, at + rowsMax)
}

/** An event of a reassignment that this change completes, or that `cancelled` says is cancelled. */
const ended = ({ after, partition, topicId }: PartitionChange, outcome: ReassignmentEnded["outcome"]): Event => {
  const { elr, isr, leader, leaderEpoch } = after
  return new ReassignmentEnded({ topicId, partition, outcome, replicas: after.replicas as [BrokerId, ...Array<BrokerId>], isr, elr, leader, leaderEpoch })
}

/** Whether a change ends the partition's reassignment. */
export const endsReassignment = ({ after, before }: Pick<PartitionChange, "before" | "after">): boolean =>
  before.adding.length + before.removing.length > 0 && after.adding.length + after.removing.length === 0

/**
 * Returns the events of changes: rows by topic, in the order of the topics, and an event for each reassignment that
 * ends. A change that takes effect by ReassignmentBegan is not among `changes`.
 */
export const eventsOfChanges = (
  changes: ReadonlyArray<PartitionChange>,
  reason: ChangeReason,
  outcome: ReassignmentEnded["outcome"] = "completed"
): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  const elected = new Map<TopicId, Array<ElectedRow>>()
  const inSync = new Map<TopicId, Array<InSyncRow>>()
  const rowsOf = <Row>(rows: Map<TopicId, Array<Row>>, topicId: TopicId): Array<Row> => {
    const found = rows.get(topicId) ?? []
    if (found.length === 0) rows.set(topicId, found)
    return found
  }
  for (const one of changes) {
    const { after, before, partition, topicId } = one
    if (endsReassignment(one)) events.push(ended(one, outcome))
    else if (after.leaderEpoch !== before.leaderEpoch) rowsOf(elected, topicId).push([partition, after.leader, after.leaderEpoch, after.isr, after.elr])
    else rowsOf(inSync, topicId).push([partition, after.isr, after.elr])
  }
  for (const [topicId, rows] of elected) for (const part of parts(rows)) events.push(new LeadersElected({ topicId, reason: reason.elected, rows: part }))
  for (const [topicId, rows] of inSync)
    for (const part of parts(rows)) events.push(new InSyncSetsChanged({ topicId, reason: reason.inSync, by: reason.by, rows: part }))
  return events
}

/** Returns the events of elections in which a replica may lead that lacks records (R8): those that it wins so are events of their own. */
export const eventsOfUncleanElections = (changes: ReadonlyArray<PartitionChange>, commandedBy: string): ReadonlyArray<Event> => {
  const isUnclean = ({ after, before }: PartitionChange): boolean =>
    after.leader !== -1 && !before.isr.includes(after.leader) && !before.elr.includes(after.leader)
  const unclean = changes.filter(isUnclean).map(({ after, before, partition, topicId }) => {
    const { isr, leader, leaderEpoch } = after
    return new LeaderElectedUncleanly({
      topicId,
      partition,
      leader: leader as BrokerId,
      leaderEpoch,
      isr,
      lastInSync: [...before.isr, ...before.elr],
      commandedBy
    })
  })
  const clean = changes.filter((one) => !isUnclean(one))
  return [...unclean, ...eventsOfChanges(clean, { elected: "unfenced", inSync: "unfenced", by: null })]
}

/** Returns the rows of partitions whose sets a broker leaves: it is fenced, it shuts down, or its logs lack records. */
export const eventsWithout = (cluster: Cluster, broker: BrokerId, life: BrokerLife, reason: ChangeReason, disowns = false): ReadonlyArray<Event> => {
  const lifeOf = livesOf(cluster, new Map([[broker, life]]))
  const wanted = (partition: Partition): WantedPartition | undefined => {
    const { elr, isr, leader } = partition
    const without = isr.filter((id) => id !== broker)
    // The last copy stays: it is the best that there is, as Kafka's last known leader (KIP-966).
    if (disowns) return (isr.includes(broker) || elr.includes(broker)) && !isLastCopy(partition, broker) ? { disowned: broker } : undefined
    if (life === "leaving") return isr.includes(broker) && without.some((id) => lifeOf(id) === "unfenced") ? { isr: without } : undefined
    return isr.includes(broker) || leader === broker ? { isr: without } : undefined
  }
  return eventsOfChanges(changesOf(cluster, lifeOf, wanted), reason)
}

/** Returns the rows of partitions without a leader that an unfenced broker leads. */
export const eventsWith = (cluster: Cluster, broker: BrokerId): ReadonlyArray<Event> => {
  const wanted = ({ elr, isr, leader }: Partition): WantedPartition | undefined =>
    leader === -1 && (isr.includes(broker) || elr.includes(broker)) ? {} : undefined
  const changes = changesOf(cluster, livesOf(cluster, new Map([[broker, "unfenced"]])), wanted)
  return eventsOfChanges(changes, { elected: "unfenced", inSync: "unfenced", by: null })
}

/**
 * Returns the rows of ELRs that are no longer needed, since `min.insync.replicas` fell with the state: they belong to
 * the same command as the setting. Otherwise an in-sync set that is large enough could commit records that a member of
 * the ELR lacks.
 */
export const eventsOfMinIsr = (cluster: Cluster, topicId?: TopicId): ReadonlyArray<Event> => {
  const wanted = ({ elr }: Partition, topic: Topic): WantedPartition | undefined =>
    elr.length > 0 && (topicId === undefined || topic.topicId === topicId) ? {} : undefined
  return eventsOfChanges(changesOf(cluster, livesOf(cluster), wanted), { elected: "unfenced", inSync: "min ISR", by: null })
}

/** Whether a partition with more than one replica has the broker in its in-sync set or under its lead. */
export const hasReplicated = (cluster: Cluster, broker: BrokerId): boolean => {
  for (const { partitions } of HashMap.values(cluster.topics))
    for (const partition of partitions) if (isReplicated(partition) && (partition.leader === broker || partition.isr.includes(broker))) return true
  return false
}
