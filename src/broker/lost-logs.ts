import { HashMap } from "effect"
import type { Cluster } from "../../domain/cluster/state.ts"
import { BrokerId } from "../../domain/kernel/id.ts"

const counted = (count: number): string => (count === 1 ? "1 partition" : `${count} partitions`)

/**
 * Returns the warning of a broker whose data directories are empty, though the cluster has partitions on it: a disk is
 * not mounted or was lost. Undefined where it has none. `paths`: the directories.
 */
export const lostLogsWarning = (cluster: Cluster, nodeId: number, paths: string): string | undefined => {
  const id = BrokerId.make(nodeId)
  let alone = 0
  let copied = 0
  for (const { partitions } of HashMap.values(cluster.topics))
    for (const { replicas } of partitions) {
      if (!replicas.includes(id)) continue
      if (replicas.length === 1) alone++
      else copied++
    }
  if (alone + copied === 0) return undefined
  const lost =
    alone === 0
      ? ""
      : ` ${copied === 0 ? "Their" : `${counted(alone)} of them ${alone === 1 ? "has" : "have"} no other replica: their`} records are missing, and their logs restart at offset 0.`
  const again =
    copied === 0 ? "" : ` ${counted(copied)} of them ${copied === 1 ? "has" : "have"} other replicas, and ${copied === 1 ? "is" : "are"} copied from them.`
  return `Broker ${nodeId} starts with an empty data directory (${paths}), and the cluster has ${counted(alone + copied)} on it.${lost}${again} If a disk is not mounted or the directory was moved, stop this node, mount or restore it, and start the node again.`
}
