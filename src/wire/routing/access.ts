import type { Principal } from "../session.ts"

/** Resource types of Kafka's ACLs. */
type Resource = "Topic" | "Group" | "Cluster" | "TransactionalId" | "DelegationToken" | "User"
/** Operations of Kafka's ACLs. */
type Operation =
  | "Read"
  | "Write"
  | "Create"
  | "Delete"
  | "Alter"
  | "Describe"
  | "ClusterAction"
  | "DescribeConfigs"
  | "AlterConfigs"
  | "IdempotentWrite"
  | "CreateTokens"
  | "DescribeTokens"

/** One permission that a request may need, as "Write Topic". Which of them a request needs depends on its fields, and on the resources that it names. */
type Permission = `${Operation} ${Resource}`

/** The senders of an API: clients, brokers to another node, or both. */
type Audience = "clients" | "brokers" | "both"

/** What an API needs of its sender. */
export interface Access {
  readonly audience: Audience
  readonly permissions: ReadonlyArray<Permission>
}

const clients = (...permissions: ReadonlyArray<Permission>): Access => ({ audience: "clients", permissions })
const both = (...permissions: ReadonlyArray<Permission>): Access => ({ audience: "both", permissions })
const brokers = (...permissions: ReadonlyArray<Permission>): Access => ({ audience: "brokers", permissions })

