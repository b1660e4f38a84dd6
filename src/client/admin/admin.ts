import { Config, type ConfigError, Context, Effect, Layer, type Scope } from "effect"
import type { Transport } from "../../ports/transport.ts"
import { wrongConnection } from "../argument/connection.ts"
import { guarded } from "../argument/guard.ts"
import { type Client, makeClient } from "../cluster/client.ts"
import type { CallError, GroupNotEmpty, InvalidAddress, InvalidArgument, NotAuthorized, UnknownGroup, UnknownTopic } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { TopicView } from "../metadata/view.ts"
import type { ConnectionOptions } from "../options.ts"
import { type AddTopicError, addPartitions, addTopic, type RemoveTopicError, removeTopic, type TopicAdded, type TopicOptions } from "../topic/administration.ts"
import { wrongAddTopic, wrongTopicName } from "../topic/arguments.ts"
import { wrongGroup, wrongListing, wrongNode, wrongNodeChanges, wrongPartitions, wrongTopicChanges } from "./arguments.ts"
import { type BrokerDescription, listBrokers, unregisterBroker } from "./brokers.ts"
import { type ClusterDescription, type ConfigEntry, describeCluster, describeTopic, listTopics, type TopicDescription, topicConfigs } from "./cluster.ts"
import { deleteGroup, describeGroup, type GroupDescription, type GroupListed, listGroups } from "./groups.ts"
import { describeLogDirs, type LogDirDescription } from "./log-dirs.ts"
import { type MetricValue, readMetrics } from "./metrics.ts"
import { configureNode, type NodeConfigError, type NodeOrAll, nodeConfigs } from "./node-configs.ts"
import { type ConfigChanges, configureTopic } from "./topic-configs.ts"

export interface AdminService {
  readonly addTopic: (topic: string, options?: TopicOptions) => Effect.Effect<TopicAdded, AddTopicError>
  readonly removeTopic: (topic: string) => Effect.Effect<void, RemoveTopicError>
  /** Gives a topic more partitions, `partitions` in all. Keys may change their partition. */
  readonly addPartitions: (topic: string, partitions: number) => Effect.Effect<void, RemoveTopicError>
  /** A topic's settings, by name: its own, and those that it has from the cluster. */
  readonly topicConfigs: (topic: string) => Effect.Effect<ReadonlyArray<ConfigEntry>, CallError | NotAuthorized | UnknownTopic | InvalidArgument>
  /** Changes settings of a topic while it is in use, all of them or none. */
  readonly configureTopic: (topic: string, changes: ConfigChanges) => Effect.Effect<void, RemoveTopicError>
  /** A node's settings, by name; of "all": what was set for all nodes while they run. */
  readonly nodeConfigs: (node: NodeOrAll) => Effect.Effect<ReadonlyArray<ConfigEntry>, NodeConfigError>
  /** Changes settings of a node, or of all nodes, while they run, all of them or none. */
  readonly configureNode: (node: NodeOrAll, changes: ConfigChanges) => Effect.Effect<void, NodeConfigError>
  /** All topics, by name; the cluster's own too where `internal` says so. */
  readonly listTopics: (options?: { readonly internal?: boolean }) => Effect.Effect<ReadonlyArray<TopicView>, CallError | InvalidArgument>
  readonly describeTopic: (topic: string) => Effect.Effect<TopicDescription, TopicError | InvalidArgument>
  readonly listGroups: Effect.Effect<ReadonlyArray<GroupListed>, CallError | NotAuthorized>
  /** Members, offsets and lag. */
  readonly describeGroup: (group: string) => Effect.Effect<GroupDescription, CallError | NotAuthorized | UnknownGroup | InvalidArgument>
  /** Deletes a group without members, and its offsets. */
  readonly deleteGroup: (group: string) => Effect.Effect<void, CallError | NotAuthorized | UnknownGroup | GroupNotEmpty | InvalidArgument>
  readonly describeCluster: Effect.Effect<ClusterDescription, CallError | NotAuthorized>
  /** The brokers that are registered, and how many partitions lie on each. */
  readonly listBrokers: Effect.Effect<ReadonlyArray<BrokerDescription>, CallError | NotAuthorized>
  /** Takes the registration of a broker away that will not come back. */
  readonly unregisterBroker: (broker: number) => Effect.Effect<void, CallError | NotAuthorized>
  /** The data directories of every broker, and what lies in them. */
  readonly describeLogDirs: Effect.Effect<ReadonlyArray<LogDirDescription>, CallError | NotAuthorized>
  /** The metrics of all nodes that serve, each value with the label `node`. UnsupportedByCluster from nodes of another kind. */
  readonly metrics: Effect.Effect<ReadonlyArray<MetricValue>, CallError | NotAuthorized>
}

const guardedAdmin = (client: Client): AdminService => ({
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
  unregisterBroker: (broker) => unregisterBroker(client, broker),
  describeLogDirs: describeLogDirs(client),
  metrics: readMetrics(client)
})

type MakeError = CallError | InvalidAddress | InvalidArgument
const makeAdmin = (options: ConnectionOptions): Effect.Effect<AdminService, MakeError, Transport | Scope.Scope> =>
  guarded(
    "Admin.make",
    () => wrongConnection(options),
    Effect.suspend(() => Effect.map(makeClient(options), guardedAdmin))
  )

/** What an operator asks and orders: topics, groups, the cluster. */
export class Admin extends Context.Tag("comanche-franz/Admin")<Admin, AdminService>() {
  static readonly make = makeAdmin
  static readonly layer = (options: ConnectionOptions): Layer.Layer<Admin, MakeError, Transport> => Layer.scoped(Admin, makeAdmin(options))
  static readonly layerConfig = (options: Config.Config.Wrap<ConnectionOptions>): Layer.Layer<Admin, MakeError | ConfigError.ConfigError, Transport> =>
    Layer.scoped(Admin, Effect.flatMap(Config.unwrap(options), makeAdmin))
}
