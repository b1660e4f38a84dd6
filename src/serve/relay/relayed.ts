import { Effect } from "effect"
import type { AnyApi, RequestOf, ResponseDraft } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { administrationWithoutLeader, WithoutLeader } from "../cluster/without-leader.ts"
import type { Forward } from "./forward.ts"

/** How long a node waits for a response that the leader sends at once, or as soon as the journal is synced, ms. */
export const leaderTimeoutMs = 30_000
const leaderTimeout = () => leaderTimeoutMs

/** A route whose requests the leader answers; where it is not reached, the node answers itself. `timeoutMs` bounds the wait for the leader's response. */
export const relayed = <A extends AnyApi>(
  forward: Forward,
  { answer: failed, api }: WithoutLeader<A>,
  timeoutMs: (request: RequestOf<A>) => number = leaderTimeout
): Route =>
  route(api, {}, (request, context) =>
    forward(api, context, timeoutMs(request)).pipe(
      Effect.catchAll(({ message }) => Effect.as(Effect.logDebug(`${api.name} of ${context.actor} could not be relayed: ${message}`), undefined)),
      Effect.map((answer) => (answer === undefined ? failed(request, context) : (answer as ResponseDraft<A>)))
    )
  )

/** The requests of administration that change the cluster, or that only the leader can answer. */
export const relayedAdministration = (forward: Forward, administration: ReturnType<typeof administrationWithoutLeader>): ReadonlyArray<Route> => [
  relayed(forward, administration.createTopics),
  relayed(forward, administration.deleteTopics),
  relayed(forward, administration.alterConfigs),
  relayed(forward, administration.incrementalAlterConfigs),
  relayed(forward, administration.createPartitions),
  relayed(forward, administration.electLeaders),
  relayed(forward, administration.alterPartitionReassignments),
  relayed(forward, administration.listPartitionReassignments),
  relayed(forward, administration.unregisterBroker)
]
