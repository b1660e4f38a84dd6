import type { Cluster } from "../../domain/cluster/state.ts"
import type { NodeConfig, SettingName } from "../../domain/kernel/config.ts"
import type { Compression } from "../ports/compression.ts"
import type { LogDirectory } from "../ports/log-store.ts"
import { Fetch } from "../protocol/message/01-fetch.ts"
import { ListOffsets } from "../protocol/message/02-list-offsets.ts"
import { Metadata } from "../protocol/message/03-metadata.ts"
import { FindCoordinator } from "../protocol/message/10-find-coordinator.ts"
import { OffsetForLeaderEpoch } from "../protocol/message/23-offset-for-leader-epoch.ts"
import { DescribeConfigs } from "../protocol/message/32-describe-configs.ts"
import { DescribeCluster } from "../protocol/message/60-describe-cluster.ts"
import { administrationRoutes } from "../serve/administration/administration.ts"
import { findLeader, isInternalTopic } from "../serve/cluster/current-leader.ts"
import { describeCluster } from "../serve/cluster/describe-cluster.ts"
import { describeProducers, type FindProducers } from "../serve/cluster/describe-producers.ts"
import { findCoordinator } from "../serve/cluster/find-coordinator.ts"
import { type MetadataOptions, metadata } from "../serve/cluster/metadata.ts"
import { describeConfigs } from "../serve/configs/describe-configs.ts"
import type { Deadlines } from "../serve/deadlines.ts"
import { fetch } from "../serve/fetch/fetch.ts"
import type { FetchSessions } from "../serve/fetch/fetch-sessions.ts"
import { listOffsets } from "../serve/offsets/list-offsets.ts"
import { offsetForLeaderEpoch } from "../serve/offsets/offset-for-leader-epoch.ts"
import type { FindReadable } from "../serve/readable.ts"
import { type Route, route } from "../wire/route.ts"
import { produce } from "./handler/00-produce.ts"
import { deleteRecords } from "./handler/21-delete-records.ts"
import { initProducerId } from "./handler/22-init-producer-id.ts"
import { alterReplicaLogDirs } from "./handler/34-alter-replica-log-dirs.ts"
import { describeLogDirs } from "./handler/35-describe-log-dirs.ts"
import type { PartitionTable } from "./partition/hosted/table.ts"
import type { Trimming } from "./partition/upkeep/trimming.ts"
import type { ProducerIds } from "./producer-ids.ts"

interface RouteParts {
  readonly nodeId: number
  readonly config: NodeConfig
  readonly written?: ReadonlySet<SettingName> | undefined
  readonly cluster: () => Cluster
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
  /** Raises the start offsets of logs. */
  readonly raise: Trimming["raise"]
  readonly alsoReadable?: FindReadable
  readonly now: () => number
  readonly packing: Compression["Type"]
  readonly createTopics: MetadataOptions["createTopics"]
  readonly producerIds: ProducerIds
  readonly deadlines: Deadlines
  readonly sessions: FetchSessions
  /** Returns the node's metrics in Prometheus' text format; undefined where it has none. */
  readonly metrics: (() => string) | undefined
}

/** Finds a partition among those of this broker, then among what else this node can read. */
const readable =
  (table: PartitionTable, also: FindReadable = elsewhere): FindReadable =>
  (topic, partition) => {
    const found = table.find(topic, partition)
    if (!isUnknown(found)) return found
    const other = also(topic, partition)
    if (!isUnknown(other)) return other
    // The table's error is the better one: the image knows whether the topic or only the partition is missing.
    return found
  }
/**
 * A broker without the leader in its process has no internal topic: the error makes clients read it from the leader.
 */
const elsewhere: FindReadable = (topic) => (isInternalTopic(topic) ? "NOT_LEADER_OR_FOLLOWER" : "UNKNOWN_TOPIC_OR_PARTITION")
const isUnknown = (found: ReturnType<FindReadable>): boolean => found === "UNKNOWN_TOPIC_ID" || found === "UNKNOWN_TOPIC_OR_PARTITION"

const producersOf =
  (table: PartitionTable): FindProducers =>
  (topic, partition) => {
    const found = table.find({ name: topic }, partition)
    return typeof found === "string" ? found : found.producers.entries
  }

/** Returns the routes that a broker answers itself, from its logs and from the image. */
export const ownRoutes = (parts: RouteParts): ReadonlyArray<Route> => {
  const { cluster, config, deadlines, nodeId, now, packing, sessions, table } = parts
  const find = readable(table, parts.alsoReadable)
  const leaderOf = findLeader(cluster)
  const clusterId = () => cluster().clusterId
  return [
    produce({ table, findLeader: leaderOf, now, deadlines, sizeBound: packing.sizeBound, answersUnsynced: config["log.flush.policy"] === "interval" }),
    route(Fetch, { borrows: true }, fetch({ find, findLeader: leaderOf, clusterId, fetchBytesMax: config["fetch.max.bytes"], deadlines, sessions })),
    route(ListOffsets, {}, listOffsets({ find, decompress: packing.decompress })),
    route(Metadata, {}, metadata({ nodeId, cluster, autoCreate: config["auto.create.topics.enable"], createTopics: parts.createTopics })),
    route(FindCoordinator, {}, findCoordinator(cluster)),
    deleteRecords({ table, raise: parts.raise }),
    initProducerId(parts.producerIds),
    route(OffsetForLeaderEpoch, {}, offsetForLeaderEpoch(find)),
    route(DescribeConfigs, {}, describeConfigs({ cluster, nodeId, config, written: parts.written })),
    route(DescribeCluster, {}, describeCluster({ nodeId, cluster, tellsControllers: false, metrics: parts.metrics })),
    alterReplicaLogDirs({ table, directories: parts.directories }),
    describeLogDirs({ table, directories: parts.directories }),
    describeProducers(producersOf(table)),
    ...administrationRoutes(cluster)
  ]
}
