import { Effect } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { OffsetCommit } from "../../protocol/message/08-offset-commit.ts"
import { OffsetFetch } from "../../protocol/message/09-offset-fetch.ts"
import { JoinGroup } from "../../protocol/message/11-join-group.ts"
import { Heartbeat } from "../../protocol/message/12-heartbeat.ts"
import { LeaveGroup } from "../../protocol/message/13-leave-group.ts"
import { SyncGroup } from "../../protocol/message/14-sync-group.ts"
import { DescribeGroups } from "../../protocol/message/15-describe-groups.ts"
import { CreateTopics } from "../../protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../protocol/message/20-delete-topics.ts"
import { AlterConfigs } from "../../protocol/message/33-alter-configs.ts"
import { CreatePartitions } from "../../protocol/message/37-create-partitions.ts"
import { DeleteGroups } from "../../protocol/message/42-delete-groups.ts"
import { ElectLeaders } from "../../protocol/message/43-elect-leaders.ts"
import { IncrementalAlterConfigs } from "../../protocol/message/44-incremental-alter-configs.ts"
import { AlterPartitionReassignments } from "../../protocol/message/45-alter-partition-reassignments.ts"
import { ListPartitionReassignments } from "../../protocol/message/46-list-partition-reassignments.ts"
import { OffsetDelete } from "../../protocol/message/47-offset-delete.ts"
import { DescribeQuorum } from "../../protocol/message/55-describe-quorum.ts"
import { UnregisterBroker } from "../../protocol/message/64-unregister-broker.ts"
import type { AnyApi, RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import type { Relay } from "../relay.ts"

/**
 * The errors while the leader is unreachable: clients refresh their metadata after NOT_CONTROLLER, and find the
 * coordinator again after the other.
 */
const noController: KafkaError = "NOT_CONTROLLER"
const noCoordinator: KafkaError = "COORDINATOR_NOT_AVAILABLE"
const leaderUnreachable = "The cluster's leader is unreachable."

const controller = errorCode(noController)
const coordinator = errorCode(noCoordinator)

/** How long the broker waits for a response that the leader sends at once, or as soon as the journal is synced. */
const leaderTimeoutMs = 30_000
/** JoinGroup waits for all members of the group, at most for the longest rebalance timeout. */
const joinMs = ({ rebalanceTimeoutMs, sessionTimeoutMs }: RequestOf<typeof JoinGroup>): number =>
  Math.min(2_147_000_000, Math.max(0, rebalanceTimeoutMs, sessionTimeoutMs) + leaderTimeoutMs)
/**
 * SyncGroup waits for the assignment of the group's leader. The coordinator ends that wait after the rebalance timeout;
 * 5 min is the longest of Kafka's defaults.
 */
const syncMs = 300_000 + leaderTimeoutMs

const leaderTimeout = () => leaderTimeoutMs

const relayed = <A extends AnyApi>(
  relay: Relay["Type"],
  api: A,
  timeoutMs: (request: RequestOf<A>) => number,
  failed: (request: RequestOf<A>, context: RequestContext) => ResponseDraft<A>
): Route =>
  route(api, {}, (request, context) =>
    relay.forward(api, context, timeoutMs(request)).pipe(
      Effect.catchAll(({ message }) => Effect.as(Effect.logDebug(`${api.name} of ${context.actor} could not be relayed: ${message}`), undefined)),
      Effect.map((answer) => (answer === undefined ? failed(request, context) : (answer as ResponseDraft<A>)))
    )
  )

/** The first version of OffsetFetch with several groups in a request. */
const batchSince = 8
const noOffset = (partitionIndex: number) => ({ partitionIndex, committedOffset: -1n, metadata: null, errorCode: coordinator })

const groupRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  relayed(relay, OffsetCommit, leaderTimeout, ({ topics }) => ({
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: coordinator }))
    }))
  })),
  relayed(relay, OffsetFetch, leaderTimeout, ({ groups, topics }, { version }) => ({
    errorCode: version >= batchSince ? 0 : coordinator,
    // Version 1 has errors of partitions only.
    topics: version >= batchSince ? [] : (topics ?? []).map(({ name, partitionIndexes }) => ({ name, partitions: partitionIndexes.map(noOffset) })),
    groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode: coordinator }))
  })),
  relayed(relay, JoinGroup, joinMs, ({ memberId }, { version }) => ({
    errorCode: coordinator,
    protocolName: version >= 7 ? null : "",
    leader: "",
    memberId,
    members: []
  })),
  relayed(
    relay,
    SyncGroup,
    () => syncMs,
    () => ({ errorCode: coordinator, assignment: new Uint8Array(0) })
  ),
  relayed(relay, Heartbeat, leaderTimeout, () => ({ errorCode: coordinator })),
  relayed(relay, LeaveGroup, leaderTimeout, () => ({ errorCode: coordinator })),
  relayed(relay, DescribeGroups, leaderTimeout, ({ groups }, { version }) => ({
    groups: groups.map((groupId) => ({
      errorCode: coordinator,
      ...(version >= 6 ? { errorMessage: leaderUnreachable } : {}),
      groupId,
      groupState: "",
      protocolType: "",
      protocolData: "",
      members: []
    }))
  })),
  relayed(relay, DeleteGroups, leaderTimeout, ({ groupsNames }) => ({
    results: groupsNames.map((groupId) => ({ groupId, errorCode: coordinator, errorMessage: leaderUnreachable }))
  })),
  relayed(relay, OffsetDelete, leaderTimeout, () => ({ errorCode: coordinator, topics: [] }))
]

