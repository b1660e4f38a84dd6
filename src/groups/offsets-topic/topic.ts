import { Effect, type Scope } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { internalTopicByName } from "../../../domain/cluster/topic/internal.ts"
import { consumerOffsetsTopic, consumerOffsetsTopicId } from "../../../domain/cluster/topic/name.ts"
import type { FindReadable } from "../../serve/readable.ts"
import type { GroupStreams } from "../group-streams.ts"

/** A partition that no client has looked for in this time unloads its log. */
const idleMs = 600_000
const lookEveryMs = 60_000

/**
 * `__consumer_offsets`, for monitors that read the groups there: each partition is a stream of groups in Kafka's format, made when a client reads it and followed from then on
 * (docs/decisions/0037). A partition with very many groups is made in slices, and is NOT_LEADER_OR_FOLLOWER meanwhile, as is the partition of a stream that this node does not coordinate.
 */
export const makeOffsetsTopic = (cluster: () => Cluster, streams: GroupStreams): Effect.Effect<FindReadable, never, Scope.Scope> =>
  Effect.gen(function* () {
    const unloadIdle = Effect.sync(() => {
      for (const { offsets } of streams) offsets.unloadIfIdle(idleMs)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.delay(unloadIdle, lookEveryMs)))
    return (asked, index) => {
      const isName = "name" in asked
      if (isName ? asked.name !== consumerOffsetsTopic : asked.topicId !== consumerOffsetsTopicId)
        return isName ? "UNKNOWN_TOPIC_OR_PARTITION" : "UNKNOWN_TOPIC_ID"
      if (internalTopicByName(cluster(), consumerOffsetsTopic) === undefined || index < 0 || index >= streams.count) return "UNKNOWN_TOPIC_OR_PARTITION"
      const partition = streams.at(index)?.offsets
      partition?.load()
      return partition?.isReadable === true ? partition : "NOT_LEADER_OR_FOLLOWER"
    }
  })
