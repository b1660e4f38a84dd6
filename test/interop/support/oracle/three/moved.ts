import { Metadata } from "../../../../../src/protocol/message/03-metadata.ts"
import { DescribeConfigs } from "../../../../../src/protocol/message/32-describe-configs.ts"
import { CreatePartitions } from "../../../../../src/protocol/message/37-create-partitions.ts"
import { ElectLeaders } from "../../../../../src/protocol/message/43-elect-leaders.ts"
import { IncrementalAlterConfigs } from "../../../../../src/protocol/message/44-incremental-alter-configs.ts"
import { AlterPartitionReassignments } from "../../../../../src/protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../../../../src/protocol/message/46-list-partition-reassignments.ts"
import { DescribeTopicPartitions } from "../../../../../src/protocol/message/75-describe-topic-partitions.ts"
import { until } from "../../process.ts"
import { batch } from "../records.ts"
import type { ClusterScenario, ClusterSide } from "./cluster-side.ts"

export type Move = readonly [partitionIndex: number, replicas: ReadonlyArray<number> | null]
export const move = (cluster: ClusterSide, label: string, name: string, ...partitions: ReadonlyArray<Move>) =>
  cluster.ask(label, 1, AlterPartitionReassignments, 1, {
    timeoutMs: 30_000,
    topics: [{ name, partitions: partitions.map(([partitionIndex, replicas]) => ({ partitionIndex, replicas })) }]
  })
export const elect = (cluster: ClusterSide, label: string, electionType: number, topic: string, ...partitions: ReadonlyArray<number>) =>
  cluster.ask(label, 1, ElectLeaders, 2, { electionType, timeoutMs: 30_000, topicPartitions: [{ topic, partitions }] })

/** Moves that end, and moves that are refused. */
export const moves: ClusterScenario = async (cluster) => {
  await cluster.placed("moved", [
    [1, 2],
    [2, 3]
  ])
  for (const [index, leader] of [1, 2].entries()) await cluster.fill(leader, "moved", batch(3), index)
  await move(cluster, "a broker that is not there", "moved", [0, [1, 9]])
  await move(cluster, "a broker twice", "moved", [0, [3, 3]])
  await move(cluster, "no broker", "moved", [0, []])
  await move(cluster, "a negative broker", "moved", [0, [-1]])
  await move(cluster, "more than there are", "moved", [0, [1, 2, 3, 4]])
  await move(cluster, "cancelled without a move", "moved", [0, null])
  await cluster.ask("another factor, which is fixed", 1, AlterPartitionReassignments, 1, {
    timeoutMs: 30_000,
    allowReplicationFactorChange: false,
    topics: [{ name: "moved", partitions: [{ partitionIndex: 0, replicas: [1, 2, 3] }] }]
  })
  await move(cluster, "the order alone", "moved", [0, [2, 1]])
  await cluster.when("moved", "the order has changed", (each, at) => at !== 0 || each.replicaNodes[0] === 2)
  await cluster.ask("the order alone, described", 1, Metadata, 12, { topics: [{ name: "moved" }] })
  await move(cluster, "another broker, and one less", "moved", [0, [1, 3]], [1, [3]])
  const wanted = [[1, 3], [3]]
  await cluster.when("moved", "both have moved", (each, at) => String(each.replicaNodes) === String(wanted[at]) && each.isrNodes.length === wanted[at]?.length)
  await move(cluster, "two more", "moved", [1, [2, 3, 1]])
  await cluster.when("moved", "there are three", (each, at) => at !== 1 || each.isrNodes.length === 3)
  const { topics } = await cluster.call(1, Metadata, 12, { topics: [{ name: "moved" }] })
  // How often the leader changed on the way is not compared: a move may end in one step or in two.
  cluster.side.note(
    "moved",
    topics[0]?.partitions.map(({ leaderEpoch, ...partition }) => partition)
  )
  await cluster.ask("no move is left", 1, ListPartitionReassignments, 0, { topics: null })
}

