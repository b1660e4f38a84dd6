import { Produce } from "../../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../../../../src/protocol/message/19-create-topics.ts"
import { DeleteRecords } from "../../../../../src/protocol/message/21-delete-records.ts"
import { OffsetForLeaderEpoch } from "../../../../../src/protocol/message/23-offset-for-leader-epoch.ts"
import { AlterPartitionReassignments } from "../../../../../src/protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../../../../src/protocol/message/46-list-partition-reassignments.ts"
import { AlterPartition } from "../../../../../src/protocol/message/56-alter-partition.ts"
import { DescribeCluster } from "../../../../../src/protocol/message/60-describe-cluster.ts"
import { UnregisterBroker } from "../../../../../src/protocol/message/64-unregister-broker.ts"
import { DescribeTopicPartitions } from "../../../../../src/protocol/message/75-describe-topic-partitions.ts"
import { until } from "../../process.ts"
import { batch } from "../records.ts"
import type { ClusterScenario, ClusterSide } from "./cluster-side.ts"
import { elect, move } from "./moved.ts"

/** A partition is called by the topic, since each topic has one. */
const placements = {
  // Led by the node that stops first, with two others.
  "three-of-two": [[3, 1, 2], "2"],
  // In sync on too few once one has stopped.
  "two-of-two": [[2, 3], "2"],
  // On the two that stop.
  lonely: [[3, 2], "1"],
  // On the one that stops.
  alone: [[3], "1"],
  // Stays.
  whole: [[1, 2], "1"]
} as const satisfies Readonly<Record<string, readonly [replicas: ReadonlyArray<number>, minIsr: string]>>
const names = Object.keys(placements)
const elsewhere = "moved-in-vain"

const produced = (name: string, acks: number) => ({ acks, timeoutMs: 5000, topicData: [{ name, partitionData: [{ index: 0, records: batch(1) }] }] })
const fetched = (topic: string) => ({
  maxWaitMs: 0,
  minBytes: 0,
  topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1_000_000 }] }]
})

const look = async (cluster: ClusterSide, label: string): Promise<void> => {
  for (const version of [4, 12]) await cluster.ask(`${label}: topics v${version}`, 1, Metadata, version, { topics: names.map((name) => ({ name })) })
  await cluster.ask(`${label}: pages`, 1, DescribeTopicPartitions, 0, { topics: names.map((name) => ({ name })) })
  await cluster.ask(`${label}: nodes`, 1, DescribeCluster, 2, { includeClusterAuthorizedOperations: false })
  await cluster.ask(`${label}: nodes, fenced ones too`, 1, DescribeCluster, 2, { includeClusterAuthorizedOperations: false, includeFencedBrokers: true })
  await cluster.ask(`${label}: moves`, 1, ListPartitionReassignments, 0, { topics: null })
}
const epochsOf = async (cluster: ClusterSide, label: string, name: string, node: number): Promise<void> => {
  for (const leaderEpoch of [0, 1, 2, 3])
    await cluster.ask(`${label}: epoch ${leaderEpoch}`, node, OffsetForLeaderEpoch, 4, {
      replicaId: -1,
      topics: [{ topic: name, partitions: [{ partition: 0, leaderEpoch }] }]
    })
  for (const currentLeaderEpoch of [0, 9])
    await cluster.ask(`${label}: current epoch ${currentLeaderEpoch}`, node, OffsetForLeaderEpoch, 4, {
      replicaId: -1,
      topics: [{ topic: name, partitions: [{ partition: 0, leaderEpoch: 0, currentLeaderEpoch }] }]
    })
}

const oneStopped = async (cluster: ClusterSide): Promise<void> => {
  await look(cluster, "one stopped")
  for (const acks of [-1, 1]) {
    await cluster.ask(`one stopped: in sync enough, acks ${acks}`, 1, Produce, 9, produced("three-of-two", acks))
    await cluster.ask(`one stopped: in sync too few, acks ${acks}`, 2, Produce, 9, produced("two-of-two", acks))
    await cluster.ask(`one stopped: no leader, acks ${acks}`, 1, Produce, 9, produced("alone", acks))
  }
  // What acks=1 wrote waits for a second replica in sync (KIP-966).
  await cluster.ask("one stopped: read below min ISR", 2, Fetch, 12, fetched("two-of-two"))
  await until("a second replica has what acks=1 wrote", async () => {
    const answer = await cluster.call(1, Fetch, 12, fetched("three-of-two"))
    return answer.responses[0]?.partitions[0]?.highWatermark === 4n
  })
  await cluster.ask("one stopped: read in sync enough", 1, Fetch, 12, fetched("three-of-two"))
  await cluster.ask("one stopped: read without a leader", 1, Fetch, 12, fetched("alone"))
  await cluster.ask("one stopped: listed below min ISR", 2, ListOffsets, 9, {
    replicaId: -1,
    topics: [{ name: "two-of-two", partitions: [{ partitionIndex: 0, timestamp: -1n }] }]
  })
  await cluster.ask("one stopped: deleted", 1, DeleteRecords, 2, {
    topics: [{ name: "three-of-two", partitions: [{ partitionIndex: 0, offset: 1n }] }],
    timeoutMs: 5000
  })
  await epochsOf(cluster, "one stopped, after an election", "three-of-two", 1)
  await elect(cluster, "one stopped: preferred, which has stopped", 0, "three-of-two", 0)
  await elect(cluster, "one stopped: unclean, no replica of it runs", 1, "alone", 0)
  await elect(cluster, "one stopped: unclean, not needed", 1, "three-of-two", 0)
  const create = async (label: string, more: object) => {
    const answer = await cluster.call(1, CreateTopics, 7, {
      topics: [{ name: `made ${label}`.replaceAll(/\W/g, "-"), numPartitions: 1, replicationFactor: 3, assignments: [], configs: [], ...more }],
      timeoutMs: 30_000
    })
    cluster.side.note(
      `one stopped: created ${label}`,
      answer.topics.map(({ errorCode, errorMessage, replicationFactor }) => ({ errorCode, errorMessage, replicationFactor }))
    )
  }
  const on = (...brokerIds: ReadonlyArray<number>) => ({ numPartitions: -1, replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds }] })
  await create("with as many replicas as registered brokers", {})
  await create("with more replicas than registered brokers", { replicationFactor: 4 })
  await create("on the stopped one alone", on(3))
  await create("on the stopped one too", on(1, 3))
  await move(cluster, "one stopped: cancelled without a move", "whole", [0, null])
  // Kafka begins it, and raises the leader epoch when it is cancelled: the topic is not looked at afterwards.
  await move(cluster, "one stopped: to the stopped one", elsewhere, [0, [1, 3]])
  await cluster.call(1, AlterPartitionReassignments, 1, { topics: [{ name: elsewhere, partitions: [{ partitionIndex: 0, replicas: null }] }] })
  await cluster.when(elsewhere, "it is where it was", ({ replicaNodes }) => replicaNodes.length === 2)
  await cluster.ask("one stopped: two at once, one of them wrong", 1, AlterPartitionReassignments, 1, {
    timeoutMs: 30_000,
    topics: [
      { name: "whole", partitions: [{ partitionIndex: 0, replicas: [2, 1] }] },
      { name: "alone", partitions: [{ partitionIndex: 0, replicas: [9] }] }
    ]
  })
}

