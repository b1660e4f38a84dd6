/** What each call of `adminWork` gives, in the order of its items: where our cluster and Apache Kafka agree, and where they differ. */
const both = {
  "createTopics, one with too many replicas": "2 INVALID_REPLICATION_FACTOR 2",
  "createTopics again": "TOPIC_ALREADY_EXISTS",
  "createTopics, only checked": "3",
  describeTopics: "[[0],[0]] [[0],[0]]",
  createPartitions: "done INVALID_PARTITIONS UNKNOWN_TOPIC_OR_PARTITION",
  describeConfigs: `[["cleanup.policy","delete","default","list"],["retention.ms","60000000","topic","long"]] [["log.retention.ms",null,"default","long"]] UNKNOWN_TOPIC_OR_PARTITION`,
  "alterConfigs, only checked": "done",
  "the altered settings": `[["cleanup.policy","delete,compact","topic"],["max.message.bytes","100000","topic"],["retention.ms","604800000","default"]]`,
  listConfigResources: `["client-metrics metrics","group workers"]`,
  listOffsets: "0 12 0 -1 UNKNOWN_TOPIC_OR_PARTITION UNKNOWN_TOPIC_OR_PARTITION",
  deleteRecords: `{"first":4} {"first":12} OFFSET_OUT_OF_RANGE`,
  describeProducers: "[[0,11,null]]",
  describeLogDirs: "[3]",
  electLeaders: "done UNKNOWN_TOPIC_OR_PARTITION",
  "electLeaders of all": "0",
  alterReassignments: "done INVALID_REPLICA_ASSIGNMENT NO_REASSIGNMENT_IN_PROGRESS",
  listReassignments: "[]",
  alterReplicaLogDirs: "LOG_DIR_NOT_FOUND BROKER_ID_NOT_REGISTERED",
  describeGroups: `["classic","Empty",0] GROUP_ID_NOT_FOUND`,
  groupOffsets: "36",
  setGroupOffsets: "done done UNKNOWN_TOPIC_OR_PARTITION",
  "groupOffsets of one partition": `[[5,"by hand"]]`,
  "resetGroupOffsets, a dry run": "[5,12] [6,12] [12,12]",
  "resetGroupOffsets by a shift": "4 12 0",
  "resetGroupOffsets to a time": "[4,12] [12,12] [0,12]",
  deleteGroupOffsets: "done",
  removeGroupMembers: "UNKNOWN_MEMBER_ID UNKNOWN_MEMBER_ID",
  deleteGroups: "done GROUP_ID_NOT_FOUND",
  "alterClientQuotas, unset": "done",
  "describeClientQuotas of any user": "[]",
  createDelegationToken: "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
  describeDelegationTokens: "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED",
  describeQuorum: "[1,0]",
  updateFeatures: "INVALID_UPDATE_VERSION",
  addVoter: "UNSUPPORTED_VERSION",
  removeVoter: "UNSUPPORTED_VERSION",
  describeTransactions: "TRANSACTIONAL_ID_NOT_FOUND",
  deleteTopics: "done done UNKNOWN_TOPIC_OR_PARTITION",
  listTransactions: "[]"
}

/** Security, quotas, transactions, features and loggers are not built: docs/skipped.md. Our controller refuses them by the names of Kafka's errors. */
const ours = {
  alterConfigs: "done INVALID_CONFIG done done INVALID_REQUEST",
  createAcls: "SECURITY_DISABLED SECURITY_DISABLED SECURITY_DISABLED",
  describeAcls: "SECURITY_DISABLED",
  deleteAcls: "SECURITY_DISABLED SECURITY_DISABLED",
  alterClientQuotas: "INVALID_REQUEST INVALID_REQUEST",
  describeClientQuotas: "[]",
  alterScramUsers: "UNSUPPORTED_SASL_MECHANISM RESOURCE_NOT_FOUND",
  describeScramUsers: "RESOURCE_NOT_FOUND RESOURCE_NOT_FOUND",
  describeFeatures: "[]",
  fenceProducers: "UNSUPPORTED_VERSION",
  "the fenced producer": "TRANSACTIONAL_ID_NOT_FOUND",
  abortTransactions: "UnsupportedByCluster"
}

const kafka = {
  alterConfigs: "done INVALID_CONFIG done done done",
  createAcls: "done done INVALID_REQUEST",
  describeAcls: `["* User:bob allow literal read topic work","10.0.0.1 User:bob deny prefixed topic work write"]`,
  deleteAcls: "1 0",
  alterClientQuotas: "done INVALID_REQUEST",
  describeClientQuotas: `[[{"client-id":null,"user":"bob"},[["consumer_byte_rate",2000],["producer_byte_rate",1000]]]]`,
  alterScramUsers: "done RESOURCE_NOT_FOUND",
  describeScramUsers: `[{"mechanism":"SCRAM-SHA-256","iterations":8192}] RESOURCE_NOT_FOUND`,
  describeFeatures: `["eligible.leader.replicas.version","group.version","metadata.version","share.version","streams.version","transaction.version"]`,
  fenceProducers: "true",
  "the fenced producer": `"Empty"`,
  abortTransactions: "done"
}

export const expected = { ours: { ...both, ...ours }, kafka: { ...both, ...kafka } }