const config = (resourceType: number, resourceName: string, name: string, value: string) => ({
  resources: [{ resourceType, resourceName, configs: [{ name, configOperation: 0, value }] }],
  validateOnly: false
})
const rate = "follower.replication.throttled.rate"
const throttled = "follower.replication.throttled.replicas"

/** A move that a throttle keeps under way: broker 3 may read a byte a second. */
export const slowMoves: ClusterScenario = async (cluster) => {
  await cluster.placed("slow", [[1, 2]])
  const large = batch(1, { records: [{ timestamp: 1, key: null, value: new Uint8Array(900_000) }] })
  for (let count = 0; count < 8; count++) await cluster.fill(1, "slow", large)
  await cluster.ask("throttled", 3, IncrementalAlterConfigs, 1, config(4, "3", rate, "1"))
  await cluster.ask("throttled, the topic", 1, IncrementalAlterConfigs, 1, config(2, "slow", throttled, "*"))
  // Kafka does not show the rate of a broker; what is set after it is known later.
  await until("broker 3 has the throttle", async () => {
    const resources = [{ resourceType: 2, resourceName: "slow", configurationKeys: [throttled] }]
    const answer = await cluster.call(3, DescribeConfigs, 4, { resources, includeSynonyms: false, includeDocumentation: false })
    return answer.results[0]?.configs[0]?.value === "*"
  })
  const look = async (label: string) => {
    await cluster.ask(`${label}: all`, 1, ListPartitionReassignments, 0, { topics: null })
    await cluster.ask(`${label}: by name`, 2, ListPartitionReassignments, 0, { topics: [{ name: "slow", partitionIndexes: [0, 3] }] })
    await cluster.ask(`${label}: Metadata`, 1, Metadata, 12, { topics: [{ name: "slow" }] })
    await cluster.ask(`${label}: pages`, 1, DescribeTopicPartitions, 0, { topics: [{ name: "slow" }] })
  }
  await move(cluster, "begun", "slow", [0, [1, 3]])
  await cluster.when("slow", "the move is under way", ({ replicaNodes }) => replicaNodes.length === 3)
  await look("under way")
  await elect(cluster, "preferred, under way", 0, "slow", 0)
  await cluster.ask("a partition more, under way", 1, CreatePartitions, 3, {
    topics: [{ name: "slow", count: 2, assignments: [{ brokerIds: [1, 2] }] }],
    timeoutMs: 30_000,
    validateOnly: true
  })
  await move(cluster, "the same again", "slow", [0, [1, 3]])
  await look("the same again")
  await move(cluster, "elsewhere", "slow", [0, [3]])
  await look("elsewhere")
  await move(cluster, "cancelled", "slow", [0, null])
  await cluster.when("slow", "it is as it was", ({ replicaNodes }) => replicaNodes.length === 2)
  await look("cancelled")
  await move(cluster, "cancelled again", "slow", [0, null])
  await cluster.ask("throttled no more", 3, IncrementalAlterConfigs, 1, {
    resources: [{ resourceType: 4, resourceName: "3", configs: [{ name: rate, configOperation: 1, value: null }] }],
    validateOnly: false
  })
}

export const elections: ClusterScenario = async (cluster) => {
  await cluster.placed("led", [
    [2, 1],
    [3, 2]
  ])
  await elect(cluster, "preferred, not needed", 0, "led", 0, 1)
  await elect(cluster, "unclean, not needed", 1, "led", 0)
  await move(cluster, "the order alone", "led", [0, [1, 2]])
  await cluster.when("led", "the order has changed", (each, at) => at !== 0 || each.replicaNodes[0] === 1)
  await elect(cluster, "preferred, needed", 0, "led", 0, 1)
  await cluster.when("led", "the first replica leads", (each) => each.leaderId === each.replicaNodes[0])
  await cluster.ask("described", 1, Metadata, 12, { topics: [{ name: "led" }] })
  await elect(cluster, "preferred, again", 0, "led", 0)
}