const twoStopped = async (cluster: ClusterSide): Promise<void> => {
  await look(cluster, "two stopped")
  for (const acks of [-1, 1]) await cluster.ask(`two stopped: in sync too few, acks ${acks}`, 1, Produce, 9, produced("three-of-two", acks))
  await cluster.ask("two stopped: read", 1, Fetch, 12, fetched("three-of-two"))
  await elect(cluster, "two stopped: unclean, not needed", 1, "three-of-two", 0)
  await elect(cluster, "two stopped: preferred, no replica of it runs", 0, "lonely", 0)
}

/** Node 3 stops, then node 2; node 2 starts before node 3, so that what both had may be led uncleanly. */
export const lost: ClusterScenario = async (cluster) => {
  for (const [name, [replicas, minIsr]] of Object.entries(placements)) {
    await cluster.placed(name, [replicas], { "min.insync.replicas": minIsr })
    await cluster.fill(replicas[0], name, batch(2))
  }
  await cluster.placed(elsewhere, [[1, 2]])
  await cluster.stop(3)
  await cluster.when("lonely", "node 2 leads it alone", ({ isrNodes, leaderId }) => leaderId === 2 && isrNodes.length === 1)
  await cluster.when("three-of-two", "node 3 is not in sync", ({ isrNodes }) => !isrNodes.includes(3))
  await oneStopped(cluster)
  await cluster.fill(2, "lonely", batch(4))
  await cluster.stop(2)
  await cluster.when("lonely", "no broker leads it", ({ leaderId }) => leaderId === -1)
  await cluster.when("three-of-two", "node 1 alone is in sync", ({ isrNodes }) => String(isrNodes) === "1")
  await twoStopped(cluster)
  await cluster.start(3)
  await cluster.when("three-of-two", "node 3 is in sync", ({ isrNodes }) => isrNodes.includes(3))
  await look(cluster, "node 3 is back")
  await elect(cluster, "node 3 is back: preferred", 0, "three-of-two", 0)
  await elect(cluster, "node 3 is back: preferred, it is not in sync", 0, "lonely", 0)
  await elect(cluster, "node 3 is back: unclean", 1, "lonely", 0)
  await cluster.when("lonely", "node 3 leads it", ({ leaderId }) => leaderId === 3)
  await cluster.fill(3, "lonely", batch(1))
  await look(cluster, "after an unclean election")
  await epochsOf(cluster, "after an unclean election", "lonely", 3)
  await cluster.ask("after an unclean election: read", 3, Fetch, 12, fetched("lonely"))
  await cluster.start(2)
  for (const [name, [replicas]] of Object.entries(placements))
    await cluster.when(name, "all are in sync", ({ isrNodes }) => isrNodes.length === replicas.length)
  await look(cluster, "all are back")
  await cluster.ask("all are back: read what was led uncleanly", 3, Fetch, 12, fetched("lonely"))
}

/** What only brokers ask, from a client. */
export const unregistered: ClusterScenario = async (cluster) => {
  const id = await cluster.placed("guarded", [[1, 2]])
  for (const brokerId of [9, -1]) await cluster.ask(`unregister ${brokerId}`, 1, UnregisterBroker, 0, { brokerId })
  const controller = await cluster.controller()
  for (const [brokerId, brokerEpoch] of [
    [9, 0n],
    [2, 0n],
    [1, -1n]
  ] as const)
    await cluster.side.ask(
      `in-sync set by ${brokerId}, epoch ${brokerEpoch}`,
      AlterPartition,
      3,
      {
        brokerId,
        brokerEpoch,
        topics: [{ topicId: id, partitions: [{ partitionIndex: 0, leaderEpoch: 0, newIsrWithEpochs: [{ brokerId: 2 }], partitionEpoch: 0 }] }]
      },
      controller
    )
  controller.close()
  await cluster.ask("afterwards", 1, Metadata, 12, { topics: [{ name: "guarded" }] })
}
