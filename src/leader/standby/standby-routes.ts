import { Effect, Option, type Scope } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { Compression } from "../../ports/compression.ts"
import { Fetch } from "../../protocol/message/01-fetch.ts"
import { ListOffsets } from "../../protocol/message/02-list-offsets.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import { FindCoordinator } from "../../protocol/message/10-find-coordinator.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import { InitProducerId } from "../../protocol/message/22-init-producer-id.ts"
import { OffsetForLeaderEpoch } from "../../protocol/message/23-offset-for-leader-epoch.ts"
import { DescribeConfigs } from "../../protocol/message/32-describe-configs.ts"
import { DescribeQuorum } from "../../protocol/message/55-describe-quorum.ts"
import { AlterPartition } from "../../protocol/message/56-alter-partition.ts"
import { Envelope } from "../../protocol/message/58-envelope.ts"
import { DescribeCluster } from "../../protocol/message/60-describe-cluster.ts"
import { BrokerRegistration } from "../../protocol/message/62-broker-registration.ts"
import { BrokerHeartbeat } from "../../protocol/message/63-broker-heartbeat.ts"
import { AllocateProducerIds } from "../../protocol/message/67-allocate-producer-ids.ts"
import { ControllerRegistration } from "../../protocol/message/70-controller-registration.ts"
import type { AnyApi } from "../../protocol/type/wire.ts"
import { administrationRoutes } from "../../serve/administration/administration.ts"
import { findLeaderOrController, isInternalTopic, topicOf } from "../../serve/cluster/current-leader.ts"
import { describeCluster } from "../../serve/cluster/describe-cluster.ts"
import { describeProducers } from "../../serve/cluster/describe-producers.ts"
import { findCoordinator } from "../../serve/cluster/find-coordinator.ts"
import { metadata } from "../../serve/cluster/metadata.ts"
import { administrationWithoutLeader, groupsWithoutLeader, type WithoutLeader } from "../../serve/cluster/without-leader.ts"
import { describeConfigs } from "../../serve/configs/describe-configs.ts"
import { makeDeadlines } from "../../serve/deadlines.ts"
import { fetch } from "../../serve/fetch/fetch.ts"
import { listOffsets } from "../../serve/offsets/list-offsets.ts"
import { offsetForLeaderEpoch } from "../../serve/offsets/offset-for-leader-epoch.ts"
import type { FindReadable } from "../../serve/readable.ts"
import { forwardOver } from "../../serve/relay/forward.ts"
import { RelayFailure } from "../../serve/relay/relay-failure.ts"
import { relayed, relayedAdministration } from "../../serve/relay/relayed.ts"
import type { Link } from "../../wire/link.ts"
import { type Route, route } from "../../wire/route.ts"
import { produce } from "../handler/00-produce.ts"
import { noReplicaLogDirs } from "../handler/34-alter-replica-log-dirs.ts"
import { describeLogDirs } from "../handler/35-describe-log-dirs.ts"
import type { LeaderOptions } from "../settings.ts"

const standsBy = "This node stands by for the cluster's leader: ask the leader, which Metadata and DescribeCluster name."

const code = { controller: errorCode("NOT_CONTROLLER"), notLeader: errorCode("NOT_LEADER_OR_FOLLOWER") }

const answering = <A extends AnyApi>({ answer, api }: WithoutLeader<A>): Route => route(api, {}, answer)

/** Nothing is read here: a partition is where its leader is, and the journal at the cluster's leader. */
const noReadable =
  (cluster: () => Cluster): FindReadable =>
  (asked, partition) =>
    isInternalTopic(asked) || topicOf(cluster(), asked)?.partitions.at(partition) !== undefined
      ? "NOT_LEADER_OR_FOLLOWER"
      : "topicId" in asked
        ? "UNKNOWN_TOPIC_ID"
        : "UNKNOWN_TOPIC_OR_PARTITION"

const administration = administrationWithoutLeader("This node stands by for the cluster's leader, and does not reach it: try again.")
/** NOT_LEADER_OR_FOLLOWER, which clients retry, where the leader is not reached. */
const quorum: WithoutLeader<typeof DescribeQuorum> = {
  api: DescribeQuorum,
  answer: () => ({ errorCode: code.notLeader, errorMessage: "No candidate leads, or the leader is not reached.", topics: [] })
}
const noLeader = new RelayFailure({ message: "no candidate leads, or the leader is not reached" })

