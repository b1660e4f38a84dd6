import { Effect } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { IncrementalAlterConfigs } from "../../protocol/message/44-incremental-alter-configs.ts"
import type { Client } from "../cluster/client.ts"
import { UnknownTopic } from "../error.ts"
import { commandId, type RemoveTopicError, topicFault } from "../topic/administration.ts"

/**
 * Settings of a topic or a node by Kafka's names, as `{ set: { "retention.ms": "86400000" }, unset: ["segment.bytes"]
 * }`.
 */
export interface ConfigChanges {
  readonly set?: Readonly<Record<string, string>>
  /** These settings get the cluster's value, or the default. */
  readonly unset?: ReadonlyArray<string>
}

const topicResource = 2
/** The operations of IncrementalAlterConfigs, by their numbers. */
const operation = { set: 0, delete: 1 } as const

export const configDrafts = ({ set = {}, unset = [] }: ConfigChanges) => [
  ...Object.entries(set).map(([name, value]) => ({ name, value, configOperation: operation.set })),
  ...unset.map((name) => ({ name, value: null, configOperation: operation.delete }))
]

/**
 * Changes settings of a topic, all of them or none. Brokers apply them when they have the event. TopicRefused names the
 * setting and the values that it accepts.
 */
export const configureTopic = (client: Client, topic: string, changes: ConfigChanges): Effect.Effect<void, RemoveTopicError> =>
  Effect.suspend(() => {
    const tags = commandId(client)
    const request = { resources: [{ resourceType: topicResource, resourceName: topic, configs: configDrafts(changes) }], validateOnly: false }
    const attempt = Effect.gen(function* () {
      const response = yield* client.callController(IncrementalAlterConfigs, request, { tags })
      const result = response.responses[0]
      const error = result === undefined ? "UNKNOWN_SERVER_ERROR" : kafkaError(result.errorCode)
      if (error === "UNKNOWN_TOPIC_OR_PARTITION") return yield* new UnknownTopic({ topic })
      if (error !== "NONE") return yield* topicFault(error, topic, result?.errorMessage ?? null)
    })
    return client.persistently(attempt)
  })
