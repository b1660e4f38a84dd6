import type { Cluster, Partition } from "../../../domain/cluster/state.ts"
import { groupPartitions } from "../../../domain/cluster/topic/group-metadata.ts"
import { streamOf } from "../../../domain/group/groups.ts"
import { GroupId } from "../../../domain/group/id.ts"
import type { Address } from "../../../src/ports/transport.ts"
import { groupStreamCount } from "./folds.ts"
import { brokerAddress, leaderAddress } from "./nodes.ts"

/** The partition of a stream of groups; undefined while the cluster's leader coordinates them. */
export const groupPartitionOf = (cluster: Cluster, index: number): Partition | undefined => groupPartitions(cluster)?.partitions.at(index)

/** The node that coordinates a group; undefined where none does. */
export const coordinatorAddress = (cluster: Cluster, group: string): Address | undefined => {
  const partition = groupPartitionOf(cluster, streamOf(GroupId.make(group), groupStreamCount))
  if (partition === undefined) return leaderAddress
  return partition.leader < 0 ? undefined : brokerAddress(partition.leader)
}
