import { Effect } from "effect"
import { type Cluster, topicById } from "../../../../domain/cluster/state.ts"
import type { LogStore } from "../../../ports/log-store.ts"
import type { TopicIdPartition } from "../topic-id-partition.ts"

/** How the topic ids begin that no topic of a client has: those of the leader's journal and of the groups, which may be in the same directory. */
const reservedPrefix = "AAAAAAAAAAAAAAAA"
/** Paths that the log line names; the others are counted. */
const pathsMax = 5

/**
 * Renames the logs among `stored` whose topics the cluster does not have, as Kafka does: the topics were removed by events
 * that this broker has not read, or the logs are of another cluster. None is deleted. To be called when the image is
 * complete, and the directories are claimed for its cluster.
 */
export const setStraysAside = (store: Pick<LogStore["Type"], "setAside">, cluster: Cluster, stored: ReadonlyArray<TopicIdPartition>): Effect.Effect<void> => {
  const strays = stored.filter(({ topicId }) => !topicId.startsWith(reservedPrefix) && topicById(cluster, topicId) === undefined)
  const rename = ({ partition, topicId }: TopicIdPartition) =>
    Effect.catchAll(store.setAside(topicId, partition, "stray"), ({ message }) =>
      Effect.as(Effect.logWarning(`The log ${topicId}-${partition} belongs to no topic of the cluster, and could not be renamed: ${message}`), [])
    )
  return Effect.flatMap(Effect.forEach(strays, rename), (all) => {
    const paths = all.flat()
    if (paths.length === 0) return Effect.void
    const more = paths.length > pathsMax ? ` and ${paths.length - pathsMax} others` : ""
    return Effect.logWarning(
      `${paths.length} logs belong to no topic of the cluster: the topics were removed while this broker was down. They were renamed to ${paths.slice(0, pathsMax).join(", ")}${more}. Remove them when you do not need their records.`
    )
  })
}
