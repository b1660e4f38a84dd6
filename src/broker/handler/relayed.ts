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
import { IncrementalAlterConfigs } from "../../protocol/message/44-incremental-alter-configs.ts"
import { OffsetDelete } from "../../protocol/message/47-offset-delete.ts"
import { DescribeQuorum } from "../../protocol/message/55-describe-quorum.ts"
import { UnregisterBroker } from "../../protocol/message/64-unregister-broker.ts"
import type { AnyApi, RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type RequestContext, type Route, route } from "../../wire/route.ts"
import type { Relay } from "../relay.ts"

/** What a client is told while the leader is away: each kind of request has an error after which clients look for the leader again. */
const noController: KafkaError = "NOT_CONTROLLER"
const noCoordinator: KafkaError = "COORDINATOR_NOT_AVAILABLE"
const away = "The cluster's leader cannot be reached."

const controller = errorCode(noController)
const coordinator = errorCode(noCoordinator)

/** How long the leader may take for what it does at once, journal included. */
const promptMs = 30_000
/** A join waits for all members of the group, at most as long as the slowest may take to rebalance. */
const joinMs = ({ rebalanceTimeoutMs, sessionTimeoutMs }: RequestOf<typeof JoinGroup>): number =>
  Math.min(2_147_000_000, Math.max(0, rebalanceTimeoutMs, sessionTimeoutMs) + promptMs)
/** A sync waits for the group's leader to hand in the assignment; the group ends that wait itself, after the longest rebalance timeout that Kafka has by default. */
const syncMs = 300_000 + promptMs

const prompt = () => promptMs

const relayed = <A extends AnyApi>(
  relay: Relay,
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

/** From this version on OffsetFetch asks for many groups at once. */
const batchSince = 8
const noOffset = (partitionIndex: number) => ({ partitionIndex, committedOffset: -1n, metadata: null, errorCode: coordinator })

const groupRoutes = (relay: Relay): ReadonlyArray<Route> => [
  relayed(relay, OffsetCommit, prompt, ({ topics }) => ({
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: coordinator }))
    }))
  })),
  relayed(relay, OffsetFetch, prompt, ({ groups, topics }, { version }) => ({
    errorCode: version >= batchSince ? 0 : coordinator,
    // Version 1 has no error but that of each partition.
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
  relayed(relay, Heartbeat, prompt, () => ({ errorCode: coordinator })),
  relayed(relay, LeaveGroup, prompt, () => ({ errorCode: coordinator })),
  relayed(relay, DescribeGroups, prompt, ({ groups }, { version }) => ({
    groups: groups.map((groupId) => ({
      errorCode: coordinator,
      ...(version >= 6 ? { errorMessage: away } : {}),
      groupId,
      groupState: "",
      protocolType: "",
      protocolData: "",
      members: []
    }))
  })),
  relayed(relay, DeleteGroups, prompt, ({ groupsNames }) => ({
    results: groupsNames.map((groupId) => ({ groupId, errorCode: coordinator, errorMessage: away }))
  })),
  relayed(relay, OffsetDelete, prompt, () => ({ errorCode: coordinator, topics: [] }))
]

const unchanged = ({ resourceName, resourceType }: { readonly resourceType: number; readonly resourceName: string }) => ({
  errorCode: controller,
  errorMessage: away,
  resourceType,
  resourceName
})

const topicRoutes = (relay: Relay): ReadonlyArray<Route> => [
  relayed(relay, CreateTopics, prompt, ({ topics }) => ({
    topics: topics.map(({ name }) => ({ name, errorCode: controller, errorMessage: away }))
  })),
  relayed(relay, DeleteTopics, prompt, ({ topicNames, topics }, { version }) => ({
    responses:
      version >= 6
        ? topics.map(({ name, topicId }) => ({ name, topicId, errorCode: controller, errorMessage: away }))
        : topicNames.map((name) => ({ name, errorCode: controller, errorMessage: away }))
  })),
  relayed(relay, AlterConfigs, prompt, ({ resources }) => ({ responses: resources.map(unchanged) })),
  relayed(relay, IncrementalAlterConfigs, prompt, ({ resources }) => ({ responses: resources.map(unchanged) })),
  relayed(relay, CreatePartitions, prompt, ({ topics }) => ({
    results: topics.map(({ name }) => ({ name, errorCode: controller, errorMessage: away }))
  }))
]

const quorumRoutes = (relay: Relay): ReadonlyArray<Route> => [
  relayed(relay, UnregisterBroker, prompt, () => ({ errorCode: controller, errorMessage: away })),
  relayed(relay, DescribeQuorum, prompt, () => ({ errorCode: controller, errorMessage: away, topics: [] }))
]

/** Everything that the leader alone decides or knows and that a client may send to any node. */
export const relayedRoutes = (relay: Relay): ReadonlyArray<Route> => [...topicRoutes(relay), ...groupRoutes(relay), ...quorumRoutes(relay)]
