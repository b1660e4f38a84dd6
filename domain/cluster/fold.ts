import { Event } from "./event.ts"
import { evolve } from "./evolve.ts"
import { type Cluster, initial } from "./state.ts"

/**
 * How the stream of the cluster's events is folded, by the leader and by every broker that follows it. An entry that is
 * no event counts all the same: the state knows the index of the next entry.
 */
export const clusterFold = {
  initial,
  evolve,
  event: Event,
  pass: (cluster: Cluster): Cluster => ({ ...cluster, index: cluster.index + 1 })
}
