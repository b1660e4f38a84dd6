import { Either } from "effect"
import type { Rejection } from "../../kernel/error-code.ts"
import type { BrokerId } from "../../kernel/id.ts"
import { currentBroker } from "../broker/current-broker.ts"
import type { InSyncSetRequest } from "../command.ts"
import type { CommandOf, Decision } from "../decision.ts"
import { change } from "../election.ts"
import { brokerOf, type Cluster, type Partition, topicById } from "../state.ts"
import { type ChangeReason, eventsOfChanges, livesOf, minIsrOf, type PartitionChange } from "./partition-changes.ts"

const no = (error: Rejection["error"], message: string): Rejection => ({ error, message })

/** Returns why the epochs of a request do not let its sender change the partition. */
const epochFault = (partition: Partition, brokerId: number, request: InSyncSetRequest, name: string): Rejection | undefined => {
  const { leader, leaderEpoch, partitionEpoch } = partition
  // The sender knows a newer state than this leader: a newer leader of the cluster decides.
  if (request.leaderEpoch > leaderEpoch || request.partitionEpoch > partitionEpoch)
    return no("NOT_CONTROLLER", `${name} has leader epoch ${leaderEpoch} and partition epoch ${partitionEpoch} here; the request is newer.`)
  if (request.leaderEpoch < leaderEpoch) return no("FENCED_LEADER_EPOCH", `${name} has leader epoch ${leaderEpoch}, not ${request.leaderEpoch}.`)
  if (leader !== brokerId) return no("INVALID_REQUEST", `${name} is led by ${leader === -1 ? "no broker" : `broker ${leader}`}, not by broker ${brokerId}.`)
  if (request.partitionEpoch < partitionEpoch)
    return no("INVALID_UPDATE_VERSION", `${name} has partition epoch ${partitionEpoch}, not ${request.partitionEpoch}.`)
  return undefined
}

/** Returns why a replica cannot join the in-sync set: its log may have been emptied since the fetch (KIP-903), or it may not lead (KIP-841). */
const joinFault = (cluster: Cluster, id: number, brokerEpoch: number): string | undefined => {
  const broker = brokerOf(cluster, id)
  if (broker === undefined) return `broker ${id} is not registered`
  if (broker.fenced) return `broker ${id} is fenced`
  if (broker.leavingAt !== undefined) return `broker ${id} shuts down`
  return broker.epoch === brokerEpoch ? undefined : `broker ${id} has broker epoch ${broker.epoch}, not ${brokerEpoch}`
}

/**
 * Returns why an in-sync set is not changed as its request says; undefined where it is. A handler asks again on the
 * state after the command for each partition that has no row in the events: UNKNOWN_TOPIC_ID,
 * UNKNOWN_TOPIC_OR_PARTITION, NOT_CONTROLLER, FENCED_LEADER_EPOCH, INVALID_UPDATE_VERSION, INVALID_REQUEST or
 * INELIGIBLE_REPLICA. Exported for tests and for that handler.
 */
export const inSyncSetFault = (cluster: Cluster, brokerId: number, request: InSyncSetRequest): Rejection | undefined => {
  const topic = topicById(cluster, request.topicId)
  if (topic === undefined) return no("UNKNOWN_TOPIC_ID", `There is no topic with id ${request.topicId.slice(0, 60)}.`)
  const partition = topic.partitions.at(request.partition)
  const name = `${topic.name}-${request.partition}`
  if (partition === undefined) return no("UNKNOWN_TOPIC_OR_PARTITION", `There is no partition ${name}.`)
  const fault = epochFault(partition, brokerId, request, name)
  if (fault !== undefined) return fault
  const ids = request.isr.map((one) => one.brokerId)
  const stranger = ids.find((id) => !partition.replicas.includes(id as BrokerId))
  if (stranger !== undefined) return no("INVALID_REQUEST", `Broker ${stranger} is no replica of ${name}.`)
  if (new Set(ids).size < ids.length) return no("INVALID_REQUEST", `The in-sync set of ${name} has a broker more than once.`)
  if (!ids.includes(brokerId)) return no("INVALID_REQUEST", `The in-sync set of ${name} lacks its leader, broker ${brokerId}.`)
  const joining = request.isr.filter((one) => !partition.isr.includes(one.brokerId as BrokerId))
  for (const one of joining) {
    const why = joinFault(cluster, one.brokerId, one.brokerEpoch)
    if (why !== undefined) return no("INELIGIBLE_REPLICA", `${name}: ${why}.`)
  }
  return undefined
}

/** As asked, in the order of the replicas, so that equal sets are equal lists. */
const wantedIsr = ({ replicas }: Partition, { isr }: InSyncSetRequest): ReadonlyArray<BrokerId> =>
  replicas.filter((id) => isr.some(({ brokerId }) => brokerId === id))

/**
 * Changes in-sync sets as a partition leader asks (AlterPartition): each partition by itself; one that is refused has no
 * row. STALE_BROKER_EPOCH or BROKER_ID_NOT_REGISTERED for the whole request. R7: the sets change by these events alone.
 */
export const alterInSyncSets = (cluster: Cluster, { brokerEpoch, brokerId, partitions }: CommandOf<"AlterInSyncSets">): Decision =>
  Either.map(currentBroker(cluster, brokerId, brokerEpoch), () => {
    const lifeOf = livesOf(cluster)
    const grown: Array<PartitionChange> = []
    const shrunk: Array<PartitionChange> = []
    const seen = new Set<string>()
    for (const request of partitions) {
      const key = `${request.topicId} ${request.partition}`
      if (seen.has(key) || inSyncSetFault(cluster, brokerId, request) !== undefined) continue
      seen.add(key)
      const topic = topicById(cluster, request.topicId)
      const before = topic?.partitions.at(request.partition)
      if (topic === undefined || before === undefined) continue
      const isr = wantedIsr(before, request)
      const sameIsr = isr.length === before.isr.length && isr.every((id) => before.isr.includes(id))
      const changed = change(before, sameIsr ? {} : { isr }, lifeOf, minIsrOf(cluster, topic.configs))
      // The set stays, and the partition epoch rises: the leader refuses a copy of an older request that is under way.
      const after = changed === before ? { ...before, partitionEpoch: before.partitionEpoch + 1 } : changed
      const one = { topicId: topic.topicId, partition: request.partition, before, after }
      ;(isr.some((id) => !before.isr.includes(id)) ? grown : shrunk).push(one)
    }
    const reason = (inSync: ChangeReason["inSync"]): ChangeReason => ({ elected: "reassigned", inSync, by: brokerId as BrokerId })
    return [...eventsOfChanges(grown, reason("caught up")), ...eventsOfChanges(shrunk, reason("lagging"))]
  })
