import { Either } from "effect"
import { groupMetadataTopicId } from "../../../domain/cluster/topic/group-metadata.ts"
import { LogFault } from "../../ports/log-store.ts"
import type { LedPartitions } from "../../stream/partition/led-partition.ts"
import type { PartitionTable } from "../partition/hosted/table.ts"
import { LedReplicaPartition, type RaiseStarts } from "./led-replica-partition.ts"

const topic = { topicId: groupMetadataTopicId }

/** The partitions of `__group_metadata` that this broker leads, by the names of their streams. */
export const ledGroupPartitions = (table: PartitionTable, raise: RaiseStarts): LedPartitions => ({
  find: (stream) => {
    const partition = Number(/-(0|[1-9]\d*)$/.exec(stream)?.[1] ?? -1)
    const replica = table.find(topic, partition)
    const leading = typeof replica === "string" ? undefined : replica.leading
    if (typeof replica === "string" || leading === undefined)
      return Either.left(new LogFault({ path: stream, reason: "offline", message: `This broker does not lead the partition of ${stream}.` }))
    return Either.right(new LedReplicaPartition(replica, leading, raise))
  }
})
