import { HashMap } from "effect"
import type { TopicPartition } from "../command.ts"
import { livesOf } from "../replication/partition-changes.ts"
import { type Cluster, sortedTopics } from "../state.ts"

const setting = "unclean.leader.election.enable"

/**
 * Returns the partitions without a leader for which `unclean.leader.election.enable` lets any unfenced replica lead, at
 * most `partitionsMax`. `byDefault` is the value of topics without one of their own. A walk over the topics with the
 * value true alone.
 */
export const leaderlessPartitions = (cluster: Cluster, byDefault: boolean, partitionsMax: number): ReadonlyArray<TopicPartition> => {
  const isAllowed = (configs: Readonly<Record<string, string>>): boolean => (configs[setting] ?? String(byDefault)) === "true"
  if (!byDefault && ![...HashMap.values(cluster.topics)].some(({ configs }) => isAllowed(configs))) return []
  const lifeOf = livesOf(cluster)
  const found: Array<TopicPartition> = []
  for (const { configs, name, partitions } of sortedTopics(cluster)) {
    if (!isAllowed(configs)) continue
    let partition = 0
    for (const { leader, replicas } of partitions) {
      if (leader === -1 && replicas.length > 1 && replicas.some((id) => lifeOf(id) === "unfenced")) found.push({ topic: name, partition })
      if (found.length === partitionsMax) return found
      partition++
    }
  }
  return found
}
