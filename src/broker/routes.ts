import { Effect, type Scope } from "effect"
import { Compression } from "../ports/compression.ts"
import { LogStore } from "../ports/log-store.ts"
import { metricsText } from "../ports/metrics.ts"
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
import { metadata } from "../serve/cluster/metadata.ts"
import { describeConfigs } from "../serve/configs/describe-configs.ts"
import { makeDeadlines } from "../serve/deadlines.ts"
import { fetch } from "../serve/fetch/fetch.ts"
import { makeFetchSessions } from "../serve/fetch/fetch-sessions.ts"
import { listOffsets } from "../serve/offsets/list-offsets.ts"
import { offsetForLeaderEpoch } from "../serve/offsets/offset-for-leader-epoch.ts"
import type { FindReadable } from "../serve/readable.ts"
import { type Route, route } from "../wire/route.ts"
import { AutoCreation } from "./auto-creation.ts"
import { BrokerSettings } from "./broker-settings.ts"
import { GroupCoordination } from "./groups/group-coordination.ts"
import { produce } from "./handler/00-produce.ts"
import { deleteRecords } from "./handler/21-delete-records.ts"
import { initProducerId } from "./handler/22-init-producer-id.ts"
import { alterReplicaLogDirs } from "./handler/34-alter-replica-log-dirs.ts"
import { describeLogDirs } from "./handler/35-describe-log-dirs.ts"
import { Image } from "./image/image.ts"
import { HostedPartitions } from "./partition/hosted/hosted-partitions.ts"
import type { PartitionTable } from "./partition/hosted/table.ts"
import { ProducerIds } from "./producer-ids.ts"

/** Finds a partition among those of this broker, then among what else this node can read. */
const readable =
  (table: PartitionTable, also: FindReadable): FindReadable =>
  (topic, partition, reader) => {
    const found =
      reader === undefined
        ? table.find(topic, partition)
        : reader === "consumer"
          ? table.findForConsumer(topic, partition)
          : table.findAsReplica(topic, partition)
    if (!isUnknown(found)) return found
    const other = also(topic, partition, reader)
    if (!isUnknown(other)) return other
    // The table's error is the better one: the image knows whether the topic or only the partition is missing.
    return found
  }
/**
 * A broker without the leader in its process has no internal topic: the error makes clients read it from the leader.
 */
const elsewhere: FindReadable = (topic) => (isInternalTopic(topic) ? "NOT_LEADER_OR_FOLLOWER" : "UNKNOWN_TOPIC_OR_PARTITION")
/** The groups in Kafka's format, while this broker coordinates groups, and what else this node can read. */
const offsetsOr =
  (offsets: () => FindReadable | undefined, others: FindReadable = elsewhere): FindReadable =>
  (topic, partition, reader) => {
    const found = offsets()?.(topic, partition, reader)
    return found === undefined || isUnknown(found) ? others(topic, partition, reader) : found
  }
const isUnknown = (found: ReturnType<FindReadable>): boolean => found === "UNKNOWN_TOPIC_ID" || found === "UNKNOWN_TOPIC_OR_PARTITION"

const producersOf =
  (table: PartitionTable): FindProducers =>
  (topic, partition) => {
    const found = table.find({ name: topic }, partition)
    return typeof found === "string" ? found : found.state.producers.entries
  }

/** The routes that a broker answers itself, from its logs and from the image. */
export const ownRoutes: Effect.Effect<
  ReadonlyArray<Route>,
  never,
  BrokerSettings | Image | HostedPartitions | GroupCoordination | ProducerIds | AutoCreation | LogStore | Compression | Scope.Scope
> = Effect.gen(function* () {
  const { alsoReadable, config, nodeId, written } = yield* BrokerSettings
  const { cluster } = yield* Image
  const { moves, raise, table } = yield* HostedPartitions
  const { create } = yield* AutoCreation
  const { directories, moves: directoryMoves } = yield* LogStore
  const { decompress, sizeBound } = yield* Compression
  const clock = yield* Effect.clock
  const deadlines = yield* makeDeadlines
  const sessions = yield* makeFetchSessions(config["max.incremental.fetch.session.cache.slots"])
  const now = () => clock.unsafeCurrentTimeMillis()
  const { findOffsets } = yield* GroupCoordination
  const find = readable(table, offsetsOr(findOffsets, alsoReadable))
  const leaderOf = findLeader(cluster)
  const clusterId = () => cluster().clusterId
  return [
    produce({ table, findLeader: leaderOf, now, deadlines, sizeBound, answersUnsynced: config["log.flush.policy"] === "interval" }),
    route(Fetch, { borrows: true }, fetch({ find, findLeader: leaderOf, clusterId, fetchBytesMax: config["fetch.max.bytes"], deadlines, sessions })),
    route(ListOffsets, {}, listOffsets({ find, decompress })),
    route(Metadata, {}, metadata({ nodeId, cluster, autoCreate: config["auto.create.topics.enable"], createTopics: create })),
    route(FindCoordinator, {}, findCoordinator(cluster)),
    deleteRecords({ table, raise, deadlines, elapsed: () => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n) }),
    initProducerId(yield* ProducerIds),
    route(OffsetForLeaderEpoch, {}, offsetForLeaderEpoch(find)),
    route(DescribeConfigs, {}, describeConfigs({ cluster, nodeId, config, written })),
    route(DescribeCluster, {}, describeCluster({ nodeId, cluster, tellsControllers: false, metrics: yield* metricsText })),
    alterReplicaLogDirs({ table, directories, moves, prefer: directoryMoves.prefer, cluster }),
    describeLogDirs({ table, directories, moves }),
    describeProducers(producersOf(table)),
    ...administrationRoutes(cluster)
  ]
})
