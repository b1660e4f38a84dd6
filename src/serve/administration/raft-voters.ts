import type { Cluster } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import { AddRaftVoter } from "../../protocol/message/80-add-raft-voter.ts"
import { RemoveRaftVoter } from "../../protocol/message/81-remove-raft-voter.ts"
import { zeroUuid } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"

const refusal = (error: KafkaError, errorMessage: string) => ({ errorCode: errorCode(error), errorMessage })

interface Voter {
  readonly clusterId: string | null
  readonly voterId: number
  readonly voterDirectoryId: string
}
const faultOf = ({ clusterId }: Cluster, voter: Voter) => {
  if (voter.clusterId !== null && voter.clusterId !== clusterId)
    return refusal("INCONSISTENT_CLUSTER_ID", `This node belongs to the cluster ${clusterId ?? ""}.`)
  if (voter.voterId < 0 || voter.voterDirectoryId === zeroUuid)
    return refusal("INVALID_REQUEST", "The request does not name a voter: it needs an id from 0 and a directory id.")
  return undefined
}

/**
 * AddRaftVoter 0-1 and RemoveRaftVoter 0 (KIP-853): UNSUPPORTED_VERSION, as Kafka answers where the set of voters is fixed. The leader's journal has one voter, the leader.
 * INCONSISTENT_CLUSTER_ID for another cluster, INVALID_REQUEST for what names no voter.
 */
export const raftVoterRoutes = (image: () => Cluster): ReadonlyArray<Route> => [
  route(AddRaftVoter, {}, (request) => {
    const fault = faultOf(image(), request)
    if (fault !== undefined) return fault
    if (request.listeners.length === 0) return refusal("INVALID_REQUEST", "The request names no listener of the voter.")
    return refusal("UNSUPPORTED_VERSION", "Voters cannot be added: the cluster has one leader, and its journal one copy.")
  }),
  route(RemoveRaftVoter, {}, (request) => {
    const fault = faultOf(image(), request)
    return fault ?? refusal("UNSUPPORTED_VERSION", "Voters cannot be removed: the cluster has one leader, and its journal one copy.")
  })
]
