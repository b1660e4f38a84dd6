import { Produce } from "../../../../../src/protocol/message/00-produce.ts"
import { Fetch } from "../../../../../src/protocol/message/01-fetch.ts"
import { ListOffsets } from "../../../../../src/protocol/message/02-list-offsets.ts"
import { Metadata } from "../../../../../src/protocol/message/03-metadata.ts"
import { CreateTopics } from "../../../../../src/protocol/message/19-create-topics.ts"
import { DeleteRecords } from "../../../../../src/protocol/message/21-delete-records.ts"
import { OffsetForLeaderEpoch } from "../../../../../src/protocol/message/23-offset-for-leader-epoch.ts"
import { DescribeLogDirs } from "../../../../../src/protocol/message/35-describe-log-dirs.ts"
import { CreatePartitions } from "../../../../../src/protocol/message/37-create-partitions.ts"
import { IncrementalAlterConfigs } from "../../../../../src/protocol/message/44-incremental-alter-configs.ts"
import { DescribeCluster } from "../../../../../src/protocol/message/60-describe-cluster.ts"
import { DescribeTopicPartitions } from "../../../../../src/protocol/message/75-describe-topic-partitions.ts"
import { until } from "../../process.ts"
import { batch } from "../records.ts"
import { range } from "../side.ts"
import type { ClusterScenario, ClusterSide } from "./cluster-side.ts"

/** Each node leads one. */
const spread = [
  [1, 2, 3],
  [2, 3, 1],
  [3, 1, 2]
]

export const described: ClusterScenario = async (cluster) => {
  await cluster.placed("spread", spread)
  for (const version of range(0, 13)) await cluster.ask(`one v${version}`, 1, Metadata, version, { topics: [{ name: "spread" }] })
  for (const node of [2, 3]) await cluster.ask(`at node ${node}`, node, Metadata, 12, { topics: [{ name: "spread" }] })
  for (const node of [1, 2]) await cluster.ask(`nodes, at node ${node}`, node, DescribeCluster, 1, { includeClusterAuthorizedOperations: false })
  await cluster.ask("pages", 1, DescribeTopicPartitions, 0, { topics: [{ name: "spread" }], responsePartitionLimit: 2 })
  await cluster.ask("pages, at node 3", 3, DescribeTopicPartitions, 0, { topics: [{ name: "spread" }] })
}

const topic = (name: string, numPartitions: number, replicationFactor: number, more: object = {}) => ({
  name,
  numPartitions,
  replicationFactor,
  assignments: [],
  configs: [],
  ...more
})
const assigned = (name: string, ...replicas: ReadonlyArray<ReadonlyArray<number>>) =>
  topic(name, -1, -1, { assignments: replicas.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })) })

