import { Effect, Runtime, type Scope } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import { internalTopicByName } from "../../../domain/cluster/topic/internal.ts"
import { consumerOffsetsTopic, consumerOffsetsTopicId } from "../../../domain/cluster/topic/name.ts"
import type { FindReadable } from "../../serve/readable.ts"
import { runSteps } from "../../wire/sliced.ts"
import type { GroupStream } from "../context.ts"
import { OffsetsPartition } from "./partition.ts"

/** A partition that no client has asked for in this time lets go of its log. */
const idleMs = 600_000
const lookEveryMs = 60_000
/** Offsets begin at the time of the leader's start in ms times this: a log that is made anew never gives an offset again, at less than a million records a second. */
const offsetsPerMs = 1024

/**
 * `__consumer_offsets`, for monitors that read the groups there: each partition is a stream of groups in Kafka's format, made when a client reads it and followed from then on
 * (docs/decisions/0037). A partition with very many groups is made in slices, and is NOT_LEADER_OR_FOLLOWER meanwhile. `now` in ms since 1970, never falls.
 */
export const makeOffsetsTopic = (
  cluster: () => Cluster,
  streams: ReadonlyArray<GroupStream>,
  now: () => number
): Effect.Effect<FindReadable, never, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const scope = yield* Effect.scope
    const askedAt: Array<number> = []
    const partitions = streams.map(
      ({ writer }, index) =>
        new OffsetsPartition({
          partition: index,
          groups: writer,
          firstOffset: () => now() * offsetsPerMs,
          run: (steps) => void Runtime.runFork(runtime)(Effect.forkIn(runSteps(steps), scope))
        })
    )
    yield* Effect.sync(() => {
      for (const [index, partition] of partitions.entries())
        if (partition.isFollowing && !partition.isWaitedFor && now() - (askedAt[index] ?? 0) >= idleMs) partition.rest()
    }).pipe(Effect.delay(lookEveryMs), Effect.forever, Effect.forkScoped)
    return (asked, index) => {
      const isName = "name" in asked
      if (isName ? asked.name !== consumerOffsetsTopic : asked.topicId !== consumerOffsetsTopicId)
        return isName ? "UNKNOWN_TOPIC_OR_PARTITION" : "UNKNOWN_TOPIC_ID"
      const partition = internalTopicByName(cluster(), consumerOffsetsTopic) === undefined ? undefined : partitions[index]
      if (partition === undefined) return "UNKNOWN_TOPIC_OR_PARTITION"
      askedAt[index] = now()
      partition.begin()
      return partition.isReadable ? partition : "NOT_LEADER_OR_FOLLOWER"
    }
  })