/** By API key: Kafka's table "Operations and Resources on Protocols", and the senders of the API. */
const byKey: Readonly<Record<number, Access>> = {
  /* Produce */ 0: clients("Write TransactionalId", "IdempotentWrite Cluster", "Write Topic"),
  /* Fetch */ 1: both("ClusterAction Cluster", "Read Topic"),
  /* ListOffsets */ 2: both("Describe Topic"),
  /* Metadata */ 3: both("Describe Topic", "Create Cluster", "Create Topic"),
  /* OffsetCommit */ 8: clients("Read Group", "Read Topic"),
  /* OffsetFetch */ 9: clients("Describe Group", "Describe Topic"),
  /* FindCoordinator */ 10: clients("Describe Group", "Describe TransactionalId"),
  /* JoinGroup */ 11: clients("Read Group"),
  /* Heartbeat */ 12: clients("Read Group"),
  /* LeaveGroup */ 13: clients("Read Group"),
  /* SyncGroup */ 14: clients("Read Group"),
  /* DescribeGroups */ 15: clients("Describe Group"),
  /* ListGroups */ 16: clients("Describe Cluster", "Describe Group"),
  /* SaslHandshake */ 17: both(),
  /* ApiVersions */ 18: both(),
  /* CreateTopics */ 19: clients("Create Cluster", "Create Topic"),
  /* DeleteTopics */ 20: clients("Delete Topic"),
  /* DeleteRecords */ 21: clients("Delete Topic"),
  /* InitProducerId */ 22: clients("Write TransactionalId", "IdempotentWrite Cluster"),
  /* OffsetForLeaderEpoch */ 23: both("ClusterAction Cluster", "Describe Topic"),
  /* AddPartitionsToTxn */ 24: both("Write TransactionalId", "Write Topic"),
  /* AddOffsetsToTxn */ 25: clients("Write TransactionalId", "Read Group"),
  /* EndTxn */ 26: clients("Write TransactionalId"),
  /* WriteTxnMarkers */ 27: both("Alter Cluster", "ClusterAction Cluster"),
  /* TxnOffsetCommit */ 28: clients("Write TransactionalId", "Read Group", "Read Topic"),
  /* DescribeAcls */ 29: clients("Describe Cluster"),
  /* CreateAcls */ 30: clients("Alter Cluster"),
  /* DeleteAcls */ 31: clients("Alter Cluster"),
  /* DescribeConfigs */ 32: clients("DescribeConfigs Cluster", "DescribeConfigs Topic"),
  /* AlterConfigs */ 33: clients("AlterConfigs Cluster", "AlterConfigs Topic"),
  /* AlterReplicaLogDirs */ 34: clients("Alter Cluster"),
  /* DescribeLogDirs */ 35: clients("Describe Cluster"),
  /* SaslAuthenticate */ 36: both(),
  /* CreatePartitions */ 37: clients("Alter Topic"),
  /* CreateDelegationToken */ 38: clients("CreateTokens User"),
  /* RenewDelegationToken */ 39: clients(),
  /* ExpireDelegationToken */ 40: clients(),
  /* DescribeDelegationToken */ 41: clients("Describe DelegationToken", "DescribeTokens User"),
  /* DeleteGroups */ 42: clients("Delete Group"),
  /* ElectLeaders: Kafka checks Alter, though its table says ClusterAction */ 43: clients("Alter Cluster"),
  /* IncrementalAlterConfigs */ 44: clients("AlterConfigs Cluster", "AlterConfigs Topic"),
  /* AlterPartitionReassignments */ 45: clients("Alter Cluster"),
  /* ListPartitionReassignments */ 46: clients("Describe Cluster"),
  /* OffsetDelete */ 47: clients("Delete Group", "Read Topic"),
  /* DescribeClientQuotas */ 48: clients("DescribeConfigs Cluster"),
  /* AlterClientQuotas */ 49: clients("AlterConfigs Cluster"),
  /* DescribeUserScramCredentials */ 50: clients("Describe Cluster"),
  /* AlterUserScramCredentials */ 51: clients("Alter Cluster"),
  /* Vote */ 52: brokers("ClusterAction Cluster"),
  /* BeginQuorumEpoch */ 53: brokers("ClusterAction Cluster"),
  /* EndQuorumEpoch */ 54: brokers("ClusterAction Cluster"),
  /* DescribeQuorum */ 55: clients("Describe Cluster"),
  /* AlterPartition */ 56: brokers("ClusterAction Cluster"),
  /* UpdateFeatures */ 57: clients("Alter Cluster"),
  /* Envelope */ 58: brokers("ClusterAction Cluster"),
  /* FetchSnapshot */ 59: brokers("ClusterAction Cluster"),
  /* DescribeCluster */ 60: both("Describe Cluster"),
  /* DescribeProducers */ 61: clients("Read Topic"),
  /* BrokerRegistration */ 62: brokers("ClusterAction Cluster"),
  /* BrokerHeartbeat */ 63: brokers("ClusterAction Cluster"),
  /* UnregisterBroker */ 64: clients("Alter Cluster"),
  /* DescribeTransactions */ 65: clients("Describe TransactionalId"),
  /* ListTransactions */ 66: clients("Describe TransactionalId"),
  /* AllocateProducerIds */ 67: brokers("ClusterAction Cluster"),
  /* ConsumerGroupHeartbeat */ 68: clients("Read Group"),
  /* ConsumerGroupDescribe */ 69: clients("Describe Group"),
  /* ControllerRegistration */ 70: brokers("ClusterAction Cluster"),
  /* GetTelemetrySubscriptions */ 71: clients(),
  /* PushTelemetry */ 72: clients(),
  /* AssignReplicasToDirs */ 73: brokers("ClusterAction Cluster"),
  /* ListConfigResources */ 74: clients("DescribeConfigs Cluster"),
  /* DescribeTopicPartitions */ 75: clients("Describe Topic"),
  /* ShareGroupHeartbeat */ 76: clients("Read Group"),
  /* ShareGroupDescribe */ 77: clients("Describe Group"),
  /* ShareFetch */ 78: clients("Read Group", "Read Topic"),
  /* ShareAcknowledge */ 79: clients("Read Group", "Read Topic"),
  /* AddRaftVoter (KIP-853) */ 80: both("Alter Cluster"),
  /* RemoveRaftVoter (KIP-853) */ 81: clients("Alter Cluster"),
  /* UpdateRaftVoter (KIP-853) */ 82: brokers("ClusterAction Cluster"),
  /* InitializeShareGroupState */ 83: both("ClusterAction Cluster"),
  /* ReadShareGroupState */ 84: both("ClusterAction Cluster"),
  /* WriteShareGroupState */ 85: both("ClusterAction Cluster"),
  /* DeleteShareGroupState */ 86: both("ClusterAction Cluster"),
  /* ReadShareGroupStateSummary */ 87: both("ClusterAction Cluster"),
  /* StreamsGroupHeartbeat */ 88: clients("Read Group", "Describe Topic", "Create Topic"),
  /* StreamsGroupDescribe */ 89: clients("Describe Group", "Describe Topic"),
  /* DescribeShareGroupOffsets */ 90: clients("Describe Group", "Describe Topic"),
  /* AlterShareGroupOffsets */ 91: clients("Read Group", "Read Topic"),
  /* DeleteShareGroupOffsets */ 92: clients("Delete Group", "Read Topic"),
  /* StreamsGroupTopologyDescriptionUpdate (KIP-1331) */ 93: clients("Read Group"),
  /* UnregisterController (KIP-1073) */ 94: clients("Alter Cluster")
}

/** What the API needs of its sender; undefined for a key that is not in the table: no route can serve it. */
export const accessOf = (apiKey: number): Access | undefined => byKey[apiKey]

/** Whether only brokers send the API: ApiVersions does not list it, and the server takes it from connections on which a broker has registered, but for what a broker sends before (`route.ts`). */
export const isForBrokersOnly = (apiKey: number): boolean => byKey[apiKey]?.audience === "brokers"

/**
 * Whether the principal has what the API needs. Every principal has: no client authenticates yet, and Kafka without an authorizer allows everything too. A handler that knows which
 * topics and groups a request names will ask for each of them.
 */
export const isPermitted = (_principal: Principal, _permissions: ReadonlyArray<Permission>): boolean => true
