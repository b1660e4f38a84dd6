import { Effect, Either } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { ListOffsets } from "../../protocol/message/02-list-offsets.ts"
import { type CallError, KafkaFailure, type NotAuthorized } from "../error.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import { type Client, expectNone, retryKind } from "./client.ts"
import { type TopicPartition, topicPartitionKey } from "./topic-partition.ts"

/**
 * Where to begin in a partition: at one end of its log, at an offset, or at the first message of a time (ms since 1970)
 * or later.
 */
export type StartAt = "earliest" | "latest" | { readonly offset: number } | { readonly timestamp: number }

/** The timestamps by which ListOffsets asks for the two ends of a log. */
const latest = -1n
const earliest = -2n

type StartRequest = TopicPartition & { readonly at: StartAt }

/** Whether a reader sees the messages of transactions that are open or were aborted. Kafka's names. */
export type Isolation = "read_uncommitted" | "read_committed"
export const isolationLevel = (isolation: Isolation): number => (isolation === "read_committed" ? 1 : 0)

export type OffsetsError = CallError | NotAuthorized

const timestampOf = (at: StartAt): bigint => (at === "latest" ? latest : at === "earliest" ? earliest : BigInt("timestamp" in at ? at.timestamp : at.offset))

/** Requests the offsets of partitions that one node leads. Returns them, or the error of each, in the order of the partitions. */
const listOffsets = (
  client: Client,
  nodeId: number,
  partitions: ReadonlyArray<StartRequest>,
  isolation: Isolation
): Effect.Effect<ReadonlyArray<Either.Either<number, CallError>>, CallError> =>
  Effect.gen(function* () {
    const byTopic = new Map<string, Array<{ readonly partitionIndex: number; readonly timestamp: bigint }>>()
    for (const { at, partition, topic } of partitions) {
      const ofTopic = byTopic.get(topic) ?? []
      ofTopic.push({ partitionIndex: partition, timestamp: timestampOf(at) })
      byTopic.set(topic, ofTopic)
    }
    const topics = [...byTopic].map(([name, ofTopic]) => ({ name, partitions: ofTopic }))
    const response = yield* client.callNode(nodeId, ListOffsets, { replicaId: -1, isolationLevel: isolationLevel(isolation), topics })
    const results = new Map(
      response.topics.flatMap((topic) => topic.partitions.map((one) => [topicPartitionKey({ topic: topic.name, partition: one.partitionIndex }), one]))
    )
    return yield* Effect.forEach(partitions, ({ partition, topic }) => {
      const result = results.get(topicPartitionKey({ topic, partition }))
      const found =
        result === undefined
          ? Effect.fail(new KafkaFailure({ error: "UNKNOWN_TOPIC_OR_PARTITION", what: `${topic}-${partition}`, detail: null }))
          : Effect.as(expectNone(kafkaError(result.errorCode), `The offsets of ${topic}-${partition}`), Number(result.offset))
      return Effect.either(found)
    })
  })

/**
 * How long a description waits for the offsets of a partition, ms. In a cluster with a leader a broker whose process has
 * ended is replaced within a second; where the cluster's leader has ended too, that takes longer than a caller waits for a
 * description.
 */
export const describedWithinMs = 1000

const noLeader = new KafkaFailure({ error: "LEADER_NOT_AVAILABLE", what: "A partition", detail: null })

/**
 * Returns the offset at which each partition is to begin, by `topicPartitionKey`. The leaders of the partitions are
 * asked where the offset is not given. A time after the last message gives the end of the log; to a reader of committed
 * messages the log ends before the first open transaction. Retried over changes of leadership for `retryTimeoutMs`.
 * A partition that has no leader for `unknownWithinMs`, or whose leader is not reached, or does not know the end of its log
 * (it is alone below min.insync.replicas), is left out; by default that is an error after `retryTimeoutMs`.
 */
export const startOffsets = (
  client: Client,
  requested: ReadonlyArray<StartRequest>,
  isolation: Isolation = "read_uncommitted",
  unknownWithinMs = Number.POSITIVE_INFINITY
): Effect.Effect<ReadonlyMap<string, number>, OffsetsError> =>
  Effect.gen(function* () {
    const offsets = new Map<string, number>()
    const unknown = new Set<string>()
    const startedAt = yield* monotonicNow
    for (const one of requested) if (typeof one.at === "object" && "offset" in one.at) offsets.set(topicPartitionKey(one), one.at.offset)
    const missing = () => requested.filter((one) => !offsets.has(topicPartitionKey(one)) && !unknown.has(topicPartitionKey(one)))
    /** Notes the offsets that the leader of partitions gives, and returns the errors to retry or to fail with. */
    const ofLeader = (leader: number, led: ReadonlyArray<StartRequest>): Effect.Effect<ReadonlyArray<CallError>> =>
      Effect.gen(function* () {
        const asked = leader < 0 ? Effect.fail(noLeader) : listOffsets(client, leader, led, isolation)
        const found = yield* Effect.catchAll(asked, (error) => Effect.succeed(led.map(() => Either.left(error))))
        const hasWaited = (yield* monotonicNow) - startedAt >= unknownWithinMs
        return found.flatMap((offset, index) => {
          const key = topicPartitionKey(led[index] as StartRequest)
          if (Either.isRight(offset)) offsets.set(key, offset.right)
          else if (hasWaited && retryKind(offset.left) !== undefined) unknown.add(key)
          else return [offset.left]
          return []
        })
      })
    const attempt = Effect.gen(function* () {
      const byLeader = new Map<number, Array<StartRequest>>()
      for (const one of missing()) {
        const leader = client.metadata.view().topics.get(one.topic)?.partitions[one.partition]?.leader ?? -1
        const led = byLeader.get(leader) ?? []
        led.push(one)
        byLeader.set(leader, led)
      }
      // Each leader has its attempt: those that respond are not asked again where another one is unreachable.
      const failures = (yield* Effect.forEach(byLeader, ([leader, led]) => ofLeader(leader, led), { concurrency: "unbounded" })).flat()
      const failed = failures.find((error) => retryKind(error) === undefined) ?? failures[0]
      if (failed !== undefined) yield* Effect.fail(failed)
    })
    const refresh = Effect.suspend(() => Effect.ignore(client.metadata.refresh([...new Set(missing().map(({ topic }) => topic))])))
    yield* client.persistently(Effect.tapError(attempt, () => refresh))
    // A time after the last message has no offset: the messages that come next are meant.
    const after = requested.filter((one) => offsets.get(topicPartitionKey(one)) === -1)
    if (after.length > 0)
      for (const [key, offset] of yield* startOffsets(
        client,
        after.map(({ partition, topic }) => ({ topic, partition, at: "latest" as const })),
        isolation
      ))
        offsets.set(key, offset)
    return offsets
  })
