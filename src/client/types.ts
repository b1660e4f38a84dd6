/** The types that the library with Effect and the one of promises have in common. */
export type { Acl, AclFilter, AclsAdmin } from "./admin/batch/acls.ts"
export type {
  ConfigResource,
  ConfigResourceType,
  ConfigsAdmin,
  ConfigsToAlter,
  ConfigsToDescribe,
  ConfigValue,
  ConfigValueSource,
  DescribeConfigsOptions
} from "./admin/batch/configs.ts"
export type { CommittedOffset, GroupOffsetsAdmin, OffsetReset, OffsetToCommit, ResetOptions, ResetTo } from "./admin/batch/group-offsets.ts"
export type { GroupState, GroupsAdmin, MemberReference } from "./admin/batch/groups.ts"
export type { AdminOptions, ChangeOptions, ItemError } from "./admin/batch/items.ts"
export type { FeaturesDescription, FeatureUpdate, NewVoter, QuorumAdmin, QuorumDescription, QuorumReplica, VersionRange } from "./admin/batch/quorum.ts"
export type { ClientQuotas, QuotaChange, QuotaEntity, QuotaFilter, QuotaFilterOptions, QuotasAdmin } from "./admin/batch/quotas.ts"
export type { ListedOffset, OffsetRequest, RecordsAdmin, RecordsToDelete } from "./admin/batch/records.ts"
export type { ElectionType, Reassignment, ReassignmentInProgress, ReplicaMove, ReplicasAdmin } from "./admin/batch/replicas.ts"
export type { ScramChange, ScramCredential, ScramUser, ScramUsersAdmin } from "./admin/batch/scram-users.ts"
export type { DelegationToken, NewToken, TokensAdmin } from "./admin/batch/tokens.ts"
export type { NewPartitions, NewTopic, TopicReference, TopicsAdmin } from "./admin/batch/topics.ts"
export type {
  ProducerState,
  TransactionDescription,
  TransactionFilter,
  TransactionListed,
  TransactionsAdmin,
  TransactionToAbort
} from "./admin/batch/transactions.ts"
export type { BrokerDescription } from "./admin/brokers.ts"
export type { ClusterDescription, ConfigEntry, NodeDescription, PartitionDescription, TopicDescription } from "./admin/cluster.ts"
export type { GroupDescription, GroupListed, GroupMember, GroupOffset } from "./admin/groups.ts"
export type { LogDescription, LogDirDescription } from "./admin/log-dirs.ts"
export type { MetricValue } from "./admin/metrics.ts"
export type { NodeConfigError, NodeOrAll } from "./admin/node-configs.ts"
export type { ConfigChanges } from "./admin/topic-configs.ts"
export type { Isolation, StartAt } from "./cluster/start-offsets.ts"
export type { TopicPartition } from "./cluster/topic-partition.ts"
export type { AssignError, CommitError, JoinError, PollError, RunError, SubscribeError } from "./consumer/errors.ts"
export type { ConsumerEvent, LossReason } from "./consumer/events.ts"
export type { From, PollOptions } from "./consumer/options.ts"
export type { PartitionLag } from "./consumer/service.ts"
export type { TypedMessage } from "./consumer/typed/decode.ts"
export type { WorkerRetries } from "./consumer/typed/options.ts"
export type { AssignorName, GroupOptions } from "./group/options.ts"
export type { TopicView } from "./metadata/view.ts"
export type { Diagnosis, DiagnosisFinding } from "./observability/diagnose.ts"
export type { SendError, Sent } from "./producer/accumulator/delivery.ts"
export type { CustomPartitioner, PartitionerInput } from "./producer/accumulator/partitioner.ts"
export type { Message, MessageHeader, MessageHeaders, MessageOptions, TypedMessageOptions } from "./producer/producer.ts"
export type { OAuthToken, Secret, TlsOptions } from "./security/options.ts"
export type { TopicAdded, TopicOptions } from "./topic/administration.ts"
export type { HeaderList } from "./topic/headers.ts"
