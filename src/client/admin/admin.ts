import { Config, type ConfigError, Context, Effect, Layer, type Option, type Scope } from "effect"
import { Cryptography } from "../../ports/cryptography.ts"
import { keepingInterruption } from "../../ports/kept-interruption.ts"
import type { Transport } from "../../ports/transport.ts"
import { wrongConnection } from "../argument/connection.ts"
import { guarded } from "../argument/guard.ts"
import { type Client, makeClient } from "../cluster/client.ts"
import type { CallError, GroupNotEmpty, InvalidAddress, InvalidArgument, NotAuthorized, UnknownGroup, UnknownTopic } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { TopicView } from "../metadata/view.ts"
import type { ConnectionOptions } from "../options.ts"
import { withDeadlines } from "../runtime/deadline.ts"
import { type AddTopicError, addPartitions, addTopic, type RemoveTopicError, removeTopic, type TopicAdded, type TopicOptions } from "../topic/administration.ts"
import { wrongAddTopic, wrongTopicName } from "../topic/arguments.ts"
import { wrongBroker, wrongGroup, wrongListing, wrongNode, wrongNodeChanges, wrongPartitions, wrongTopicChanges } from "./arguments.ts"
import { type AclsAdmin, aclsAdmin } from "./batch/acls.ts"
import { type ConfigsAdmin, configsAdmin } from "./batch/configs.ts"
import { type GroupOffsetsAdmin, groupOffsetsAdmin } from "./batch/group-offsets.ts"
import { type GroupsAdmin, groupsAdmin } from "./batch/groups.ts"
import { type QuorumAdmin, quorumAdmin } from "./batch/quorum.ts"
import { type QuotasAdmin, quotasAdmin } from "./batch/quotas.ts"
import { type RecordsAdmin, recordsAdmin } from "./batch/records.ts"
import { type ReplicasAdmin, replicasAdmin } from "./batch/replicas.ts"
import { type ScramUsersAdmin, scramUsersAdmin } from "./batch/scram-users.ts"
import { type TokensAdmin, tokensAdmin } from "./batch/tokens.ts"
import { type TopicsAdmin, topicsAdmin } from "./batch/topics.ts"
import { type TransactionsAdmin, transactionsAdmin } from "./batch/transactions.ts"
import { type BrokerDescription, listBrokers, unregisterBroker } from "./brokers.ts"
import { type ClusterDescription, type ConfigEntry, describeCluster, describeTopic, listTopics, type TopicDescription, topicConfigs } from "./cluster.ts"
import { deleteGroup, describeGroup, type GroupDescription, type GroupListed, listGroups } from "./groups.ts"
import { describeLogDirs, type LogDirDescription } from "./log-dirs.ts"
import { type MetricValue, readMetrics } from "./metrics.ts"
import { configureNode, type NodeConfigError, type NodeOrAll, nodeConfigs } from "./node-configs.ts"
import { type ConfigChanges, configureTopic } from "./topic-configs.ts"

export interface AdminService
  extends TopicsAdmin,
    RecordsAdmin,
    ConfigsAdmin,
    GroupsAdmin,
    GroupOffsetsAdmin,
    ReplicasAdmin,
    AclsAdmin,
    QuotasAdmin,
    ScramUsersAdmin,
    TransactionsAdmin,
    QuorumAdmin,
    TokensAdmin {
  /** Creates a topic; see `ProducerService.addTopic`. */
  readonly addTopic: (topic: string, options?: TopicOptions) => Effect.Effect<TopicAdded, AddTopicError>
  /** Deletes a topic and all its messages. UnknownTopic if there is none. */
  readonly removeTopic: (topic: string) => Effect.Effect<void, RemoveTopicError>
  /**
   * Adds partitions to a topic, up to `partitions` in all. Keys may change their partition. TopicRefused when the topic
   * has as many already.
   */
  readonly addPartitions: (topic: string, partitions: number) => Effect.Effect<void, RemoveTopicError>
  /** The settings of a topic, by name: its own, and those that it has from the cluster. */
  readonly topicConfigs: (topic: string) => Effect.Effect<ReadonlyArray<ConfigEntry>, CallError | NotAuthorized | UnknownTopic | InvalidArgument>
  /**
   * Changes settings of a topic while it is in use, all of them or none. TopicRefused names the setting and the values
   * that it accepts.
   */
  readonly configureTopic: (topic: string, changes: ConfigChanges) => Effect.Effect<void, RemoveTopicError>
  /** The settings of a node, by name. For "all": the settings that were changed for all nodes at run time. */
  readonly nodeConfigs: (node: NodeOrAll) => Effect.Effect<ReadonlyArray<ConfigEntry>, NodeConfigError>
  /**
   * Changes settings of a node, or of all nodes, at run time, all of them or none. NodeRefused names the setting and
   * the values that it accepts.
   */
  readonly configureNode: (node: NodeOrAll, changes: ConfigChanges) => Effect.Effect<void, NodeConfigError>
  /** All topics, by name; also the internal ones with `internal`. */
  readonly listTopics: (options?: { readonly internal?: boolean }) => Effect.Effect<ReadonlyArray<TopicView>, CallError | InvalidArgument>
  /** The partitions of a topic with their offsets, and its settings. */
  readonly describeTopic: (topic: string) => Effect.Effect<TopicDescription, TopicError | InvalidArgument>
  /** The groups of all nodes, by name. */
  readonly listGroups: Effect.Effect<ReadonlyArray<GroupListed>, CallError | NotAuthorized>
  /** The members, the committed offsets and the lag of a group. */
  readonly describeGroup: (group: string) => Effect.Effect<GroupDescription, CallError | NotAuthorized | UnknownGroup | InvalidArgument>
  /** Deletes a group and its offsets. GroupNotEmpty where it has members. */
  readonly deleteGroup: (group: string) => Effect.Effect<void, CallError | NotAuthorized | UnknownGroup | GroupNotEmpty | InvalidArgument>
  /** The id, the controller and the nodes of the cluster, also the fenced ones where it names them (KIP-1073). */
  readonly describeCluster: Effect.Effect<ClusterDescription, CallError | NotAuthorized>
  /** The registered brokers, each with the number of its partitions. */
  readonly listBrokers: Effect.Effect<ReadonlyArray<BrokerDescription>, CallError | NotAuthorized>
  /** Unregisters a broker that will not restart. A broker that runs registers again by itself. */
  readonly unregisterBroker: (broker: number) => Effect.Effect<void, CallError | NotAuthorized | InvalidArgument>
  /** The data directories of all brokers, with their logs. */
  readonly describeLogDirs: Effect.Effect<ReadonlyArray<LogDirDescription>, CallError | NotAuthorized>
  /**
   * The metrics of all nodes that serve, each value with the label `node`. UnsupportedByCluster from nodes of another
   * kind.
   */
  readonly metrics: Effect.Effect<ReadonlyArray<MetricValue>, CallError | NotAuthorized>
}

