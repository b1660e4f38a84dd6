import { Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { LogDirectory } from "../../ports/log-store.ts"
import { AlterReplicaLogDirs } from "../../protocol/message/34-alter-replica-log-dirs.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import { keyOf } from "../partition/topic-id-partition.ts"

type Request = RequestOf<typeof AlterReplicaLogDirs>

interface AlterReplicaLogDirsOptions {
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
}

/** The logs in a directory, read once a request; or the error for all partitions that are to be in it. */
const contentsOf = (directory: LogDirectory | undefined): ReadonlySet<string> | KafkaError => {
  if (directory === undefined) return "LOG_DIR_NOT_FOUND"
  if (directory.fault() !== undefined) return "KAFKA_STORAGE_ERROR"
  const listed = Either.try(() => new Set(directory.logs().map(keyOf)))
  return Either.getOrElse(listed, () => "KAFKA_STORAGE_ERROR" as const)
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
 * AlterReplicaLogDirs 1-2 (KIP-113): succeeds where the log is in the named directory already. Moves to another directory are not built and get INVALID_REQUEST; the response has
 * no field for a message. LOG_DIR_NOT_FOUND for a path that is not one of `log.dirs`, KAFKA_STORAGE_ERROR for one that is offline,
 * UNKNOWN_TOPIC_OR_PARTITION for a partition that is not on this broker. A partition that is named twice is answered once, by the directory that is named last.
 */
export const alterReplicaLogDirs = ({ directories, table }: AlterReplicaLogDirsOptions): Route =>
  route(AlterReplicaLogDirs, {}, (request) => {
    const contents = new Map<string, ReadonlySet<string> | KafkaError>()
    const contentsAt = (path: string) => {
      const known = contents.get(path) ?? contentsOf(directories.find((directory) => directory.path === path))
      contents.set(path, known)
      return known
    }
    const outcome = (topic: string, partition: number, path: string): KafkaError => {
      const held = contentsAt(path)
      if (typeof held === "string") return held
      const replica = table.find({ name: topic }, partition)
      if (typeof replica === "string") return replica === "KAFKA_STORAGE_ERROR" ? replica : "UNKNOWN_TOPIC_OR_PARTITION"
      return held.has(keyOf(replica)) ? "NONE" : "INVALID_REQUEST"
    }
    const results = [...folded(request)].map(([topicName, partitions]) => ({
      topicName,
      partitions: [...partitions].map(([partitionIndex, path]) => ({ partitionIndex, errorCode: errorCode(outcome(topicName, partitionIndex, path)) }))
    }))
    return { results }
  })
