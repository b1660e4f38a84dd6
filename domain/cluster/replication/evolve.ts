import { HashMap } from "effect"
import { bug } from "../../kernel/bug.ts"
import type { TopicId } from "../../kernel/id.ts"
import { brokerOf, type Cluster, type Partition, topicById } from "../state.ts"
import type * as R from "./event.ts"

/** R1: under a leader epoch that falls, two brokers could lead the partition under the same one. */
export const assertRising = (topicId: string, partition: number, leaderEpoch: number, before: number): void => {
  if (leaderEpoch < before) bug(`partition ${partition} of topic ${topicId}: leader epoch ${leaderEpoch} follows ${before}`)
}

type Changed = Partial<Omit<Partition, "partitionEpoch">>

/** The cluster with changes to partitions of one topic; each raises the partition epoch by one. Rows of partitions that do not exist change nothing. */
const withRows = <Row>(
  cluster: Cluster,
  topicId: TopicId,
  rows: ReadonlyArray<Row>,
  partitionOf: (row: Row) => number,
  changed: (row: Row) => Changed
): Cluster => {
  const topic = topicById(cluster, topicId)
  if (topic === undefined) return cluster
  let { partitions } = topic
  for (const row of rows) {
    const index = partitionOf(row)
    const before = partitions.at(index)
    if (before === undefined) continue
    const after = { ...before, ...changed(row), partitionEpoch: before.partitionEpoch + 1 }
    assertRising(topicId, index, after.leaderEpoch, before.leaderEpoch)
    partitions = partitions.set(index, after)
  }
  return { ...cluster, topics: HashMap.set(cluster.topics, topicId, { ...topic, partitions }) }
}

export const leadersElected = (cluster: Cluster, { rows, topicId }: R.LeadersElected): Cluster =>
  withRows(
    cluster,
    topicId,
    rows,
    ([partition]) => partition,
    ([, leader, leaderEpoch, isr, elr]) => ({ leader, leaderEpoch, isr, elr })
  )

export const inSyncSetsChanged = (cluster: Cluster, { rows, topicId }: R.InSyncSetsChanged): Cluster =>
  withRows(
    cluster,
    topicId,
    rows,
    ([partition]) => partition,
    ([, isr, elr]) => ({ isr, elr })
  )

/** `load` after a partition has other replicas. */
const withReplicas = (cluster: Cluster, topicId: TopicId, index: number, changed: Changed & Pick<Partition, "replicas">): Cluster => {
  const before = topicById(cluster, topicId)?.partitions.at(index)
  if (before === undefined) return cluster
  const load = HashMap.mutate(cluster.load, (loads) => {
    const add = (change: number) => (id: (typeof before.replicas)[number]) => {
      const now = HashMap.get(loads, id)
      HashMap.set(loads, id, (now._tag === "Some" ? now.value : 0) + change)
    }
    before.replicas.forEach(add(-1))
    changed.replicas.forEach(add(1))
  })
  return withRows(
    { ...cluster, load },
    topicId,
    [changed],
    () => index,
    (row) => row
  )
}

export const leaderElectedUncleanly = (cluster: Cluster, { isr, leader, leaderEpoch, partition, topicId }: R.LeaderElectedUncleanly): Cluster =>
  withRows(
    cluster,
    topicId,
    [partition],
    (index) => index,
    () => ({ leader, leaderEpoch, isr, elr: [] })
  )

export const reassignmentBegan = (cluster: Cluster, { adding, partition, removing, replicas, topicId }: R.ReassignmentBegan): Cluster =>
  withReplicas(cluster, topicId, partition, { replicas, adding, removing })

export const reassignmentEnded = (cluster: Cluster, { elr, isr, leader, leaderEpoch, partition, replicas, topicId }: R.ReassignmentEnded): Cluster =>
  withReplicas(cluster, topicId, partition, { replicas, adding: [], removing: [], isr, elr, leader, leaderEpoch })

export const brokerLeaving = (cluster: Cluster, { brokerEpoch, brokerId }: R.BrokerLeaving): Cluster => {
  const broker = brokerOf(cluster, brokerId)
  if (broker === undefined || broker.epoch !== brokerEpoch) return cluster
  return { ...cluster, brokers: HashMap.set(cluster.brokers, brokerId, { ...broker, leavingAt: cluster.index }) }
}