/** The calls that name one thing, and fail for it. */
type SingleCalls = Exclude<
  keyof AdminService,
  keyof (TopicsAdmin &
    RecordsAdmin &
    ConfigsAdmin &
    GroupsAdmin &
    GroupOffsetsAdmin &
    ReplicasAdmin &
    AclsAdmin &
    QuotasAdmin &
    ScramUsersAdmin &
    TransactionsAdmin &
    QuorumAdmin &
    TokensAdmin)
>
const guardedAdmin = (client: Client): Pick<AdminService, SingleCalls> => ({
  addTopic: (topic, options) => guarded("addTopic", () => wrongAddTopic(topic, options), addTopic(client, topic, options)),
  removeTopic: (topic) => guarded("removeTopic", () => wrongTopicName(topic), removeTopic(client, topic)),
  addPartitions: (topic, partitions) => guarded("addPartitions", () => wrongPartitions(topic, partitions), addPartitions(client, topic, partitions)),
  topicConfigs: (topic) => guarded("topicConfigs", () => wrongTopicName(topic), topicConfigs(client, topic)),
  configureTopic: (topic, changes) => guarded("configureTopic", () => wrongTopicChanges(topic, changes), configureTopic(client, topic, changes)),
  nodeConfigs: (node) => guarded("nodeConfigs", () => wrongNode(node), nodeConfigs(client, node)),
  configureNode: (node, changes) => guarded("configureNode", () => wrongNodeChanges(node, changes), configureNode(client, node, changes)),
  listTopics: (options) =>
    guarded(
      "listTopics",
      () => wrongListing(options),
      Effect.suspend(() => listTopics(client, options))
    ),
  describeTopic: (topic) => guarded("describeTopic", () => wrongTopicName(topic), describeTopic(client, topic)),
  listGroups: listGroups(client),
  describeGroup: (group) => guarded("describeGroup", () => wrongGroup(group), describeGroup(client, group)),
  deleteGroup: (group) => guarded("deleteGroup", () => wrongGroup(group), deleteGroup(client, group)),
  describeCluster: describeCluster(client),
  listBrokers: listBrokers(client),
  unregisterBroker: (broker) => guarded("unregisterBroker", () => wrongBroker(broker), unregisterBroker(client, broker)),
  describeLogDirs: describeLogDirs(client),
  metrics: readMetrics(client)
})

const batchAdmin = (client: Client, cryptography: Option.Option<Cryptography["Type"]>): Omit<AdminService, SingleCalls> => {
  const records = recordsAdmin(client)
  return {
    ...topicsAdmin(client),
    ...records,
    ...configsAdmin(client),
    ...groupsAdmin(client),
    ...groupOffsetsAdmin(client, records),
    ...replicasAdmin(client),
    ...aclsAdmin(client),
    ...quotasAdmin(client),
    ...scramUsersAdmin(client, cryptography),
    ...transactionsAdmin(client),
    ...quorumAdmin(client),
    ...tokensAdmin(client)
  }
}

type MakeError = CallError | InvalidAddress | InvalidArgument
const makeAdmin = (options: ConnectionOptions): Effect.Effect<AdminService, MakeError, Transport | Scope.Scope> =>
  guarded(
    "Admin.make",
    () => wrongConnection(options),
    keepingInterruption(
      Effect.gen(function* () {
        const client = yield* makeClient(options)
        const service = { ...guardedAdmin(client), ...batchAdmin(client, yield* Effect.serviceOption(Cryptography)) }
        return withDeadlines(service, client.options.callTimeoutMs)
      })
    )
  )

const AdminTag: Context.TagClass<Admin, "comanche-franz/Admin", AdminService> = Context.Tag("comanche-franz/Admin")<Admin, AdminService>()
/** Describes and changes topics, groups and the cluster. */
export class Admin extends AdminTag {
  static readonly make = (options: ConnectionOptions): Effect.Effect<AdminService, MakeError, Transport | Scope.Scope> => makeAdmin(options)
  static readonly layer = (options: ConnectionOptions): Layer.Layer<Admin, MakeError, Transport> => Layer.scoped(Admin, makeAdmin(options))
  static readonly layerConfig = (options: Config.Config.Wrap<ConnectionOptions>): Layer.Layer<Admin, MakeError | ConfigError.ConfigError, Transport> =>
    Layer.scoped(Admin, Effect.flatMap(Config.unwrap(options), makeAdmin))
}
