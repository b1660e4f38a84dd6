import { OffsetFetch } from "../../../../src/protocol/message/09-offset-fetch.ts"
import { FindCoordinator } from "../../../../src/protocol/message/10-find-coordinator.ts"
import { ListGroups } from "../../../../src/protocol/message/16-list-groups.ts"
import { InitProducerId } from "../../../../src/protocol/message/22-init-producer-id.ts"
import { until } from "../process.ts"
import * as cluster from "./cluster.ts"
import * as compacted from "./compacted.ts"
import * as configs from "./configs.ts"
import * as described from "./described.ts"
import * as group from "./group.ts"
import * as internal from "./internal.ts"
import * as opened from "./opened.ts"
import * as produce from "./produce.ts"
import * as random from "./random.ts"
import * as read from "./read.ts"
import * as replicas from "./replicas.ts"
import * as security from "./security.ts"
import * as sessions from "./sessions.ts"
import type { Scenario } from "./side.ts"
import * as transactions from "./transactions.ts"

/** All scenarios by name. They need the state that `before` prepares. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  ApiVersions: cluster.apiVersions,
  FindCoordinator: cluster.coordinators,
  DescribeCluster: cluster.nodes,
  Metadata: cluster.metadata,
  "Metadata of all": cluster.everyTopic,
  CreateTopics: cluster.createTopics,
  DeleteTopics: cluster.deleteTopics,
  CreatePartitions: cluster.createPartitions,
  DescribeConfigs: cluster.settings,
  IncrementalAlterConfigs: configs.incremental,
  AlterConfigs: configs.replaced,
  "Settings of topics": described.topicsDescribed,
  "Odd values": described.oddValues,
  "Settings of nodes": described.nodesDescribed,
  "Nodes changed": described.nodesChanged,

  InitProducerId: produce.initProducer,
  Produce: produce.produceForms,
  "Produce, records": produce.produceRecords,
  "Produce, stamped": produce.produceStamped,
  "Produce, codecs": opened.keptCodecs,
  "Produce, opened": opened.wrongInside,
  "Produce, times": opened.times,
  "Produce, hostile": opened.hostile,
  "Produce, replicas": produce.produceReplicas,
  "Produce, sequences": produce.produceSequences,
  Fetch: read.fetchForms,
  "Fetch, several": read.fetchSeveral,
  "Fetch sessions": sessions.sessions,
  "Fetch sessions, ends": sessions.sessionEnds,
  "Fetch session, random": sessions.randomSession,
  ListOffsets: read.listOffsets,
  "ListOffsets elsewhere": read.listOffsetsElsewhere,
  OffsetForLeaderEpoch: read.leaderEpochs,
  DeleteRecords: read.deleteRecords,
  Compaction: compacted.compaction,
  JoinGroup: group.joinForms,
  "Static members": group.staticMembers,
  "SyncGroup and Heartbeat": group.syncAndHeartbeat,
  Rounds: group.rounds,
  LeaveGroup: group.leaving,
  OffsetCommit: group.commits,
  "OffsetCommit by id": group.commitsById,
  OffsetFetch: group.offsetFetches,
  "Random sequences": random.randomSequences,
  "Random reads": random.randomReads,
  "Random member": random.randomMember,
  "Groups seen": group.groupsSeen,
  OffsetDelete: group.offsetDeletes,

  "Internal topics": internal.internalTopics,
  "Records of groups": internal.offsetsRecords,
  "Partition reassignments": replicas.reassigned,
  ElectLeaders: replicas.elected,
  DescribeQuorum: replicas.quorum,
  AlterReplicaLogDirs: replicas.logDirectories,
  DescribeTopicPartitions: replicas.pages,
  DescribeProducers: transactions.producers,
  Transactions: transactions.transactions,
  SASL: security.sasl,
  ACLs: security.acls,
  "Delegation tokens": security.tokens,
  "Client quotas": security.quotas,
  "SCRAM credentials": security.scram,
  UpdateFeatures: security.features
}
/** Retries on a newly started node until its coordinators respond. The groups' scenarios commit in the topic `t`. */
export const before: Scenario = async (side) => {
  await side.topic("t", 4)
  await until("a group's coordinator answers", async () => (await side.call(FindCoordinator, 3, { key: "g" })).errorCode === 0)
  await until("producers get ids", async () => (await side.call(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000 })).errorCode === 0)
  await until("groups are answered for", async () => (await side.call(ListGroups, 3, {})).errorCode === 0)
  for (const group of ["c", "live", "joined"])
    await until(`group ${group} is answered for`, async () => (await side.call(OffsetFetch, 7, { groupId: group, topics: [] })).errorCode === 0)
}
