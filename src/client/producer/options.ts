import type { Codec } from "../../../domain/log/codec.ts"
import type { ConnectionOptions } from "../options.ts"
import type { Sending } from "./accumulator/settings.ts"

/** How a producer sends. Kafka's name for each setting stands in brackets. Durations are in ms. */
export interface ProducerOptions extends ConnectionOptions {
  /** Which replicas must have a message before it counts as sent: all in sync ("all", the default), the leader (1), or none (0: sent means written to the socket). [acks] */
  readonly acks?: "all" | 0 | 1
  /** No retry stores a message twice, and a partition keeps the order of its messages. Needs `acks: "all"`, and is the default there. [enable.idempotence] */
  readonly idempotent?: boolean
  /** How batches are compressed. Default "none". [compression.type] */
  readonly compression?: Codec
  /** How long a batch waits for more messages. Default 0: messages that are sent in the same turn, or while earlier ones are on their way, go together. [linger.ms] */
  readonly lingerMs?: number
  /** Bytes of messages in one batch, before compression. Default 262,144. [batch.size] */
  readonly batchBytesMax?: number
  /** Bytes that one message may have, key and headers included. Default 1,048,576. [max.request.size] */
  readonly messageBytesMax?: number
  /** Bytes of messages that wait for their answer. `sendMessage` waits for room when they are more. Default 32 MiB. [buffer.memory] */
  readonly bufferBytesMax?: number
  /** How long `sendMessage` waits for room in the buffer. Default 60,000. [max.block.ms] */
  readonly bufferTimeoutMs?: number
  /**
   * How long it takes at most until a message has its answer, from `sendMessage` on. A message that is on its way by then has OutcomeUnknown. At least `requestTimeoutMs` and
   * `lingerMs` together, where both are given. Default 120,000. [delivery.timeout.ms]
   */
  readonly deliveryTimeoutMs?: number
  /** Requests on their way to one node, 1 to 5. Default 5. [max.in.flight.requests.per.connection] */
  readonly inFlightRequestsMax?: number
  /** Whether sending to a topic that is not there may make it, if the cluster's settings allow it too. Default true. */
  readonly createTopics?: boolean
}

/** A broker knows the last five batches of an idempotent producer: more on the way could not be told from new ones. */
const inFlightMax = 5

const deliveryMs = 120_000
const requestMs = 30_000

export const sendingOf = (options: ProducerOptions): Sending => {
  const lingerMs = options.lingerMs ?? 0
  // As Kafka does: one request and the time before it fit into a default, which the caller has not chosen.
  const deliveryTimeoutMs = options.deliveryTimeoutMs ?? Math.max(deliveryMs, (options.requestTimeoutMs ?? 0) + lingerMs)
  const acks = options.acks === 0 || options.acks === 1 ? options.acks : -1
  return {
    acks,
    idempotent: acks === -1 && (options.idempotent ?? true),
    compression: options.compression ?? "none",
    lingerMs,
    batchBytesMax: Math.max(1, options.batchBytesMax ?? 262_144),
    messageBytesMax: Math.max(1, options.messageBytesMax ?? 1_048_576),
    bufferBytesMax: Math.max(1, options.bufferBytesMax ?? 32 * 1024 * 1024),
    bufferTimeoutMs: options.bufferTimeoutMs ?? 60_000,
    deliveryTimeoutMs,
    requestTimeoutMs: Math.min(options.requestTimeoutMs ?? requestMs, deliveryTimeoutMs),
    inFlightRequestsMax: Math.min(inFlightMax, Math.max(1, options.inFlightRequestsMax ?? inFlightMax)),
    createTopics: options.createTopics ?? true
  }
}