export const created: ClusterScenario = async (cluster) => {
  const create = async (label: string, each: ReturnType<typeof topic>, more: object = {}) => {
    const answer = await cluster.call(1, CreateTopics, 7, { topics: [each], timeoutMs: 30_000, ...more })
    // What settings a topic has is compared elsewhere.
    cluster.side.note(label, { ...answer, topics: answer.topics.map(({ configs, topicId, ...rest }) => ({ ...rest, configs: configs?.length === 0 })) })
  }
  await create("three replicas", topic("created-3", 2, 3))
  await create("two replicas, checked", topic("checked", 2, 2), { validateOnly: true })
  for (const factor of [4, 0, -2, 32_767]) await create(`${factor} replicas`, topic("refused", 1, factor))
  await create("4 replicas, checked", topic("refused", 1, 4), { validateOnly: true })
  await create("assigned", assigned("assigned", [3, 1], [1, 2]))
  await create("assigned, factors differ", assigned("refused", [3, 1], [1]))
  await create("assigned, longer", assigned("refused", [1], [2, 3]))
  await create("assigned, a broker twice", assigned("refused", [1, 2, 1]))
  await create("assigned, no broker", assigned("refused", []))
  await create("assigned, no broker for the second", assigned("refused", [1, 2], []))
  await create("assigned, an unknown broker", assigned("refused", [1, 2, 9]))
  await create("assigned, a negative broker", assigned("refused", [1, -1]))
  await create("more in sync than replicas", topic("strict", 1, 2, { configs: [{ name: "min.insync.replicas", value: "5" }] }))
  await create("none in sync", topic("refused", 1, 2, { configs: [{ name: "min.insync.replicas", value: "0" }] }))
  const alter = (label: string, value: string) =>
    cluster.ask(label, 1, IncrementalAlterConfigs, 1, {
      resources: [{ resourceType: 2, resourceName: "strict", configs: [{ name: "min.insync.replicas", configOperation: 0, value }] }],
      validateOnly: false
    })
  await alter("altered: more in sync than brokers", "9")
  await alter("altered: none in sync", "0")
  const grow = (label: string, count: number, replicas: ReadonlyArray<ReadonlyArray<number>> | null) =>
    cluster.ask(label, 1, CreatePartitions, 3, {
      topics: [{ name: "assigned", count, assignments: replicas && replicas.map((brokerIds) => ({ brokerIds })) }],
      timeoutMs: 30_000,
      validateOnly: false
    })
  await grow("grown: another factor", 3, [[1]])
  await grow("grown: a broker twice", 3, [[2, 2]])
  await grow("grown: no broker", 3, [[]])
  await grow("grown: an unknown broker", 3, [[1, 9]])
  await grow("grown: too many assignments", 3, [
    [1, 2],
    [2, 3]
  ])
  await grow("grown", 4, [
    [2, 3],
    [3, 2]
  ])
  await cluster.when("assigned", "there are four", (_, at) => at <= 3)
  await cluster.ask("grown, described", 1, Metadata, 12, { topics: [{ name: "assigned" }] })
}

const produced = (name: string, index: number, acks: number, more: object = {}) => ({
  acks,
  timeoutMs: 5000,
  topicData: [{ name, partitionData: [{ index, records: batch(2) }] }],
  ...more
})

export const producing: ClusterScenario = async (cluster) => {
  const id = await cluster.placed("taken", spread, { "min.insync.replicas": "2" })
  for (const acks of [-1, 1])
    for (const index of [0, 1]) await cluster.ask(`acks ${acks}, partition ${index} at node 1`, 1, Produce, 9, produced("taken", index, acks))
  for (const version of [3, 8, 10, 12]) await cluster.ask(`a follower v${version}`, 2, Produce, version, produced("taken", 0, -1))
  await cluster.ask("a follower v13", 3, Produce, 13, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ topicId: id, partitionData: [{ index: 1, records: batch(2) }] }]
  })
  await cluster.placed("strict-of-two", [[2, 1]], { "min.insync.replicas": "3" })
  for (const acks of [-1, 1]) await cluster.ask(`min ISR 3 of 2 replicas, acks ${acks}`, 2, Produce, 9, produced("strict-of-two", 0, acks))
  await cluster.placed("elsewhere", [[2, 3]])
  await cluster.ask("who has no replica", 1, Produce, 10, produced("elsewhere", 0, -1))
}

const fetched = (name: string, partition: number, where: object = {}, more: object = {}) => ({
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1_000_000,
  topics: [{ topic: name, partitions: [{ partition, fetchOffset: 0n, partitionMaxBytes: 1_000_000, ...where }] }],
  ...more
})
const fetchedById = (topicId: string, partition: number, where: object = {}, more: object = {}) => ({
  ...fetched("", partition, where, more),
  topics: [{ topicId, partitions: [{ partition, fetchOffset: 0n, partitionMaxBytes: 1_000_000, ...where }] }]
})

