/**
 * One row a Kafka error: its code on the wire, whether a retry of the same request may succeed, and a sentence for the
 * operator. Source: Kafka protocol specification, "Error codes".
 */
const table = {
  UNKNOWN_SERVER_ERROR: [-1, false, "The server failed in a way that no other error describes; its log says more."],
  NONE: [0, false, "Success."],
  OFFSET_OUT_OF_RANGE: [1, false, "The offset is before the start or after the end of the partition."],
  CORRUPT_MESSAGE: [2, true, "The records do not match their checksum, size or format."],
  UNKNOWN_TOPIC_OR_PARTITION: [3, true, "This node knows no such topic or partition."],
  INVALID_FETCH_SIZE: [4, false, "The number of bytes to fetch makes no sense."],
  LEADER_NOT_AVAILABLE: [5, true, "The partition has no leader right now."],
  NOT_LEADER_OR_FOLLOWER: [6, true, "This broker neither leads nor follows the partition; ask for metadata again."],
  REQUEST_TIMED_OUT: [7, true, "The request was not done within its time."],
  BROKER_NOT_AVAILABLE: [8, false, "The broker is not there."],
  REPLICA_NOT_AVAILABLE: [9, true, "The replica is not there."],
  MESSAGE_TOO_LARGE: [10, false, "The record batch is larger than the topic or broker allows."],
  STALE_CONTROLLER_EPOCH: [11, false, "The request comes from a controller that has been replaced."],
  OFFSET_METADATA_TOO_LARGE: [12, false, "The text beside the committed offset is too long."],
  NETWORK_EXCEPTION: [13, true, "The connection broke before the answer came."],
  COORDINATOR_LOAD_IN_PROGRESS: [14, true, "The coordinator is still reading its state; try again soon."],
  COORDINATOR_NOT_AVAILABLE: [15, true, "There is no coordinator right now; try again soon."],
  NOT_COORDINATOR: [16, true, "This node does not coordinate that group or transaction; look for the coordinator again."],
  INVALID_TOPIC_EXCEPTION: [17, false, "The topic's name is not allowed, or the topic is internal."],
  RECORD_LIST_TOO_LARGE: [18, false, "The request holds more records than one segment can take."],
  NOT_ENOUGH_REPLICAS: [19, true, "Fewer replicas are in sync than the topic demands; nothing was written."],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, true, "The records were written, but to fewer replicas than the topic demands."],
  INVALID_REQUIRED_ACKS: [21, false, "acks must be -1 (all), 0 or 1."],
  ILLEGAL_GENERATION: [22, false, "The group has moved on to another generation."],
  INCONSISTENT_GROUP_PROTOCOL: [23, false, "The member shares no protocol type or assignor with the rest of its group."],
  INVALID_GROUP_ID: [24, false, "The group's name is not allowed."],
  UNKNOWN_MEMBER_ID: [25, false, "The group does not know this member; it must join again."],
  INVALID_SESSION_TIMEOUT: [26, false, "The session timeout is outside of the bounds that the coordinator allows."],
  REBALANCE_IN_PROGRESS: [27, false, "The group is rebalancing; the member must join again."],
  INVALID_COMMIT_OFFSET_SIZE: [28, false, "The committed offsets are too large to be stored."],
  TOPIC_AUTHORIZATION_FAILED: [29, false, "No access to the topic."],
  GROUP_AUTHORIZATION_FAILED: [30, false, "No access to the group."],
  CLUSTER_AUTHORIZATION_FAILED: [31, false, "No access to this operation on the cluster."],
  INVALID_TIMESTAMP: [32, false, "A record's timestamp is out of the range that the topic accepts."],
  UNSUPPORTED_SASL_MECHANISM: [33, false, "The server does not offer that SASL mechanism."],
  ILLEGAL_SASL_STATE: [34, false, "The request does not fit into this stage of authentication."],
  UNSUPPORTED_VERSION: [35, false, "The server does not speak that version of the API."],
  TOPIC_ALREADY_EXISTS: [36, false, "A topic of that name exists already."],
  INVALID_PARTITIONS: [37, false, "The number of partitions is not possible."],
  INVALID_REPLICATION_FACTOR: [38, false, "The replication factor is below 1 or above the number of brokers."],
  INVALID_REPLICA_ASSIGNMENT: [39, false, "The replicas named for a partition are not possible."],
  INVALID_CONFIG: [40, false, "A setting is unknown, or its value is not allowed."],
  NOT_CONTROLLER: [41, true, "This node is not the cluster's controller; ask for metadata again."],
  INVALID_REQUEST: [42, false, "The request contradicts itself or lacks a field."],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, false, "The partition's record format cannot do that."],
  POLICY_VIOLATION: [44, false, "A policy of the cluster forbids this."],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, false, "A batch of an idempotent producer is missing before this one."],
  DUPLICATE_SEQUENCE_NUMBER: [46, false, "The batch was written before, too long ago to tell where."],
  INVALID_PRODUCER_EPOCH: [47, false, "A newer instance of the producer has taken over."],
  INVALID_TXN_STATE: [48, false, "The transaction is in no state that allows this."],
  INVALID_PRODUCER_ID_MAPPING: [49, false, "The producer id does not belong to this transactional id."],
  INVALID_TRANSACTION_TIMEOUT: [50, false, "The transaction timeout is larger than the server allows."],
  CONCURRENT_TRANSACTIONS: [51, true, "The transaction before this one is still being finished; try again soon."],
  TRANSACTION_COORDINATOR_FENCED: [52, false, "Another node coordinates the transaction by now."],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, false, "No access to the transactional id."],
  SECURITY_DISABLED: [54, false, "The cluster has no access rules."],
  OPERATION_NOT_ATTEMPTED: [55, false, "Not tried, because another part of the request failed."],
  KAFKA_STORAGE_ERROR: [56, true, "The broker's disk failed."],
  LOG_DIR_NOT_FOUND: [57, false, "The broker has no such data directory."],
  SASL_AUTHENTICATION_FAILED: [58, false, "Authentication failed."],
  UNKNOWN_PRODUCER_ID: [59, false, "The broker has nothing left from this producer."],
  REASSIGNMENT_IN_PROGRESS: [60, false, "The partition is being moved."],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, false, "The cluster has no delegation tokens."],
  DELEGATION_TOKEN_NOT_FOUND: [62, false, "There is no such delegation token."],
  DELEGATION_TOKEN_OWNER_MISMATCH: [63, false, "The delegation token belongs to another principal."],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [64, false, "Delegation tokens cannot be managed over this connection."],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, false, "No access to the delegation token."],
  DELEGATION_TOKEN_EXPIRED: [66, false, "The delegation token has expired."],
  INVALID_PRINCIPAL_TYPE: [67, false, "There is no such type of principal."],
  NON_EMPTY_GROUP: [68, false, "The group still has members."],
  GROUP_ID_NOT_FOUND: [69, false, "There is no such group."],
  FETCH_SESSION_ID_NOT_FOUND: [70, true, "The broker has forgotten the fetch session; start a new one."],
  INVALID_FETCH_SESSION_EPOCH: [71, true, "A request of the fetch session is missing or came twice; start a new one."],
  LISTENER_NOT_FOUND: [72, true, "The partition's leader cannot be reached by the kind of address this connection uses."],
  TOPIC_DELETION_DISABLED: [73, false, "The cluster does not allow topics to be removed."],
  FENCED_LEADER_EPOCH: [74, true, "The partition has a newer leader epoch; ask for metadata again."],
  UNKNOWN_LEADER_EPOCH: [75, true, "The leader epoch is newer than what this broker knows; try again soon."],
  UNSUPPORTED_COMPRESSION_TYPE: [76, false, "The codec is unknown, or newer than this version of the request allows."],
  STALE_BROKER_EPOCH: [77, false, "The broker has registered again since it sent this."],
  OFFSET_NOT_AVAILABLE: [78, true, "A new leader does not know its high watermark yet; try again soon."],
  MEMBER_ID_REQUIRED: [79, false, "Join again with the member id that the coordinator has given."],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, true, "The preferred leader is not there or not in sync."],
  GROUP_MAX_SIZE_REACHED: [81, false, "The group has as many members as it may have."],
  FENCED_INSTANCE_ID: [82, false, "Another member with the same instance id has taken over."],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, true, "No replica may become leader."],
  ELECTION_NOT_NEEDED: [84, true, "The partition has the leader it should have."],
  NO_REASSIGNMENT_IN_PROGRESS: [85, false, "The partition is not being moved."],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, false, "The group still subscribes to the topic."],
  INVALID_RECORD: [87, false, "A record breaks a rule of its topic or format."],
  UNSTABLE_OFFSET_COMMIT: [88, true, "A transaction over these offsets is still open; try again soon."],
  THROTTLING_QUOTA_EXCEEDED: [89, true, "A quota is used up; try again later."],
  PRODUCER_FENCED: [90, false, "A newer producer with the same transactional id has taken over."],
  RESOURCE_NOT_FOUND: [91, false, "There is nothing of that name."],
  DUPLICATE_RESOURCE: [92, false, "The request names the same thing twice."],
  UNACCEPTABLE_CREDENTIAL: [93, false, "The credential does not meet the rules."],
  INCONSISTENT_VOTER_SET: [94, false, "Sender and receiver disagree on who votes in the quorum."],
  INVALID_UPDATE_VERSION: [95, false, "The feature cannot go to that level."],
  FEATURE_UPDATE_FAILED: [96, false, "The feature's level could not be changed."],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, false, "The relayed request does not say in a readable way who sent it."],
  SNAPSHOT_NOT_FOUND: [98, false, "There is no such snapshot."],
  POSITION_OUT_OF_RANGE: [99, false, "The position is outside of the snapshot."],
  UNKNOWN_TOPIC_ID: [100, true, "This node knows no topic of that id."],
  DUPLICATE_BROKER_REGISTRATION: [101, false, "Another broker with the same id is alive."],
  BROKER_ID_NOT_REGISTERED: [102, false, "No broker of that id is registered."],
  INCONSISTENT_TOPIC_ID: [103, true, "The topic has another id in the log than in the request."],
  INCONSISTENT_CLUSTER_ID: [104, false, "The request is meant for another cluster."],
  TRANSACTIONAL_ID_NOT_FOUND: [105, false, "There is no such transactional id."],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, true, "A fetch session cannot change between topic names and topic ids; start a new one."],
  INELIGIBLE_REPLICA: [107, false, "The replica may not become in sync now."],
  NEW_LEADER_ELECTED: [108, false, "The change of the in-sync set went through, and the partition has a new leader."],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, false, "The offset has been moved to tiered storage."],
  FENCED_MEMBER_EPOCH: [110, false, "The member's epoch is not the coordinator's; it must join again."],
  UNRELEASED_INSTANCE_ID: [111, false, "The instance id is still held by another member."],
  UNSUPPORTED_ASSIGNOR: [112, false, "The coordinator does not have that assignor."],
  STALE_MEMBER_EPOCH: [113, false, "The member's epoch is old; try again with the one of its last heartbeat."],
  MISMATCHED_ENDPOINT_TYPE: [114, false, "The request went to a broker where a controller was meant, or the other way round."],
  UNSUPPORTED_ENDPOINT_TYPE: [115, false, "This node cannot describe that kind of endpoint."],
  UNKNOWN_CONTROLLER_ID: [116, false, "There is no controller of that id."],
  UNKNOWN_SUBSCRIPTION_ID: [117, false, "The telemetry subscription has changed; ask for it again."],
  TELEMETRY_TOO_LARGE: [118, false, "The metrics are larger than the cluster accepts."],
  INVALID_REGISTRATION: [119, false, "The controller refuses the registration."],
  TRANSACTION_ABORTABLE: [120, false, "An error occurred after which the transaction can only be aborted."],
  INVALID_RECORD_STATE: [121, false, "The record is in no state that allows this acknowledgement."],
  SHARE_SESSION_NOT_FOUND: [122, true, "The broker has forgotten the share session; start a new one."],
  INVALID_SHARE_SESSION_EPOCH: [123, true, "A request of the share session is missing or came twice; start a new one."],
  FENCED_STATE_EPOCH: [124, false, "The share partition's state has a newer epoch."],
  INVALID_VOTER_KEY: [125, false, "The voter's id or directory does not match."],
  DUPLICATE_VOTER: [126, false, "The voter is in the quorum already."],
  VOTER_NOT_FOUND: [127, false, "The voter is not in the quorum."],
  INVALID_REGULAR_EXPRESSION: [128, false, "The regular expression cannot be read."],
  REBOOTSTRAP_REQUIRED: [129, false, "The client talks to a node it did not mean; it must start again from its bootstrap addresses."],
  STREAMS_INVALID_TOPOLOGY: [130, false, "The streams topology contradicts itself."],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, false, "The epoch of the streams topology is not possible."],
  STREAMS_TOPOLOGY_FENCED: [132, false, "The group has a newer streams topology."],
  SHARE_SESSION_LIMIT_REACHED: [133, true, "The broker has as many share sessions as it may have; try again later."],
  GROUP_DELETION_FAILED: [134, false, "The group could not be removed."],
  STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED: [135, false, "The description of the streams topology could not be stored."],
  CONTROLLER_ID_NOT_REGISTERED: [136, false, "No controller of that id is registered."]
} as const satisfies Record<string, readonly [code: number, retriable: boolean, sentence: string]>

