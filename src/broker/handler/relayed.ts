import type { JoinGroup } from "../../protocol/message/11-join-group.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { administrationWithoutLeader, groupsWithoutLeader } from "../../serve/cluster/without-leader.ts"
import { leaderTimeoutMs, relayed, relayedAdministration } from "../../serve/relay/relayed.ts"
import type { Route } from "../../wire/route.ts"
import type { Relay } from "../relay.ts"

const leaderUnreachable = "The cluster's leader is unreachable."
const administration = administrationWithoutLeader(leaderUnreachable)
const groups = groupsWithoutLeader(leaderUnreachable)

/** JoinGroup waits for all members of the group, at most for the longest rebalance timeout. */
const joinMs = ({ rebalanceTimeoutMs, sessionTimeoutMs }: RequestOf<typeof JoinGroup>): number =>
  Math.min(2_147_000_000, Math.max(0, rebalanceTimeoutMs, sessionTimeoutMs) + leaderTimeoutMs)
/**
 * SyncGroup waits for the assignment of the group's leader. The coordinator ends that wait after the rebalance timeout;
 * 5 min is the longest of Kafka's defaults.
 */
const syncMs = 300_000 + leaderTimeoutMs

const groupRoutes = ({ forward }: Relay["Type"]): ReadonlyArray<Route> => [
  relayed(forward, groups.offsetCommit),
  relayed(forward, groups.offsetFetch),
  relayed(forward, groups.joinGroup, joinMs),
  relayed(forward, groups.syncGroup, () => syncMs),
  relayed(forward, groups.heartbeat),
  relayed(forward, groups.leaveGroup),
  relayed(forward, groups.describeGroups),
  relayed(forward, groups.deleteGroups),
  relayed(forward, groups.offsetDelete)
]

/** Returns the routes for requests that a client may send to any node and that only the leader can answer. */
export const relayedRoutes = (relay: Relay["Type"]): ReadonlyArray<Route> => [
  ...relayedAdministration(relay.forward, administration),
  ...groupRoutes(relay),
  relayed(relay.forward, administration.describeQuorum)
]
