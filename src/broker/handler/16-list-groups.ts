import { Effect } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode } from "../../../domain/kernel/error-code.ts"
import { ListGroups } from "../../protocol/message/16-list-groups.ts"
import { coordinators, leaderIsListed } from "../../serve/cluster/nodes.ts"
import { type Route, route } from "../../wire/route.ts"
import type { Relay } from "../relay.ts"

/** How long the leader may take. */
const promptMs = 30_000
const away = { errorCode: errorCode("COORDINATOR_NOT_AVAILABLE"), groups: [] }

/**
 * ListGroups 0-5: the groups for which this broker stands for the leader, so that a client that asks each node and joins the lists has each group once. None where the leader
 * is a broker that clients ask itself.
 */
export const listGroups = (nodeId: number, cluster: () => Cluster, relay: Relay): Route =>
  route(ListGroups, {}, (_, context) => {
    if (leaderIsListed(cluster())) return { errorCode: 0, groups: [] }
    return relay.forward(ListGroups, context, promptMs).pipe(
      Effect.map((answer) => {
        const find = coordinators(cluster(), context.listener)
        return { ...answer, groups: answer.groups.filter(({ groupId }) => find(groupId)?.nodeId === nodeId) }
      }),
      Effect.catchAll(() => Effect.succeed(away))
    )
  })
