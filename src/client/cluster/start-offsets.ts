import { Effect } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { ListOffsets } from "../../protocol/message/02-list-offsets.ts"
import { type CallError, KafkaFailure, type NotAuthorized } from "../error.ts"
import { type Client, expectNone } from "./client.ts"
import { type TopicPartition, topicPartitionKey } from "./topic-partition.ts"

/** Where to begin in a partition that is read without a group: also an offset, or the first message at or after a time (ms since 1970). */
export type StartAt = "earliest" | "latest" | { readonly offset: number } | { readonly timestamp: number }

/** Kafka's words for the two ends of a log, in the place of a timestamp. */
const latest = -1n
const earliest = -2n

export type OffsetsError = CallError | NotAuthorized

const timestampOf = (at: StartAt): bigint => (at === "latest" ? latest : at === "earliest" ? earliest : BigInt("timestamp" in at ? at.timestamp : at.offset))

/** The offsets of places on one node, in their order. */
const askNode = (
  client: Client,
  nodeId: number,
  places: ReadonlyArray<TopicPartition & { readonly at: StartAt }>
): Effect.Effect<ReadonlyArray<number>, CallError> =>
  Effect.gen(function* () {
    const byTopic = new Map<string, Array<{ readonly partitionIndex: number; readonly timestamp: bigint }>>()
    for (const { at, partition, topic } of places) {
      const partitions = byTopic.get(topic) ?? []
      partitions.push({ partitionIndex: partition, timestamp: timestampOf(at) })
      byTopic.set(topic, partitions)
    }
    const topics = [...byTopic].map(([name, partitions]) => ({ name, partitions }))
    const answer = yield* client.callNode(nodeId, ListOffsets, { replicaId: -1, topics })
    const answers = new Map(
      answer.topics.flatMap(({ name, partitions }) => partitions.map((one) => [topicPartitionKey({ topic: name, partition: one.partitionIndex }), one]))
    )
    return yield* Effect.forEach(places, ({ partition, topic }) => {
      const found = answers.get(topicPartitionKey({ topic, partition }))
      if (found === undefined) return Effect.fail(new KafkaFailure({ error: "UNKNOWN_TOPIC_OR_PARTITION", what: `${topic}-${partition}`, detail: null }))
      return Effect.as(expectNone(kafkaError(found.errorCode), `The offsets of ${topic}-${partition}`), Number(found.offset))
    })
  })

/**
 * Offsets by place: the earliest, the latest, or that of the first message at or after a time, from the partitions' leaders. A time after the last message gives the latest.
 * Repeated over changes of leadership for `retryTimeoutMs`.
 */
export const startOffsets = (
  client: Client,
  wanted: ReadonlyArray<TopicPartition & { readonly at: StartAt }>
): Effect.Effect<ReadonlyMap<string, number>, OffsetsError> =>
  Effect.gen(function* () {
    const found = new Map<string, number>()
    for (const place of wanted) if (typeof place.at === "object" && "offset" in place.at) found.set(topicPartitionKey(place), place.at.offset)
    const left = () => wanted.filter((place) => !found.has(topicPartitionKey(place)))
    const attempt = Effect.gen(function* () {
      const byLeader = new Map<number, Array<TopicPartition & { readonly at: StartAt }>>()
      for (const place of left()) {
        const leader = client.metadata.view().topics.get(place.topic)?.partitions[place.partition]?.leader ?? -1
        const led = byLeader.get(leader) ?? []
        led.push(place)
        byLeader.set(leader, led)
      }
      if (byLeader.has(-1)) return yield* new KafkaFailure({ error: "LEADER_NOT_AVAILABLE", what: "A partition", detail: null })
      yield* Effect.forEach(
        byLeader,
        ([leader, places]) =>
          Effect.map(askNode(client, leader, places), (offsets) => {
            for (const [index, place] of places.entries()) found.set(topicPartitionKey(place), offsets[index] as number)
          }),
        { concurrency: "unbounded", discard: true }
      )
    })
    const refresh = Effect.suspend(() => Effect.ignore(client.metadata.refresh([...new Set(left().map(({ topic }) => topic))])))
    yield* client.persistently(Effect.tapError(attempt, () => refresh))
    // A time after the last message has no offset: what comes next is what was meant.
    const after = wanted.filter((place) => found.get(topicPartitionKey(place)) === -1)
    if (after.length > 0)
      for (const [key, offset] of yield* startOffsets(
        client,
        after.map(({ partition, topic }) => ({ topic, partition, at: "latest" as const }))
      ))
        found.set(key, offset)
    return found
  })
