import { Effect } from "effect"
import type { JoinGroup } from "../../protocol/message/11-join-group.ts"
import type { AnyApi, RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { administrationWithoutLeader, groupsWithoutLeader, type WithoutLeader } from "../../serve/cluster/without-leader.ts"
import { type Route, route } from "../../wire/route.ts"
import type { Relay } from "../relay.ts"

const leaderUnreachable = "The cluster's leader is unreachable."
const administration = administrationWithoutLeader(leaderUnreachable)
const groups = groupsWithoutLeader(leaderUnreachable)

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
  { answer: failed, api }: WithoutLeader<A>,
  timeoutMs: (request: RequestOf<A>) => number = leaderTimeout
): Route =>
  route(api, {}, (request, context) =>
    relay.forward(api, context, timeoutMs(request)).pipe(
      Effect.catchAll(({ message }) => Effect.as(Effect.logDebug(`${api.name} of ${context.actor} could not be relayed: ${message}`), undefined)),
      Effect.map((answer) => (answer === undefined ? failed(request, context) : (answer as ResponseDraft<A>)))
    )
  )

const groupRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  relayed(relay, groups.offsetCommit),
  relayed(relay, groups.offsetFetch),
  relayed(relay, groups.joinGroup, joinMs),
  relayed(relay, groups.syncGroup, () => syncMs),
  relayed(relay, groups.heartbeat),
  relayed(relay, groups.leaveGroup),
  relayed(relay, groups.describeGroups),
  relayed(relay, groups.deleteGroups),
  relayed(relay, groups.offsetDelete)
]

/** Returns the routes for requests that a client may send to any node and that only the leader can answer. */
export const relayedRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  relayed(relay, administration.createTopics),
  relayed(relay, administration.deleteTopics),
  relayed(relay, administration.alterConfigs),
  relayed(relay, administration.incrementalAlterConfigs),
  relayed(relay, administration.createPartitions),
  ...groupRoutes(relay),
  relayed(relay, administration.electLeaders),
  relayed(relay, administration.alterPartitionReassignments),
  relayed(relay, administration.listPartitionReassignments),
  relayed(relay, administration.unregisterBroker),
  relayed(relay, administration.describeQuorum)
]
