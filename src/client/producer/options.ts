import type { Codec } from "../../../domain/log/codec.ts"
import type { ConnectionOptions } from "../options.ts"
import type { CustomPartitioner } from "./accumulator/partitioner.ts"
import type { ProducerSettings } from "./accumulator/settings.ts"

/** How a producer sends. Durations are in ms, sizes in bytes. Kafka's name for each setting is in brackets. */
export interface ProducerOptions extends ConnectionOptions {
  /**
   * The acknowledgements to wait for: all in-sync replicas ("all", the default), the leader (1), or none (0: a message
   * counts as sent when it is written to the socket). [acks]
   */
  readonly acks?: "all" | 0 | 1
  /**
   * Retries store no message twice, and a partition keeps the order of its messages (KIP-98). Needs `acks: "all"`, and
   * is the default there. [enable.idempotence]
   */
  readonly idempotent?: boolean
  /** The compression of batches. Default "none". [compression.type] */
  readonly compression?: Codec
  /**
   * How long a batch waits for more messages. Default 0: messages of one turn of the event loop, or sent while requests
   * are in flight, share a batch. [linger.ms]
   */
  readonly lingerMs?: number
  /** Bytes of messages in one batch, before compression. Default 262,144. [batch.size] */
  readonly batchBytesMax?: number
  /** Bytes of one message, with its key and headers. Default 1,048,576. [max.request.size] */
  readonly messageBytesMax?: number
  /**
   * Bytes of all messages without a delivery report. `sendMessage` waits while they are more. Default 32 MiB.
   * [buffer.memory]
   */
  readonly bufferBytesMax?: number
  /**
   * Bytes of all messages that wait for free buffer memory, or for the metadata of their topic. `sendMessage` fails with
   * BufferFull at once while they are more: a caller that does not wait for its calls cannot fill the memory of its
   * process. Default 128 MiB, or four times `bufferBytesMax` if that is more.
   */
  readonly waitingBytesMax?: number
  /** How long `sendMessage` waits for free buffer memory. Default 60,000. [max.block.ms] */
  readonly bufferTimeoutMs?: number
  /**
   * The time from `sendMessage` to the delivery report, at most. A message that is in flight by then has
   * OutcomeUnknown. At least `requestTimeoutMs` and `lingerMs` together, where both are given. Default 120,000.
   * [delivery.timeout.ms]
   */
  readonly deliveryTimeoutMs?: number
  /** Requests in flight to one node, 1 to 5. Default 5. [max.in.flight.requests.per.connection] */
  readonly inFlightRequestsMax?: number
  /**
   * Whether sending to an unknown topic may create it, if the cluster's auto.create.topics.enable allows it too.
   * Default true.
   */
  readonly createTopics?: boolean
  /**
   * Chooses the partitions of messages that name none. Default: by the hash of the key as Kafka's Java producer, and for
   * messages without a key one partition after another. [partitioner.class]
   */
  readonly partitioner?: CustomPartitioner
}

/**
 * A broker remembers the last five batches of an idempotent producer: with more in flight it could not recognise a
 * retry.
 */
const inFlightRequestsMost = 5

const deliveryTimeoutDefaultMs = 120_000
const requestTimeoutDefaultMs = 30_000

/** What the messages may fill that wait for buffer memory, by default: so many bytes, or so many times that memory. */
const waitingLeastBytes = 128 * 1024 * 1024
const waitingBuffers = 4

/** Fills in the defaults. */
export const producerSettings = (options: ProducerOptions): ProducerSettings => {
  const lingerMs = options.lingerMs ?? 0
  // As Kafka's producer: a default, which the caller has not chosen, is long enough for one request and the time before
  // it.
  const deliveryTimeoutMs = options.deliveryTimeoutMs ?? Math.max(deliveryTimeoutDefaultMs, (options.requestTimeoutMs ?? 0) + lingerMs)
  const bufferBytesMax = Math.max(1, options.bufferBytesMax ?? 32 * 1024 * 1024)
  const acks = options.acks === 0 || options.acks === 1 ? options.acks : -1
  return {
    acks,
    idempotent: acks === -1 && (options.idempotent ?? true),
    compression: options.compression ?? "none",
    lingerMs,
    batchBytesMax: Math.max(1, options.batchBytesMax ?? 262_144),
    messageBytesMax: Math.max(1, options.messageBytesMax ?? 1_048_576),
    bufferBytesMax,
    waitingBytesMax: options.waitingBytesMax ?? Math.max(waitingLeastBytes, waitingBuffers * bufferBytesMax),
    bufferTimeoutMs: options.bufferTimeoutMs ?? 60_000,
    deliveryTimeoutMs,
    requestTimeoutMs: Math.min(options.requestTimeoutMs ?? requestTimeoutDefaultMs, deliveryTimeoutMs),
    inFlightRequestsMax: Math.min(inFlightRequestsMost, Math.max(1, options.inFlightRequestsMax ?? inFlightRequestsMost)),
    createTopics: options.createTopics ?? true,
    partitioner: options.partitioner
  }
}
