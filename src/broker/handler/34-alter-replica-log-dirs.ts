import { type Cluster, topicByName } from "../../../domain/cluster/state.ts"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { LogDirectory, LogMoves } from "../../ports/log-store.ts"
import { AlterReplicaLogDirs } from "../../protocol/message/34-alter-replica-log-dirs.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { DirectoryMoves } from "../partition/hosted/directory-moves.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"

type Request = RequestOf<typeof AlterReplicaLogDirs>

interface AlterReplicaLogDirsOptions {
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
  readonly moves: Pick<DirectoryMoves, "request">
  readonly prefer: LogMoves["prefer"]
  readonly cluster: () => Cluster
}

/** Each partition with the directory that the request names last for it, as in Kafka. */
const folded = ({ dirs }: Request): ReadonlyMap<string, ReadonlyMap<number, string>> => {
  const byTopic = new Map<string, Map<number, string>>()
  for (const { path, topics } of dirs)
    for (const { name, partitions } of topics) {
      const known = byTopic.get(name) ?? new Map<number, string>()
      byTopic.set(name, known)
      for (const partition of partitions) known.set(partition, path)
    }
  return byTopic
}

/**
 * AlterReplicaLogDirs 1-2 (KIP-113): accepts the move of a replica's log to another of `log.dirs`, and answers before it has begun; DescribeLogDirs tells how far it is.
 * A request for another directory replaces the move before it, one for the directory that the log is in ends it. LOG_DIR_NOT_FOUND for a path that is not one of `log.dirs`,
 * KAFKA_STORAGE_ERROR for one that is offline, and for a log that is. REPLICA_NOT_AVAILABLE for a partition of the cluster that is not on this broker: if it is placed here
 * later, its log is made in that directory. UNKNOWN_TOPIC_OR_PARTITION for one that the cluster does not have. A partition that is named twice is answered once, by the
 * directory that is named last.
 */
export const alterReplicaLogDirs = ({ cluster, directories, moves, prefer, table }: AlterReplicaLogDirsOptions): Route =>
  route(AlterReplicaLogDirs, {}, (request) => {
    const outcome = (topic: string, partition: number, path: string): KafkaError => {
      const directory = directories.find((each) => each.path === path)
      if (directory === undefined) return "LOG_DIR_NOT_FOUND"
      if (directory.fault() !== undefined) return "KAFKA_STORAGE_ERROR"
      const replica = table.findHosted({ name: topic }, partition)
      if (replica === "NOT_LEADER_OR_FOLLOWER") {
        const topicId = topicByName(cluster(), topic)?.topicId
        if (topicId !== undefined) prefer({ topicId, partition, path })
        return "REPLICA_NOT_AVAILABLE"
      }
      if (typeof replica === "string") return replica
      moves.request(replica, path)
      return "NONE"
    }
    const results = [...folded(request)].map(([topicName, partitions]) => ({
      topicName,
      partitions: [...partitions].map(([partitionIndex, path]) => ({ partitionIndex, errorCode: errorCode(outcome(topicName, partitionIndex, path)) }))
    }))
    return { results }
  })
