import { Effect, Either, LogLevel, type Scope } from "effect"
import { Command } from "../../domain/cluster/command.ts"
import { type Broker, type Cluster, topicByName } from "../../domain/cluster/state.ts"
import { GroupCoordinator } from "../groups/coordinator.ts"
import { Compression } from "../ports/compression.ts"
import { RateLimitedLog } from "../ports/rate-limited-log.ts"
import { Fetch } from "../protocol/message/01-fetch.ts"
import { ListOffsets } from "../protocol/message/02-list-offsets.ts"
import { Metadata } from "../protocol/message/03-metadata.ts"
import { FindCoordinator } from "../protocol/message/10-find-coordinator.ts"
import { OffsetForLeaderEpoch } from "../protocol/message/23-offset-for-leader-epoch.ts"
import { DescribeConfigs } from "../protocol/message/32-describe-configs.ts"
import { DescribeCluster } from "../protocol/message/60-describe-cluster.ts"
import { administrationRoutes } from "../serve/administration/administration.ts"
import { findLeaderOrController } from "../serve/cluster/current-leader.ts"
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
import { drawUuid } from "../stream/uuid.ts"
import { type RequestContext, type Route, route } from "../wire/route.ts"
import { describing, LeaderContext, submission } from "./context.ts"
import { GroupStates } from "./groups/group-states.ts"
import { produce } from "./handler/00-produce.ts"
import { createTopics } from "./handler/19-create-topics.ts"
import { deleteTopics } from "./handler/20-delete-topics.ts"
import { initProducerId } from "./handler/22-init-producer-id.ts"
import { alterConfigs } from "./handler/33-alter-configs.ts"
import { noReplicaLogDirs } from "./handler/34-alter-replica-log-dirs.ts"
import { describeLogDirs } from "./handler/35-describe-log-dirs.ts"
import { createPartitions } from "./handler/37-create-partitions.ts"
import { electLeaders } from "./handler/43-elect-leaders.ts"
import { incrementalAlterConfigs } from "./handler/44-incremental-alter-configs.ts"
import { alterPartitionReassignments } from "./handler/45-alter-partition-reassignments.ts"
import { listPartitionReassignments } from "./handler/46-list-partition-reassignments.ts"
import { describeQuorum } from "./handler/55-describe-quorum.ts"
import { alterPartition } from "./handler/56-alter-partition.ts"
import { envelope } from "./handler/58-envelope.ts"
import { fetchSnapshot } from "./handler/59-fetch-snapshot.ts"
import { brokerRegistration } from "./handler/62-broker-registration.ts"
import { brokerHeartbeat } from "./handler/63-broker-heartbeat.ts"
import { unregisterBroker } from "./handler/64-unregister-broker.ts"
import { allocateProducerIds } from "./handler/67-allocate-producer-ids.ts"
import { controllerRegistration } from "./handler/70-controller-registration.ts"
import { ClusterStream } from "./journal/cluster-stream.ts"

/** Creates topics with the defaults because a client asked for their metadata. Of two clients that do so at once, the second gets the topic of the first. */
const autoCreate = (leader: LeaderContext["Type"]) => {
  // A client may ask for a topic that cannot be created many times a second.
  const refusals = new RateLimitedLog({ intervalMs: 10_000 })
  return (names: ReadonlyArray<string>, context: RequestContext) =>
    Effect.gen(function* () {
      const commands = yield* Effect.forEach(names, (topic) =>
        Effect.map(drawUuid, (topicId) =>
          Command.AddTopic({
            topic,
            topicId,
            partitionCount: -1,
            replicationFactor: -1,
            defaultPartitionCount: leader.config["num.partitions"],
            defaultReplicationFactor: leader.config["default.replication.factor"],
            partitionsPerBrokerMax: leader.partitionsPerBrokerMax,
            assignments: [],
            configs: [],
            validateOnly: false
          })
        )
      )
      const outcomes = yield* leader.writer.submitAll(commands.map((command) => submission(leader, command, context, "Metadata", command.topic)))
      for (const [index, outcome] of outcomes.entries())
        if (Either.isLeft(outcome) && outcome.left.error !== "TOPIC_ALREADY_EXISTS")
          yield* refusals.log(LogLevel.Warning, "auto creation", `topic ${names[index]} was not created for ${context.actor}: ${outcome.left.message}`)
    })
}