/** The name of a Kafka error, as every Kafka tool prints it. */
export type KafkaError = keyof typeof table

const names = new Map<number, KafkaError>()
for (const name of Object.keys(table) as ReadonlyArray<KafkaError>) names.set(table[name][0], name)

/** The code on the wire. `NONE` is 0. */
export const errorCode = (error: KafkaError): number => table[error][0]
/** The error of a code; a code from a newer peer that the table does not hold is UNKNOWN_SERVER_ERROR. */
export const kafkaError = (code: number): KafkaError => names.get(code) ?? "UNKNOWN_SERVER_ERROR"
/** Whether the same request may succeed later, possibly elsewhere (Kafka's RetriableException). */
export const isRetriable = (error: KafkaError): boolean => table[error][1]
/** Returns what the error means, in a sentence, where there is no better message. */
export const errorText = (error: KafkaError): string => table[error][2]
/** Every error of Kafka, by code. */
export const kafkaErrors: ReadonlyArray<KafkaError> = [...names.entries()].toSorted(([left], [right]) => left - right).map(([, name]) => name)

/** A record of a batch, by its index from 0, and its error. */
export interface RejectedRecord {
  readonly index: number
  readonly message: string
}
/** Why a command changed nothing: a Kafka error, and a sentence for the operator. */
export interface Rejection {
  readonly error: KafkaError
  readonly message: string
  /** The records of a batch for which it was refused (KIP-467), where it is known. */
  readonly records?: ReadonlyArray<RejectedRecord>
}
