import { AlterReplicaLogDirs } from "../../../../src/protocol/message/34-alter-replica-log-dirs.ts"
import { DescribeLogDirs } from "../../../../src/protocol/message/35-describe-log-dirs.ts"
import { ElectLeaders } from "../../../../src/protocol/message/43-elect-leaders.ts"
import { AlterPartitionReassignments } from "../../../../src/protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../../../src/protocol/message/46-list-partition-reassignments.ts"
import { DescribeQuorum } from "../../../../src/protocol/message/55-describe-quorum.ts"
import { DescribeTopicPartitions } from "../../../../src/protocol/message/75-describe-topic-partitions.ts"
import { AddRaftVoter } from "../../../../src/protocol/message/80-add-raft-voter.ts"
import { RemoveRaftVoter } from "../../../../src/protocol/message/81-remove-raft-voter.ts"
import { zeroUuid } from "../../../../src/protocol/type/wire.ts"
import type { Scenario } from "./side.ts"

/** The one broker of either side. */
const node = 1

const move = (name: string, ...partitions: ReadonlyArray<readonly [partitionIndex: number, replicas: ReadonlyArray<number> | null]>) => ({
  name,
  partitions: partitions.map(([partitionIndex, replicas]) => ({ partitionIndex, replicas }))
})

export const reassigned: Scenario = async (side) => {
  await side.topic("moved", 3)
  const alter = (label: string, topics: ReadonlyArray<ReturnType<typeof move>>, version = 1, more: object = {}) =>
    side.ask(label, AlterPartitionReassignments, version, { topics, ...more })
  await alter("nothing", [])
  for (const version of [0, 1]) await alter(`same v${version}`, [move("moved", [0, [node]])], version)
  await alter("same, factor fixed", [move("moved", [0, [node]])], 1, { allowReplicationFactorChange: false })
  await alter("cancel of nothing", [move("moved", [0, null], [1, null])])
  await alter("a broker that is not there", [move("moved", [0, [77]])])
  await alter("two replicas", [move("moved", [0, [node, 77]])])
  await alter("two replicas, factor fixed", [move("moved", [0, [node, 77]])], 1, { allowReplicationFactorChange: false })
  await alter("no replica", [move("moved", [0, []])])
  await alter("the same replica twice", [move("moved", [0, [node, node]])])
  await alter("a negative replica", [move("moved", [0, [-1]])])
  await alter("unknown partition", [move("moved", [7, [node]])])
  await alter("negative partition", [move("moved", [-1, [node]])])
  await alter("cancel, unknown partition", [move("moved", [7, null])])
  await alter("unknown topic", [move("nowhere", [0, [node]])])
  await alter("cancel, unknown topic", [move("nowhere", [0, null])])
  await alter("illegal topic", [move("no where", [0, [node]])])
  await alter("partition twice", [move("moved", [0, [node]], [0, [node]])])
  await alter("topic twice", [move("moved", [0, [node]]), move("moved", [1, [node]])])
  await alter("the same partition of a topic twice", [move("moved", [0, [node]]), move("moved", [0, null])])
  await alter("one right, one wrong", [move("moved", [0, [node]], [1, [77]]), move("nowhere", [0, null])])
  await side.ask("list", ListPartitionReassignments, 0, { topics: null })
  await side.ask("list none", ListPartitionReassignments, 0, { topics: [] })
  await side.ask("list some", ListPartitionReassignments, 0, { topics: [{ name: "moved", partitionIndexes: [0, 1, 9] }] })
  await side.ask("list unknown", ListPartitionReassignments, 0, { topics: [{ name: "nowhere", partitionIndexes: [0] }] })
}

export const elected: Scenario = async (side) => {
  await side.topic("elected", 2)
  const elect = (topic: string, ...partitions: ReadonlyArray<number>) => ({ topic, partitions })
  await side.each("preferred", ElectLeaders, [0, 1, 2], () => ({ topicPartitions: [elect("elected", 0, 1)] }))
  const ask = (label: string, topicPartitions: ReadonlyArray<ReturnType<typeof elect>> | null, electionType = 0) =>
    side.ask(label, ElectLeaders, 2, { electionType, topicPartitions })
  await ask("unclean", [elect("elected", 0)], 1)
  await ask("another type", [elect("elected", 0)], 2)
  await ask("a negative type", [elect("elected", 0)], -1)
  // Other scenarios left other topics on each side.
  for (const electionType of [0, 1]) {
    const all = await side.call(ElectLeaders, 2, { electionType, topicPartitions: null })
    side.note(`everywhere, ${electionType}`, { ...all, replicaElectionResults: all.replicaElectionResults.filter(({ topic }) => topic === "elected") })
  }
  await ask("everywhere, another type", null, 5)
  await ask("nothing", [])
  await ask("unknown partition", [elect("elected", 7)])
  await ask("negative partition", [elect("elected", -1)])
  await ask("unknown topic", [elect("nowhere", 0)])
  await ask("illegal topic", [elect("no where", 0)])
  await ask("partition twice", [elect("elected", 0, 0)])
  await ask("topic twice", [elect("elected", 0), elect("elected", 1)])
  await ask("unclean, unknown", [elect("elected", 7), elect("nowhere", 0)], 1)
  await side.ask("no time", ElectLeaders, 2, { topicPartitions: [elect("elected", 0)], timeoutMs: 0 })
}

