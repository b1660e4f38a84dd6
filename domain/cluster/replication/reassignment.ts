import { Either, HashMap, Option } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import type { BrokerId } from "../../kernel/id.ts"
import { replicationFactorMax } from "../bounds.ts"
import type { TopicPartition } from "../command.ts"
import type { CommandOf, Decision } from "../decision.ts"
import { change } from "../election.ts"
import type { Event } from "../event.ts"
import { replicationEventLevel } from "../event-level.ts"
import { brokerOf, type Cluster, type Partition, type Topic, topicByName } from "../state.ts"
import { replicasFault } from "../topic/replicas.ts"
import { ReassignmentBegan } from "./event.ts"
import { type ChangeReason, endsReassignment, eventsOfChanges, livesOf, minIsrOf, type PartitionChange } from "./partition-changes.ts"

const reason: ChangeReason = { elected: "reassigned", inSync: "min ISR", by: null }
const no = (error: Rejection["error"], message: string): Rejection => ({ error, message })

/** Whether a reassignment of the partition is in progress. */
const isReassigned = ({ adding, removing }: Partition): boolean => adding.length + removing.length > 0

/** The replicas before the reassignment that is in progress. */
const original = ({ adding, replicas }: Partition): ReadonlyArray<BrokerId> => replicas.filter((id) => !adding.includes(id))

/**
 * Returns the reassignment of a partition to other replicas: the target first, then those to be removed. A replica that
 * an earlier reassignment adds and that is not in sync yet is added by this one too, if it is in the target.
 */
const reassignmentTo = (partition: Partition, target: ReadonlyArray<BrokerId>): Pick<Partition, "replicas" | "adding" | "removing"> => {
  const before = original(partition)
  const removing = partition.replicas.filter((id) => !target.includes(id))
  return { replicas: [...target, ...removing], adding: target.filter((id) => !before.includes(id)), removing }
}

/** The events that begin a reassignment, and end it where the present in-sync set allows that. */
export const reassigned = (
  cluster: Cluster,
  { configs, topicId }: Topic,
  index: number,
  before: Partition,
  target: ReadonlyArray<BrokerId>
): ReadonlyArray<Event> => {
  const next = reassignmentTo(before, target)
  const began = { ...before, ...next, partitionEpoch: before.partitionEpoch + 1 }
  const after = change(began, {}, livesOf(cluster), minIsrOf(cluster, configs))
  const { adding, removing, replicas } = next
  return [
    new ReassignmentBegan({ topicId, partition: index, replicas: replicas as [BrokerId, ...Array<BrokerId>], adding, removing }),
    ...(after === began ? [] : eventsOfChanges([{ topicId, partition: index, before: began, after }], reason))
  ]
}

interface Bounds {
  readonly partitionsPerBrokerMax: number
  readonly allowReplicationFactorChange: boolean
  readonly replicationFactorMax?: number | undefined
}

/** Counts the replicas that the reassignments of one command add. */
class Added {
  private readonly counts = new Map<BrokerId, number>()
  constructor(private readonly cluster: Cluster) {}
  of(id: BrokerId): number {
    return Option.getOrElse(HashMap.get(this.cluster.load, id), () => 0) + (this.counts.get(id) ?? 0)
  }
  add(ids: ReadonlyArray<BrokerId>): void {
    for (const id of ids) this.counts.set(id, (this.counts.get(id) ?? 0) + 1)
  }
}

const targetFault = (
  cluster: Cluster,
  partition: Partition,
  index: number,
  target: ReadonlyArray<number>,
  bounds: Bounds,
  added: Added
): Rejection | undefined => {
  const fault = replicasFault(cluster, index, target)
  if (fault !== undefined) return fault
  const { adding } = reassignmentTo(partition, target as ReadonlyArray<BrokerId>)
  const fenced = adding.find((id) => brokerOf(cluster, id)?.fenced !== false)
  if (fenced !== undefined) return no("INVALID_REPLICA_ASSIGNMENT", `Partition ${index} cannot be moved to broker ${fenced}: it is fenced.`)
  const most = Math.max(bounds.replicationFactorMax ?? replicationFactorMax, original(partition).length)
  if (target.length > most) return no("INVALID_REPLICATION_FACTOR", `Partition ${index} would have ${target.length} replicas, the most is ${most}.`)
  if (!bounds.allowReplicationFactorChange && target.length !== original(partition).length)
    return no(
      "INVALID_REPLICATION_FACTOR",
      `Partition ${index} has ${original(partition).length} replicas, the request names ${target.length}, and forbids another number.`
    )
  const full = adding.find((id) => added.of(id) >= bounds.partitionsPerBrokerMax)
  if (full !== undefined)
    return no("POLICY_VIOLATION", `Broker ${full} would hold more than ${bounds.partitionsPerBrokerMax} partitions: see franz.broker.partitions.max.`)
  return undefined
}

