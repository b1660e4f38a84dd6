import { Effect } from "effect"
import { commandIdTag } from "../../../domain/kernel/command-id.ts"
import { type KafkaError, kafkaError } from "../../../domain/kernel/error-code.ts"
import { zeroTopicId } from "../../../domain/kernel/id.ts"
import { CreateTopics } from "../../protocol/message/19-create-topics.ts"
import { DeleteTopics } from "../../protocol/message/20-delete-topics.ts"
import { CreatePartitions } from "../../protocol/message/37-create-partitions.ts"
import type { Client } from "../cluster/client.ts"
import { type CallError, failure, type InvalidArgument, InvalidTopic, type NotAuthorized, TopicExists, TopicRefused, UnknownTopic } from "../error.ts"

export interface TopicOptions {
  /** Default: the cluster's `num.partitions`. */
  readonly partitions?: number
  /** Default: the cluster's `default.replication.factor`. */
  readonly replicationFactor?: number
  /** Settings by Kafka's names, as `{ "segment.bytes": "1048576" }`. The others have the cluster's values. */
  readonly configs?: Readonly<Record<string, string>>
}
export interface TopicAdded {
  readonly topic: string
  /** All zero where the cluster has no topic ids. */
  readonly topicId: string
  /** -1 where the cluster does not name it. */
  readonly partitions: number
}

export type AddTopicError = CallError | InvalidArgument | TopicExists | InvalidTopic | TopicRefused | NotAuthorized
export type RemoveTopicError = CallError | InvalidArgument | UnknownTopic | InvalidTopic | TopicRefused | NotAuthorized

/**
 * Returns the tag with an id for the command, the same in each retry: the leader recognises the retry, and repeats the
 * first response.
 */
export const commandId = (client: Client) => [
  { tag: commandIdTag, data: new TextEncoder().encode(`${client.options.clientId.slice(0, 64)}-${client.random.hex(32)}`) }
]

const refusals: ReadonlySet<KafkaError> = new Set<KafkaError>([
  "INVALID_PARTITIONS",
  "INVALID_REPLICATION_FACTOR",
  "INVALID_REPLICA_ASSIGNMENT",
  "INVALID_CONFIG",
  "POLICY_VIOLATION",
  "TOPIC_DELETION_DISABLED",
  "INVALID_REQUEST"
])
/** Returns the error of a response about a topic. */
export const topicFault = (error: KafkaError, topic: string, detail: string | null) => {
  if (error === "INVALID_TOPIC_EXCEPTION") return new InvalidTopic({ topic, reason: detail ?? "a topic cannot have this name." })
  if (refusals.has(error)) return new TopicRefused({ topic, error, reason: detail ?? error })
  return failure(error, topic, detail)
}

/** Creates a topic; see ProducerService.addTopic. */
export const addTopic = (client: Client, topic: string, options: TopicOptions = {}): Effect.Effect<TopicAdded, AddTopicError> =>
  Effect.suspend(() => {
    const tags = commandId(client)
    const draft = {
      name: topic,
      numPartitions: options.partitions ?? -1,
      replicationFactor: options.replicationFactor ?? -1,
      assignments: [],
      configs: Object.entries(options.configs ?? {}).map(([name, value]) => ({ name, value }))
    }
    const attempt = Effect.gen(function* () {
      const response = yield* client.callController(CreateTopics, { topics: [draft], timeoutMs: client.options.attemptTimeoutMs }, { tags })
      const result = response.topics.find(({ name }) => name === topic)
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "TOPIC_ALREADY_EXISTS") return yield* new TopicExists({ topic })
      if (error !== "NONE") return yield* topicFault(error, topic, result?.errorMessage ?? null)
      client.metadata.forget(topic)
      return { topic, topicId: result?.topicId ?? zeroTopicId, partitions: result?.numPartitions ?? -1 }
    })
    return client.persistently(attempt)
  })

/** The last version of DeleteTopics that names topics by names alone. */
const lastByName = 5

/** Deletes a topic; see ProducerService.removeTopic. */
export const removeTopic = (client: Client, topic: string): Effect.Effect<void, RemoveTopicError> =>
  Effect.suspend(() => {
    const tags = commandId(client)
    const byName = { topicNames: [topic], timeoutMs: client.options.attemptTimeoutMs }
    const attempt = Effect.gen(function* () {
      const response = yield* client.callController(DeleteTopics, byName, { tags, versionMax: lastByName })
      const result = response.responses.find(({ name }) => name === topic)
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "UNKNOWN_TOPIC_OR_PARTITION") return yield* new UnknownTopic({ topic })
      if (error !== "NONE") return yield* topicFault(error, topic, result?.errorMessage ?? null)
      client.metadata.forget(topic)
    })
    return client.persistently(attempt)
  })

/**
 * Adds partitions to a topic, up to `partitions` in all. Keys may change their partition. TopicRefused when it has as
 * many already.
 */
export const addPartitions = (client: Client, topic: string, partitions: number): Effect.Effect<void, RemoveTopicError> =>
  Effect.suspend(() => {
    const tags = commandId(client)
    const request = { topics: [{ name: topic, count: partitions, assignments: null }], timeoutMs: client.options.attemptTimeoutMs, validateOnly: false }
    const attempt = Effect.gen(function* () {
      const response = yield* client.callController(CreatePartitions, request, { tags })
      const result = response.results[0]
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "UNKNOWN_TOPIC_OR_PARTITION") return yield* new UnknownTopic({ topic })
      if (error !== "NONE") return yield* topicFault(error, topic, result?.errorMessage ?? null)
      client.metadata.forget(topic)
    })
    return client.persistently(attempt)
  })