export const quorum: Scenario = async (side) => {
  // Offsets and fetch times of voters differ between the nodes; on both sides the node is a voter and not an observer.
  const ask = async (label: string, version: number, topics: ReadonlyArray<{ readonly topicName: string; readonly partitions: ReadonlyArray<number> }>) => {
    const answer = await side.call(DescribeQuorum, version, {
      topics: topics.map(({ partitions, topicName }) => ({ topicName, partitions: partitions.map((partitionIndex) => ({ partitionIndex })) }))
    })
    const replica = (each: {
      readonly replicaId: number
      readonly logEndOffset: bigint
      readonly lastFetchTimestamp: bigint
      readonly lastCaughtUpTimestamp: bigint
    }) => ({
      replicaId: each.replicaId,
      hasLog: each.logEndOffset > 0n,
      fetched: each.lastFetchTimestamp > 0n,
      caughtUp: each.lastCaughtUpTimestamp > 0n
    })
    side.note(label, {
      ...answer,
      topics: answer.topics.map((topic) => ({
        quorum: topic.topicName,
        partitions: topic.partitions.map((partition) => ({
          ...partition,
          leaderEpoch: partition.leaderEpoch >= 0 ? "an epoch" : partition.leaderEpoch,
          highWatermark: partition.highWatermark > 0n ? "a journal" : partition.highWatermark,
          currentVoters: partition.currentVoters.map(replica),
          observers: partition.observers.map(replica)
        }))
      })),
      nodes: answer.nodes.map(({ listeners, nodeId }) => ({ nodeId, listeners: listeners.length }))
    })
  }
  for (const version of [0, 1, 2]) await ask(`journal v${version}`, version, [{ topicName: "__cluster_metadata", partitions: [0] }])
  await ask("nothing", 2, [])
  await ask("another topic", 2, [{ topicName: "t", partitions: [0] }])
  await ask("another topic v0", 0, [{ topicName: "t", partitions: [0] }])
  await ask("another partition", 2, [{ topicName: "__cluster_metadata", partitions: [1] }])
  await ask("two partitions", 2, [{ topicName: "__cluster_metadata", partitions: [0, 1] }])
  await ask("no partition", 2, [{ topicName: "__cluster_metadata", partitions: [] }])
  await ask("two topics", 2, [
    { topicName: "__cluster_metadata", partitions: [0] },
    { topicName: "t", partitions: [0] }
  ])
  const voter = { voterId: 9, voterDirectoryId: "AAAAAAAAAAAAAAAAAAAAZg", listeners: [{ name: "CONTROLLER", host: "127.0.0.1", port: 1 }] }
  await side.each("add", AddRaftVoter, [0, 1], () => ({ clusterId: null, timeoutMs: 1000, ...voter }))
  await side.ask("add to another cluster", AddRaftVoter, 0, { clusterId: "another", timeoutMs: 1000, ...voter })
  await side.ask("add without a listener", AddRaftVoter, 0, { clusterId: null, timeoutMs: 1000, ...voter, listeners: [] })
  await side.ask("add itself", AddRaftVoter, 0, { clusterId: null, timeoutMs: 1000, ...voter, voterId: node })
  await side.ask("add without a directory", AddRaftVoter, 0, { clusterId: null, timeoutMs: 1000, ...voter, voterDirectoryId: zeroUuid })
  await side.ask("add a negative id", AddRaftVoter, 0, { clusterId: null, timeoutMs: 1000, ...voter, voterId: -1 })
  await side.ask("remove", RemoveRaftVoter, 0, { clusterId: null, voterId: 9, voterDirectoryId: "AAAAAAAAAAAAAAAAAAAAZg" })
  await side.ask("remove without a directory", RemoveRaftVoter, 0, { clusterId: null, voterId: 9, voterDirectoryId: zeroUuid })
  await side.ask("remove a negative id", RemoveRaftVoter, 0, { clusterId: null, voterId: -1, voterDirectoryId: "AAAAAAAAAAAAAAAAAAAAZg" })
  await side.ask("remove the last", RemoveRaftVoter, 0, { clusterId: null, voterId: node, voterDirectoryId: zeroUuid })
  await side.ask("remove from another cluster", RemoveRaftVoter, 0, { clusterId: "another", voterId: 9, voterDirectoryId: zeroUuid })
}