/** A follower learns the high watermark with its next fetch: waits until each node serves a consumer up to it. */
const servedBy = async (cluster: ClusterSide, nodes: ReadonlyArray<number>, name: string, partition: number, end: bigint): Promise<void> => {
  for (const node of nodes)
    await until(`node ${node} serves ${name}-${partition} up to ${end}`, async () => {
      const answer = await cluster.call(node, Fetch, 12, fetched(name, partition))
      return answer.responses[0]?.partitions[0]?.highWatermark === end
    })
}

export const reading: ClusterScenario = async (cluster) => {
  const id = await cluster.placed("read", spread)
  for (const index of [0, 1, 2]) await cluster.fill(index + 1, "read", batch(3), index)
  await servedBy(cluster, [1, 2, 3], "read", 0, 3n)
  for (const version of [4, 9, 10, 11, 12]) await cluster.ask(`a follower v${version}`, 2, Fetch, version, fetched("read", 0))
  for (const version of [13, 16, 17]) await cluster.ask(`a follower v${version}`, 2, Fetch, version, fetchedById(id, 0))
  await cluster.ask("a follower, above the end", 2, Fetch, 12, fetched("read", 0, { fetchOffset: 9n }))
  await cluster.ask("a follower, the epoch", 2, Fetch, 12, fetched("read", 0, { currentLeaderEpoch: 0 }))
  await cluster.ask("a follower, another epoch", 2, Fetch, 12, fetched("read", 0, { currentLeaderEpoch: 5 }))
  await cluster.ask("a follower, a session", 3, Fetch, 12, fetched("read", 0, {}, { sessionId: 0, sessionEpoch: 0 }))
  for (const rackId of ["rack-1", "rack-2", "rack-3", "rack-9"])
    await cluster.ask(`the leader, from ${rackId}`, 1, Fetch, 12, fetched("read", 0, {}, { rackId }))
  await cluster.ask("the leader, from rack-2, at the end", 1, Fetch, 12, fetched("read", 0, { fetchOffset: 3n }, { rackId: "rack-2" }))
  await cluster.ask("the leader, from rack-2, above the end", 1, Fetch, 12, fetched("read", 0, { fetchOffset: 9n }, { rackId: "rack-2" }))
  await cluster.ask("a follower, from rack-2", 2, Fetch, 12, fetched("read", 0, {}, { rackId: "rack-2" }))
  await cluster.ask("a follower, from rack-3", 2, Fetch, 12, fetched("read", 0, {}, { rackId: "rack-3" }))
  await cluster.placed("elsewhere-read", [[2, 3]])
  await cluster.ask("who has no replica", 1, Fetch, 12, fetched("elsewhere-read", 0))
  const listed = (node: number, timestamp: bigint, more: object = {}) =>
    cluster.ask(`listed at node ${node}, time ${timestamp}${JSON.stringify(more)}`, node, ListOffsets, 9, {
      replicaId: -1,
      topics: [{ name: "read", partitions: [{ partitionIndex: 0, timestamp }] }],
      ...more
    })
  for (const timestamp of [-1n, -2n, 1001n]) for (const node of [1, 2]) await listed(node, timestamp)
  await listed(2, -1n, { replicaId: -2 })
  await listed(2, -1n, { replicaId: 3 })
  await listed(1, -1n, { replicaId: 2 })
}

/** A stranger who says that it is a replica. */
export const strangers: ClusterScenario = async (cluster) => {
  const id = await cluster.placed("followed", [[1, 2]])
  await cluster.fill(1, "followed", batch(3))
  const as = (label: string, node: number, replicaId: number, where: object = {}) =>
    cluster.ask(label, node, Fetch, 12, fetched("followed", 0, where, { replicaId }))
  for (const where of [{}, { currentLeaderEpoch: 0 }]) {
    await as(`no replica of it ${JSON.stringify(where)}`, 1, 3, where)
    await as(`no broker ${JSON.stringify(where)}`, 1, 9, where)
  }
  await as("a debugger", 1, -2)
  await as("at a follower", 2, 1)
  await as("a wrong epoch", 1, 2, { currentLeaderEpoch: 7 })
  for (const [label, replicaEpoch] of [
    ["without an epoch", -1n],
    ["an old epoch", 0n],
    ["an epoch to come", 1_000_000n]
  ] as const)
    await cluster.ask(`no broker v15, ${label}`, 1, Fetch, 15, fetchedById(id, 0, { currentLeaderEpoch: 0 }, { replicaState: { replicaId: 9, replicaEpoch } }))
  await cluster.ask("an old epoch v15", 1, Fetch, 15, fetchedById(id, 0, { currentLeaderEpoch: 0 }, { replicaState: { replicaId: 2, replicaEpoch: 0n } }))
  await cluster.ask("afterwards", 1, Metadata, 12, { topics: [{ name: "followed" }] })
}

