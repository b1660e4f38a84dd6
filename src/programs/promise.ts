import type { Diagnosis } from "../client/observability/diagnose.ts"
import { type CallOptions, callOnce } from "../client/promise/calls.ts"
import { type Client, connectWith } from "../client/promise/client.ts"
import { type ConnectOptions, connectionOf } from "../client/promise/options.ts"
import { Admin, Consumer, Producer, diagnose as platformDiagnose } from "./library.ts"

/**
 * The client library of Comanche Franz for programs without Effect: the same calls under the same names, as functions
 * that return promises. A call rejects with the library's error, an `Error` whose `_tag` names it.
 *
 *     await using client = await connect({ leader: "127.0.0.1:9092" })
 *     await client.addTopic("orders", { partitions: 6 })
 *     const producer = await client.producer()
 *     await producer.sendMessage("orders", "hello", { key: "customer-7" })
 *     const consumer = await client.consumer({ from: "earliest" })
 *     await consumer.joinConsumerGroup("billing")
 *     await consumer.subscribe("orders")
 *     for await (const record of consumer.records()) console.log(record.text)
 */
export const connect = (options: ConnectOptions, call?: CallOptions): Promise<Client> =>
  connectWith({ admin: Admin.make, producer: Producer.make, consumer: Consumer.make }, options, call)

/** Says in sentences what is wrong between this machine and a cluster. See `Diagnosis`. */
export const diagnose = (options: ConnectOptions, call?: CallOptions): Promise<Diagnosis> => callOnce("diagnose", platformDiagnose(connectionOf(options)), call)

export type { Acl, AclFilter, AclsAdmin } from "../client/admin/batch/acls.ts"
export type {
  ConfigResource,
  ConfigResourceType,
  ConfigsAdmin,
  ConfigsToAlter,
  ConfigsToDescribe,
  ConfigValue,
  ConfigValueSource,
  DescribeConfigsOptions
} from "../client/admin/batch/configs.ts"
export type { CommittedOffset, GroupOffsetsAdmin, OffsetReset, OffsetToCommit, ResetOptions, ResetTo } from "../client/admin/batch/group-offsets.ts"
export type { GroupState, GroupsAdmin, MemberReference } from "../client/admin/batch/groups.ts"
export type { AdminOptions, ChangeOptions, ItemError } from "../client/admin/batch/items.ts"
export type { FeaturesDescription, FeatureUpdate, NewVoter, QuorumAdmin, QuorumDescription, QuorumReplica, VersionRange } from "../client/admin/batch/quorum.ts"
export type { ClientQuotas, QuotaChange, QuotaEntity, QuotaFilter, QuotaFilterOptions, QuotasAdmin } from "../client/admin/batch/quotas.ts"
export type { ListedOffset, OffsetRequest, RecordsAdmin, RecordsToDelete } from "../client/admin/batch/records.ts"
export type { ElectionType, Reassignment, ReassignmentInProgress, ReplicaMove, ReplicasAdmin } from "../client/admin/batch/replicas.ts"
export type { ScramChange, ScramCredential, ScramUser, ScramUsersAdmin } from "../client/admin/batch/scram-users.ts"
export type { DelegationToken, NewToken, TokensAdmin } from "../client/admin/batch/tokens.ts"
export type { NewPartitions, NewTopic, TopicReference, TopicsAdmin } from "../client/admin/batch/topics.ts"
export type {
  ProducerState,
  TransactionDescription,
  TransactionFilter,
  TransactionListed,
  TransactionsAdmin,
  TransactionToAbort
} from "../client/admin/batch/transactions.ts"
export type { BrokerDescription } from "../client/admin/brokers.ts"
export type { ClusterDescription, ConfigEntry, NodeDescription, PartitionDescription, TopicDescription } from "../client/admin/cluster.ts"
export type { GroupDescription, GroupListed, GroupMember, GroupOffset } from "../client/admin/groups.ts"
export type { LogDescription, LogDirDescription } from "../client/admin/log-dirs.ts"
export type { MetricValue } from "../client/admin/metrics.ts"
export type { NodeConfigError, NodeOrAll } from "../client/admin/node-configs.ts"
export type { ConfigChanges } from "../client/admin/topic-configs.ts"
export type { Isolation, StartAt } from "../client/cluster/start-offsets.ts"
export type { TopicPartition } from "../client/cluster/topic-partition.ts"
export type { AssignError, CommitError, JoinError, PollError, RunError, SubscribeError } from "../client/consumer/errors.ts"
export type { ConsumerEvent, LossReason } from "../client/consumer/events.ts"
export { ConsumedRecord } from "../client/consumer/fetch/record.ts"
export type { From, PollOptions } from "../client/consumer/options.ts"
export type { PartitionLag } from "../client/consumer/service.ts"
export * from "../client/error.ts"
export type { AssignorName, GroupOptions } from "../client/group/options.ts"
export type { TopicView } from "../client/metadata/view.ts"
export type { Diagnosis, DiagnosisFinding } from "../client/observability/diagnose.ts"
export type { SendError, Sent } from "../client/producer/accumulator/delivery.ts"
export type { CustomPartitioner, PartitionerInput } from "../client/producer/accumulator/partitioner.ts"
export type { Message, MessageHeader, MessageHeaders, MessageOptions, TypedMessageOptions } from "../client/producer/producer.ts"
export type { CallbackContext, OnAssigned } from "../client/promise/callbacks.ts"
export type { CallOptions } from "../client/promise/calls.ts"
export type { Admin, Client } from "../client/promise/client.ts"
export type { Consumer, Handler, JoinOptions, RunOptions } from "../client/promise/consumer.ts"
export type { ConnectOptions, ConsumerOptions, LogEntry, ProducerOptions, SaslOptions } from "../client/promise/options.ts"
export type { ItemOutcome, Outcome } from "../client/promise/outcome.ts"
export type { Producer } from "../client/promise/producer.ts"
export type { OAuthToken, Secret, TlsOptions } from "../client/security/options.ts"
export type { TopicAdded, TopicOptions } from "../client/topic/administration.ts"
export type { HeaderList } from "../client/topic/headers.ts"
export * as Topic from "../client/topic/topic.ts"