/** Fetch, ListOffsets and OffsetForLeaderEpoch over whatever `find` finds: a node that is leader and broker serves both with one set. */
const readingRoutes = (find: FindReadable) =>
  Effect.gen(function* () {
    const { config, writer } = yield* LeaderContext
    const { clusterId } = yield* ClusterStream
    const { decompress } = yield* Compression
    const options = {
      find,
      findLeader: findLeaderOrController(writer.state),
      clusterId: () => clusterId,
      fetchBytesMax: config["fetch.max.bytes"],
      decompress,
      sessions: yield* makeFetchSessions(config["max.incremental.fetch.session.cache.slots"]),
      deadlines: yield* makeDeadlines
    }
    return [
      route(Fetch, { borrows: true }, fetch(options)),
      route(ListOffsets, {}, listOffsets(options)),
      route(OffsetForLeaderEpoch, {}, offsetForLeaderEpoch(find))
    ]
  })

/** A leader alone keeps no partitions: their producers are known to the brokers. */
const noProducers =
  (cluster: () => Cluster): FindProducers =>
  (topic, partition) =>
    topicByName(cluster(), topic)?.partitions.at(partition) === undefined ? "UNKNOWN_TOPIC_OR_PARTITION" : "NOT_LEADER_OR_FOLLOWER"

/** The node at the other end of a connection: a broker whose registration stands, or a candidate. */
const nodeOf = (broker: Broker | undefined, { session: { candidate } }: RequestContext): string | undefined =>
  broker !== undefined ? `broker ${broker.id}` : candidate !== undefined ? `candidate ${candidate}` : undefined

/** What the leader answers. `find` finds what clients read here. */
export const leaderRoutes = (
  find: FindReadable
): Effect.Effect<ReadonlyArray<Route>, never, LeaderContext | ClusterStream | GroupCoordinator | GroupStates | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const leader = yield* LeaderContext
    const { brokers, config, directories, metrics, nodeId, writer } = leader
    const cluster = writer.state
    const direct = [
      produce(cluster),
      ...(yield* readingRoutes(find)),
      route(Metadata, {}, metadata({ nodeId, cluster, autoCreate: config["auto.create.topics.enable"], createTopics: autoCreate(leader) })),
      route(FindCoordinator, {}, findCoordinator(cluster)),
      createTopics(leader),
      deleteTopics(leader),
      initProducerId(leader),
      route(DescribeConfigs, {}, describeConfigs(describing(leader))),
      alterConfigs(leader),
      createPartitions(leader),
      electLeaders(leader),
      incrementalAlterConfigs(leader),
      alterPartitionReassignments(leader),
      listPartitionReassignments(cluster),
      route(DescribeCluster, {}, describeCluster({ nodeId, cluster, tellsControllers: true, metrics })),
      noReplicaLogDirs,
      describeLogDirs(directories),
      describeQuorum(leader),
      describeProducers(noProducers(cluster)),
      ...administrationRoutes(cluster),
      alterPartition(leader),
      fetchSnapshot(leader, (yield* ClusterStream).snapshots, yield* GroupStates),
      brokerRegistration(leader),
      brokerHeartbeat(leader),
      allocateProducerIds(leader),
      unregisterBroker(leader),
      controllerRegistration(leader),
      ...(yield* GroupCoordinator).routes
    ]
    return [...direct, envelope(direct, (context) => nodeOf(brokers.links.brokerOf(context, cluster()), context))]
  })