export const logDirectories: Scenario = async (side) => {
  await side.topic("kept", 2)
  const { results } = await side.call(DescribeLogDirs, 4, { topics: null })
  const here = results[0]?.logDir ?? ""
  const alter = (label: string, dirs: ReadonlyArray<readonly [path: string, topic: string, ...partitions: ReadonlyArray<number>]>, version = 2) =>
    side.ask(label, AlterReplicaLogDirs, version, { dirs: dirs.map(([path, name, ...partitions]) => ({ path, topics: [{ name, partitions }] })) })
  await alter("where it is v1", [[here, "kept", 0]], 1)
  await alter("where it is", [[here, "kept", 0, 1]])
  await alter("where it is, with a slash", [[`${here}/`, "kept", 0]])
  await alter("another directory", [["/nowhere", "kept", 0]])
  await alter("a relative path", [["nowhere", "kept", 0]])
  await alter("no path", [["", "kept", 0]])
  await alter("unknown partition", [[here, "kept", 7]])
  await alter("negative partition", [[here, "kept", -1]])
  await alter("unknown topic", [[here, "nowhere", 0]])
  await alter("unknown topic, another directory", [["/nowhere", "nowhere", 0]])
  await alter("partition twice", [[here, "kept", 0, 0]])
  await alter("two directories", [
    [here, "kept", 0],
    ["/nowhere", "kept", 0]
  ])
  await alter("nothing", [])
}

export const pages: Scenario = async (side) => {
  const names = ["paged-a", "paged-b", "paged-c"]
  for (const [at, name] of names.entries()) await side.topic(name, at + 2)
  const all = names.map((name) => ({ name }))
  const ask = (
    label: string,
    topics: ReadonlyArray<{ readonly name: string }>,
    responsePartitionLimit: number,
    cursor: { readonly topicName: string; readonly partitionIndex: number } | null = null
  ) => side.ask(label, DescribeTopicPartitions, 0, { topics, responsePartitionLimit, cursor })
  await ask("all three", all, 2000)
  await ask("in another order", [...all].reverse(), 2000)
  await ask("twice", [...all, ...all], 2000)
  await ask("a page of 1", all, 1)
  await ask("a page of 2", all, 2)
  await ask("a page of 3", all, 3)
  await ask("a page of 8", all, 8)
  await ask("a page of 9", all, 9)
  await ask("no page", all, 0)
  await ask("a negative page", all, -1)
  await ask("a large page", all, 1_000_000)
  await ask("from a cursor", all, 3, { topicName: "paged-b", partitionIndex: 1 })
  await ask("from a cursor after all partitions", all, 3, { topicName: "paged-b", partitionIndex: 3 })
  await ask("from a cursor far after all partitions", all, 3, { topicName: "paged-b", partitionIndex: 99 })
  await ask("from a cursor between topics", all, 3, { topicName: "paged-aa", partitionIndex: 1 })
  await ask("from a cursor after all topics", all, 3, { topicName: "zzz", partitionIndex: 0 })
  await ask("from a negative cursor", all, 3, { topicName: "paged-b", partitionIndex: -1 })
  await ask("from a cursor at a topic that is not asked for", [{ name: "paged-a" }, { name: "paged-c" }], 3, { topicName: "paged-b", partitionIndex: 1 })
  await ask("unknown", [{ name: "nowhere" }, { name: "paged-a" }], 2000)
  await ask("unknown first on a small page", [{ name: "nowhere" }, { name: "paged-a" }, { name: "nowhere-2" }], 1)
  await ask("unknown after a full page", [{ name: "zzz" }, { name: "paged-a" }], 2)
  await ask("illegal", [{ name: "no where" }], 2000)
  await ask("empty name", [{ name: "" }], 2000)
  // Both have topics of other scenarios: how many there are is not compared.
  const { topics } = await side.call(DescribeTopicPartitions, 0, { topics: [], responsePartitionLimit: 2000 })
  side.note(
    "everything",
    topics.filter(({ name }) => name?.startsWith("paged-"))
  )
  await ask("everything from a cursor", [], 2, { topicName: "paged-c", partitionIndex: 1 })
}