/** What only the leader decides on, for administrators. It is asked over the link by which it knows this candidate. */
const relayedForClients = (leader: () => Link | undefined): ReadonlyArray<Route> => {
  const forward = forwardOver((use) => Effect.suspend(() => Option.match(Option.fromNullable(leader()), { onNone: () => Effect.fail(noLeader), onSome: use })))
  return [...relayedAdministration(forward, administration), relayed(forward, quorum)]
}

/** What is asked of a coordinator, which FindCoordinator names, and of the brokers. */
const refusedForClients: ReadonlyArray<Route> = (() => {
  const groups = groupsWithoutLeader(standsBy)
  return [
    answering(groups.offsetCommit),
    answering(groups.offsetFetch),
    answering(groups.joinGroup),
    answering(groups.syncGroup),
    answering(groups.heartbeat),
    answering(groups.leaveGroup),
    answering(groups.describeGroups),
    answering(groups.deleteGroups),
    answering(groups.offsetDelete),
    route(ListGroups, {}, () => ({ errorCode: errorCode("COORDINATOR_NOT_AVAILABLE"), groups: [] })),
    route(InitProducerId, {}, () => ({ errorCode: errorCode("COORDINATOR_LOAD_IN_PROGRESS"), producerId: -1n, producerEpoch: -1 }))
  ]
})()

const noIds = { producerIdStart: -1n, producerIdLen: 0 }
/** What only the leader decides on, for brokers and candidates, whether they have registered on the connection or not. */
const refusedForNodes: ReadonlyArray<Route> = (() => {
  const refusal = { errorCode: code.controller }
  return [
    route(AlterPartition, { refusal }, () => ({ ...refusal, topics: [] })),
    route(Envelope, { refusal }, () => ({ ...refusal, responseData: null })),
    route(BrokerRegistration, {}, () => refusal),
    route(BrokerHeartbeat, { refusal }, () => ({ ...refusal, shouldShutDown: false })),
    route(AllocateProducerIds, { refusal: { ...refusal, ...noIds } }, () => ({ ...refusal, ...noIds })),
    route(ControllerRegistration, {}, () => ({ ...refusal, errorMessage: standsBy }))
  ]
})()

interface StandbyParts {
  readonly options: LeaderOptions
  /** The journal as far as it is folded. */
  readonly cluster: () => Cluster
  /** The link to the leader. */
  readonly leader: () => Link | undefined
  readonly metrics: (() => string) | undefined
}

/**
 * What a candidate answers while it stands by: who leads and where the brokers are, from its fold of the journal. What only
 * the leader decides on is relayed to it, and NOT_CONTROLLER where it is not reached; COORDINATOR_NOT_AVAILABLE for groups; what is read from a partition is
 * NOT_LEADER_OR_FOLLOWER with the leader's address (KIP-951). It creates no topics for Metadata.
 */
export const standbyRoutes = ({ cluster, leader, metrics, options }: StandbyParts): Effect.Effect<ReadonlyArray<Route>, never, Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const { config, directories = [], nodeId, written } = options
    const { decompress } = yield* Compression
    const find = noReadable(cluster)
    const noProducers = (topic: string, partition: number): KafkaError => find({ name: topic }, partition) as KafkaError
    const reading = {
      find,
      findLeader: findLeaderOrController(cluster),
      clusterId: () => cluster().clusterId,
      fetchBytesMax: config["fetch.max.bytes"],
      decompress,
      deadlines: yield* makeDeadlines
    }
    return [
      produce(cluster),
      route(Fetch, { borrows: true }, fetch(reading)),
      route(ListOffsets, {}, listOffsets(reading)),
      route(OffsetForLeaderEpoch, {}, offsetForLeaderEpoch(find)),
      route(Metadata, {}, metadata({ nodeId, cluster, autoCreate: false, createTopics: () => Effect.void })),
      route(FindCoordinator, {}, findCoordinator(cluster)),
      route(DescribeConfigs, {}, describeConfigs({ cluster, nodeId, config, written })),
      route(DescribeCluster, {}, describeCluster({ nodeId, cluster, tellsControllers: true, metrics })),
      noReplicaLogDirs,
      describeLogDirs(directories),
      describeProducers(noProducers),
      ...administrationRoutes(cluster),
      ...relayedForClients(leader),
      ...refusedForClients,
      ...refusedForNodes
    ]
  })
