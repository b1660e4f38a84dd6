import { Either } from "effect"
import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { TopicId } from "../../../domain/kernel/id.ts"
import type { LogDirectory } from "../../ports/log-store.ts"
import { AlterReplicaLogDirs } from "../../protocol/message/34-alter-replica-log-dirs.ts"
import type { RequestOf } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"

type Request = RequestOf<typeof AlterReplicaLogDirs>

interface AlterReplicaLogDirsOptions {
  readonly table: PartitionTable
  readonly directories: ReadonlyArray<LogDirectory>
}

const logKey = (topicId: TopicId, partition: number): string => `${topicId}-${partition}`

/** What a directory holds, read once a request; the error that all of its partitions get. */
const contentsOf = (directory: LogDirectory | undefined): ReadonlySet<string> | KafkaError => {
  if (directory === undefined) return "LOG_DIR_NOT_FOUND"
  if (directory.fault() !== undefined) return "KAFKA_STORAGE_ERROR"
  const listed = Either.try(() => new Set(directory.logs().map(({ partition, topicId }) => logKey(topicId, partition))))
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
 * AlterReplicaLogDirs 1-2 (KIP-113), as far as a log stays where it is: a success without effect. Moving a log to another directory of its broker is not built and is refused with
 * INVALID_REQUEST, since the answer has no place for a message. LOG_DIR_NOT_FOUND for a path that is not one of `log.dirs`, KAFKA_STORAGE_ERROR for one that is offline,
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
      const owner = table.find({ name: topic }, partition)
      if (typeof owner === "string") return owner === "KAFKA_STORAGE_ERROR" ? owner : "UNKNOWN_TOPIC_OR_PARTITION"
      return held.has(logKey(owner.topicId, owner.partition)) ? "NONE" : "INVALID_REQUEST"
    }
    const results = [...folded(request)].map(([topicName, partitions]) => ({
      topicName,
      partitions: [...partitions].map(([partitionIndex, path]) => ({ partitionIndex, errorCode: errorCode(outcome(topicName, partitionIndex, path)) }))
    }))
    return { results }
  })
