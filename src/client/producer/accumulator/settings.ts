import { Context } from "effect"
import type { Codec } from "../../../../domain/log/codec.ts"
import type { CustomPartitioner } from "./partitioner.ts"

/** How a producer sends: `ProducerOptions` with every default filled in. Durations are in ms, sizes in bytes. */
export interface ProducerSettings {
  /** As the Produce request has it: -1 for all in-sync replicas. */
  readonly acks: -1 | 0 | 1
  readonly idempotent: boolean
  readonly compression: Codec
  readonly lingerMs: number
  readonly batchBytesMax: number
  readonly messageBytesMax: number
  readonly bufferBytesMax: number
  readonly waitingBytesMax: number
  readonly bufferTimeoutMs: number
  readonly deliveryTimeoutMs: number
  /** How long the response to one Produce request may take. */
  readonly requestTimeoutMs: number
  readonly inFlightRequestsMax: number
  readonly createTopics: boolean
  readonly partitioner: CustomPartitioner | undefined
}

/** The settings of the producer that is being built. */
export class ProducerConfig extends Context.Tag("comanche-franz/client/ProducerConfig")<ProducerConfig, ProducerSettings>() {}
