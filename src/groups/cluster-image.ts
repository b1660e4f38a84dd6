import { Context } from "effect"
import type { Cluster } from "../../domain/cluster/state.ts"

/** The cluster as this node knows it: the leader's state, or the image of a broker that follows the leader. */
export class ClusterImage extends Context.Tag("comanche-franz/ClusterImage")<ClusterImage, { readonly cluster: () => Cluster }>() {}
