import { Effect } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import { coordinators, leaderIsListed } from "../../serve/cluster/nodes.ts"
import { type Route, route } from "../../wire/route.ts"
import type { Relay } from "../relay.ts"

/** How long the broker waits for the leader's response. */
const leaderTimeoutMs = 30_000
const leaderUnreachable = { errorCode: errorCode("COORDINATOR_NOT_AVAILABLE"), groups: [] }

/**
 * ListGroups 0-5: returns the groups whose coordinator, for clients, is this broker: a client that asks every node and
 * joins the lists gets each group once. Returns none where the leader is a broker that clients ask directly.
 */
export const listGroups = (nodeId: number, cluster: () => Cluster, relay: Relay["Type"]): Route =>
  route(ListGroups, {}, (_, context) => {
    if (leaderIsListed(cluster())) return { errorCode: 0, groups: [] }
    return relay.forward(ListGroups, context, leaderTimeoutMs).pipe(
      Effect.map((answer) => {
        const find = coordinators(cluster(), context.listener)
        return { ...answer, groups: answer.groups.filter(({ groupId }) => find(groupId)?.nodeId === nodeId) }
      }),
      Effect.catchAll(() => Effect.succeed(leaderUnreachable))
    )
  })