const refusedResource = ({ resourceName, resourceType }: { readonly resourceType: number; readonly resourceName: string }) => ({
  errorCode: controller,
  errorMessage: leaderUnreachable,
  resourceType,
  resourceName
})

const topicRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  relayed(relay, CreateTopics, leaderTimeout, ({ topics }) => ({
    topics: topics.map(({ name }) => ({ name, errorCode: controller, errorMessage: leaderUnreachable }))
  })),
  relayed(relay, DeleteTopics, leaderTimeout, ({ topicNames, topics }, { version }) => ({
    responses:
      version >= 6
        ? topics.map(({ name, topicId }) => ({ name, topicId, errorCode: controller, errorMessage: leaderUnreachable }))
        : topicNames.map((name) => ({ name, errorCode: controller, errorMessage: leaderUnreachable }))
  })),
  relayed(relay, AlterConfigs, leaderTimeout, ({ resources }) => ({ responses: resources.map(refusedResource) })),
  relayed(relay, IncrementalAlterConfigs, leaderTimeout, ({ resources }) => ({ responses: resources.map(refusedResource) })),
  relayed(relay, CreatePartitions, leaderTimeout, ({ topics }) => ({
    results: topics.map(({ name }) => ({ name, errorCode: controller, errorMessage: leaderUnreachable }))
  }))
]

/** The first version of ElectLeaders with an error for the whole response. */
const electionErrorSince = 1

const replicaRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  relayed(relay, ElectLeaders, leaderTimeout, ({ topicPartitions }, { version }) => ({
    errorCode: version >= electionErrorSince ? controller : 0,
    replicaElectionResults: (topicPartitions ?? []).map(({ partitions, topic }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({ partitionId, errorCode: controller, errorMessage: leaderUnreachable }))
    }))
  })),
  relayed(relay, AlterPartitionReassignments, leaderTimeout, () => ({ errorCode: controller, errorMessage: leaderUnreachable, responses: [] })),
  relayed(relay, ListPartitionReassignments, leaderTimeout, () => ({ errorCode: controller, errorMessage: leaderUnreachable, topics: [] }))
]

const quorumRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  relayed(relay, UnregisterBroker, leaderTimeout, () => ({ errorCode: controller, errorMessage: leaderUnreachable })),
  relayed(relay, DescribeQuorum, leaderTimeout, () => ({ errorCode: controller, errorMessage: leaderUnreachable, topics: [] }))
]

/** Returns the routes for requests that a client may send to any node and that only the leader can answer. */
export const relayedRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  ...topicRoutes(relay),
  ...groupRoutes(relay),
  ...replicaRoutes(relay),
  ...quorumRoutes(relay)
]