const found = (cluster: Cluster, { partition, topic }: TopicPartition): readonly [Topic, Partition] | undefined => {
  const one = topicByName(cluster, topic)
  const before = one?.partitions.at(partition)
  return one === undefined || before === undefined ? undefined : [one, before]
}
const unknownPartition = ({ partition, topic }: TopicPartition): Rejection =>
  no("UNKNOWN_TOPIC_OR_PARTITION", `There is no partition ${topic.slice(0, 60)}-${partition}.`)

type Reassignment = CommandOf<"ReassignPartitions">["partitions"][number]

const faultOf = (cluster: Cluster, one: Reassignment, bounds: Bounds, added: Added): Rejection | undefined => {
  const of = found(cluster, one)
  if (of === undefined) return unknownPartition(one)
  if (cluster.eventLevel < replicationEventLevel)
    return no("UNSUPPORTED_VERSION", `A reassignment needs event level ${replicationEventLevel}, the cluster is at ${cluster.eventLevel}.`)
  return targetFault(cluster, of[1], one.partition, one.replicas, bounds, added)
}

/**
 * Returns why a partition is not reassigned; undefined where it is. A handler asks on the state after the command for a
 * partition that has no event: UNKNOWN_TOPIC_OR_PARTITION, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR,
 * POLICY_VIOLATION or UNSUPPORTED_VERSION. Exported for tests and for that handler.
 */
export const reassignmentFault = (cluster: Cluster, one: Reassignment, bounds: Bounds): Rejection | undefined =>
  faultOf(cluster, one, bounds, new Added(cluster))

/** Whether the partition has these replicas already, or is moved to them, in this order. */
export const isReassignedTo = (partition: Partition, target: ReadonlyArray<number>): boolean => {
  const now = partition.replicas.filter((id) => !partition.removing.includes(id))
  return now.length === target.length && now.every((id, at) => id === target[at])
}

/** Reassigns each partition by itself; one that is refused, or that has the replicas already, has no event. */
export const reassignPartitions = (cluster: Cluster, command: CommandOf<"ReassignPartitions">): Decision => {
  const added = new Added(cluster)
  const seen = new Set<string>()
  const events: Array<Event> = []
  for (const one of command.partitions) {
    const of = found(cluster, one)
    const key = `${one.topic} ${one.partition}`
    if (of === undefined || seen.has(key) || faultOf(cluster, one, command, added) !== undefined || isReassignedTo(of[1], one.replicas)) continue
    seen.add(key)
    const target = one.replicas as ReadonlyArray<BrokerId>
    added.add(reassignmentTo(of[1], target).adding)
    events.push(...reassigned(cluster, of[0], one.partition, of[1], target))
  }
  return Either.right(events)
}

const reverted = (cluster: Cluster, [topic, partition]: readonly [Topic, Partition]): Partition => {
  const replicas = original(partition)
  return change(partition, { replicas, adding: [], removing: [] }, livesOf(cluster), minIsrOf(cluster, topic.configs))
}

/**
 * Returns why a reassignment is not cancelled; undefined where it is: UNKNOWN_TOPIC_OR_PARTITION,
 * NO_REASSIGNMENT_IN_PROGRESS, or INVALID_REPLICA_ASSIGNMENT where none of the original replicas is in sync.
 * Exported for tests and for the handler.
 */
export const cancellationFault = (cluster: Cluster, one: TopicPartition): Rejection | undefined => {
  const of = found(cluster, one)
  if (of === undefined) return unknownPartition(one)
  const [topic, partition] = of
  if (!isReassigned(partition)) return no("NO_REASSIGNMENT_IN_PROGRESS", `No reassignment of ${topic.name}-${one.partition} is in progress.`)
  const replicas = original(partition)
  const left = partition.isr.filter((id) => replicas.includes(id)).length
  // Without an in-sync replica of its own the partition would lose records: those that are added may be all that have them.
  return left > 0 || (partition.isr.length === 0 && partition.elr.every((id) => replicas.includes(id)))
    ? undefined
    : no(
        "INVALID_REPLICA_ASSIGNMENT",
        `The reassignment of ${topic.name}-${one.partition} cannot be cancelled: none of its original replicas ${replicas.join(", ")} is in sync.`
      )
}

/** Cancels each reassignment by itself; one that is refused has no event. */
export const cancelReassignment = (cluster: Cluster, { partitions }: CommandOf<"CancelReassignment">): Decision => {
  const seen = new Set<string>()
  const changes: Array<PartitionChange> = []
  for (const one of partitions) {
    const of = found(cluster, one)
    const key = `${one.topic} ${one.partition}`
    if (of === undefined || seen.has(key) || cancellationFault(cluster, one) !== undefined) continue
    seen.add(key)
    changes.push({ topicId: of[0].topicId, partition: one.partition, before: of[1], after: reverted(cluster, of) })
  }
  return Either.right(eventsOfChanges(changes.filter(endsReassignment), reason, "cancelled"))
}
