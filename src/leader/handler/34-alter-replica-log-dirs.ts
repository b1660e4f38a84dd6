import { errorCode } from "../../../domain/kernel/error-code.ts"
import { AlterReplicaLogDirs } from "../../protocol/message/34-alter-replica-log-dirs.ts"
import { type Route, route } from "../../wire/route.ts"

const notFound = errorCode("LOG_DIR_NOT_FOUND")

/** AlterReplicaLogDirs for a node that leads the cluster and is no broker: it has no directory for partitions, so every path is LOG_DIR_NOT_FOUND. */
export const noReplicaLogDirs: Route = route(AlterReplicaLogDirs, {}, ({ dirs }) => {
  const byTopic = new Map<string, Set<number>>()
  for (const { topics } of dirs)
    for (const { name, partitions } of topics) {
      const known = byTopic.get(name) ?? new Set<number>()
      byTopic.set(name, known)
      for (const partition of partitions) known.add(partition)
    }
  const results = [...byTopic].map(([topicName, partitions]) => ({
    topicName,
    partitions: [...partitions].map((partitionIndex) => ({ partitionIndex, errorCode: notFound }))
  }))
  return { results }
})
