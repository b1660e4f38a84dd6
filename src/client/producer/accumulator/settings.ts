import type { Codec } from "../../../../domain/log/codec.ts"

/** How a producer sends: `ProducerOptions` with every default in its place. */
export interface Sending {
  readonly acks: -1 | 0 | 1
  readonly idempotent: boolean
  readonly compression: Codec
  readonly lingerMs: number
  readonly batchBytesMax: number
  readonly messageBytesMax: number
  readonly bufferBytesMax: number
  readonly bufferTimeoutMs: number
  readonly deliveryTimeoutMs: number
  /** How long the answer to one Produce request may take. */
  readonly requestTimeoutMs: number
  readonly inFlightRequestsMax: number
  readonly createTopics: boolean
}