export const deleting: ClusterScenario = async (cluster) => {
  await cluster.placed("shrunk", spread)
  for (const at of [1, 2, 3]) await cluster.fill(1, "shrunk", batch(at))
  await servedBy(cluster, [1, 2, 3], "shrunk", 0, 6n)
  const remove = (label: string, node: number, offset: bigint) =>
    cluster.ask(label, node, DeleteRecords, 2, { topics: [{ name: "shrunk", partitions: [{ partitionIndex: 0, offset }] }], timeoutMs: 30_000 })
  await remove("at a follower", 2, 2n)
  await remove("above the end", 1, 7n)
  await remove("within a batch", 1, 2n)
  await until("a follower has the start", async () => {
    const answer = await cluster.call(2, Fetch, 12, fetched("shrunk", 0, { fetchOffset: 2n }))
    return answer.responses[0]?.partitions[0]?.logStartOffset === 2n
  })
  await cluster.ask("a follower, below the start", 2, Fetch, 12, fetched("shrunk", 0, { fetchOffset: 1n }))
  await cluster.ask("a follower, at the start", 2, Fetch, 12, fetched("shrunk", 0, { fetchOffset: 2n }))
  await remove("everything", 1, -1n)
}

export const directories: ClusterScenario = async (cluster) => {
  await cluster.placed("sized", [
    [1, 2],
    [2, 3]
  ])
  await cluster.fill(1, "sized", batch(3))
  for (const [node, version, partitions] of [
    [1, 1, [0, 1]],
    [2, 4, [0, 1]],
    [3, 4, [0, 1, 7]],
    [1, 4, []]
  ] as const) {
    const answer = await cluster.call(node, DescribeLogDirs, version, { topics: [{ topic: "sized", partitions }] })
    cluster.side.note(`node ${node}, partitions ${partitions}`, {
      ...answer,
      results: answer.results.map(({ errorCode, topics, totalBytes, usableBytes }) => ({ errorCode, topics, hasSize: totalBytes > 0n && usableBytes > 0n }))
    })
  }
}

export const epochs: ClusterScenario = async (cluster) => {
  await cluster.placed("aged", spread)
  // A node of Kafka names a partition before it follows it.
  await until("node 2 follows", async () => {
    const answer = await cluster.call(2, Fetch, 12, fetched("aged", 0, {}))
    return answer.responses[0]?.partitions[0]?.errorCode === 0
  })
  const ask = (label: string, node: number, leaderEpoch: number, currentLeaderEpoch: number, more: object = {}) =>
    cluster.ask(label, node, OffsetForLeaderEpoch, 4, {
      replicaId: -1,
      topics: [{ topic: "aged", partitions: [{ partition: 0, currentLeaderEpoch, leaderEpoch }] }],
      ...more
    })
  await ask("at a follower", 2, 0, -1)
  await ask("at a follower, current 0", 2, 0, 0)
  await ask("at a follower, current 5", 2, 0, 5)
  await ask("a replica", 1, 0, 0, { replicaId: 2 })
  await ask("a replica that is none", 1, 0, 0, { replicaId: 9 })
  await ask("a debugger at a follower", 2, 0, -1, { replicaId: -2 })
}
