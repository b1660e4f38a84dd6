import { Config, type ConfigError, Effect, Layer, type Scope, Stream } from "effect"
import { hasZstd, withoutZstd } from "../../adapters/compression/zlib.ts"
import { type AdminService, Admin as PlatformAdmin } from "../client/admin/admin.ts"
import { clusterEvents as platformEvents } from "../client/consumer/cluster-events.ts"
import { Consumer as PlatformConsumer } from "../client/consumer/consumer.ts"
import type { AssignError, PollError } from "../client/consumer/errors.ts"
import type { ConsumedRecord } from "../client/consumer/fetch/record.ts"
import type { ConsumerOptions, EventsOptions } from "../client/consumer/options.ts"
import type { ConsumerService } from "../client/consumer/service.ts"
import { type CallError, type InvalidAddress, InvalidArgument } from "../client/error.ts"
import { type Diagnosis, diagnose as platformDiagnose } from "../client/observability/diagnose.ts"
import type { ConnectionOptions } from "../client/options.ts"
import type { ProducerOptions } from "../client/producer/options.ts"
import { Producer as PlatformProducer, type ProducerService } from "../client/producer/producer.ts"
import type { Checksum } from "../ports/checksum.ts"
import type { Compression } from "../ports/compression.ts"
import type { Cryptography } from "../ports/cryptography.ts"
import type { Transport } from "../ports/transport.ts"
import { platform } from "./platform.ts"

/**
 * The client library of Comanche Franz: producers, consumers and admins as Effect services, for any cluster that speaks
 * Kafka's protocol. Layers and `make` include the platform, for Bun, Deno or Node.
 *
 *     const program = Effect.gen(function* () {
 *       const producer = yield* Producer
 *       yield* producer.addTopic("orders", { partitions: 6 })
 *       const { partition, offset } = yield* producer.sendMessage("orders", "hello", { key: "customer-7" })
 *       const consumer = yield* Consumer
 *       yield* consumer.joinConsumerGroup("billing")
 *       yield* consumer.subscribe("orders")
 *       for (const message of yield* consumer.poll()) yield* Effect.log(message.text)
 *     })
 *     const leader = "127.0.0.1:9092"
 *     Effect.runPromise(program.pipe(Effect.provide([Producer.layer({ leader }), Consumer.layer({ leader })])))
 */
type MakeError = CallError | InvalidAddress | InvalidArgument
type FromConfig = MakeError | ConfigError.ConfigError
type Wrapped<A> = Config.Config.Wrap<A>

/** Provides the platform until the scope closes. */
const here = <A, E, R>(make: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Transport | Cryptography | Checksum | Compression> | Scope.Scope> =>
  Effect.flatMap(Layer.build(platform), (context) => Effect.provide(make, context))

/** Refuses a codec that the runtime lacks when the producer is made: no message could be sent. */
const possible = (options: ProducerOptions): Effect.Effect<void, InvalidArgument> =>
  Effect.suspend(() =>
    options?.compression === "zstd" && !hasZstd()
      ? new InvalidArgument({
          call: "Producer.make",
          field: "options.compression",
          given: '"zstd"',
          allowed: `none, gzip, snappy, lz4; ${withoutZstd}`
        })
      : Effect.void
  )

/** Sends messages to topics, and creates and deletes topics. */
export class Producer extends PlatformProducer {
  static override readonly make = (options: ProducerOptions): Effect.Effect<ProducerService, MakeError, Scope.Scope> =>
    Effect.zipRight(possible(options), here(PlatformProducer.make(options)))
  static override readonly layer = (options: ProducerOptions): Layer.Layer<PlatformProducer, MakeError> =>
    Layer.unwrapEffect(Effect.as(possible(options), Layer.provide(PlatformProducer.layer(options), platform)))
  /** `Producer.layerConfig({ leader: Config.string("FRANZ_LEADER") })` */
  static override readonly layerConfig = (options: Wrapped<ProducerOptions>): Layer.Layer<PlatformProducer, FromConfig> =>
    Layer.unwrapEffect(Effect.map(Config.unwrap(options), Producer.layer))
}

/** Reads messages, as a member of a group or by partition. */
export class Consumer extends PlatformConsumer {
  static override readonly make = (options: ConsumerOptions): Effect.Effect<ConsumerService, MakeError, Scope.Scope> => here(PlatformConsumer.make(options))
  static override readonly layer = (options: ConsumerOptions): Layer.Layer<PlatformConsumer, MakeError> =>
    Layer.provide(PlatformConsumer.layer(options), platform)
  static override readonly layerConfig = (options: Wrapped<ConsumerOptions>): Layer.Layer<PlatformConsumer, FromConfig> =>
    Layer.provide(PlatformConsumer.layerConfig(options), platform)
}

/** Describes topics, groups and the cluster, and changes them. */
export class Admin extends PlatformAdmin {
  static override readonly make = (options: ConnectionOptions): Effect.Effect<AdminService, MakeError, Scope.Scope> => here(PlatformAdmin.make(options))
  static override readonly layer = (options: ConnectionOptions): Layer.Layer<PlatformAdmin, MakeError> => Layer.provide(PlatformAdmin.layer(options), platform)
  static override readonly layerConfig = (options: Wrapped<ConnectionOptions>): Layer.Layer<PlatformAdmin, FromConfig> =>
    Layer.provide(PlatformAdmin.layerConfig(options), platform)
}

/** The events of a Comanche Franz cluster: everything that its leader decided, in order. */
export const clusterEvents = (
  connection: ConnectionOptions,
  options?: EventsOptions
): Stream.Stream<ConsumedRecord, CallError | InvalidAddress | InvalidArgument | AssignError | PollError> =>
  Stream.provideLayer(platformEvents(connection, options), platform)

/** Says in sentences what is wrong between this machine and a cluster. See `Diagnosis`. */
export const diagnose = (options: ConnectionOptions): Effect.Effect<Diagnosis, InvalidAddress | InvalidArgument> =>
  Effect.provide(platformDiagnose(options), platform)

/**
 * The tags of `Admin`, `Consumer` and `Producer`, as inferred types have them. Without these names a compiler that writes
 * declarations refuses an exported effect that uses one of the three (TS2742, TS2883).
 */
export type { Admin as AdminTag, AdminService } from "../client/admin/admin.ts"
export type { ItemResult, ItemResults } from "../client/admin/batch/items.ts"
export type { OffsetsError } from "../client/cluster/start-offsets.ts"
export type { Consumer as ConsumerTag } from "../client/consumer/consumer.ts"
export { ConsumedRecord } from "../client/consumer/fetch/record.ts"
export type { ConsumerOptions, EventsOptions, JoinOptions, MemberOptions, ReadingOptions, RecordsOptions } from "../client/consumer/options.ts"
export type { OnAssigned } from "../client/consumer/partition-work.ts"
export type { RunOptions, WithoutScope } from "../client/consumer/run/options.ts"
export type { ConsumerService } from "../client/consumer/service.ts"
export { type DeadLetter, deadLetter, originHeaders } from "../client/consumer/typed/dead-letter.ts"
export { decodeRecord } from "../client/consumer/typed/decode.ts"
export type { RetriesOptions, RetryTopicOptions, WorkerOptions } from "../client/consumer/typed/options.ts"
export { records, recordsEither, type TypedRecord, type UndecodableRecord } from "../client/consumer/typed/records.ts"
export { type RetryTopic, retryTopic, withRetries } from "../client/consumer/typed/retry.ts"
export { worker } from "../client/consumer/typed/worker.ts"
export * from "../client/error.ts"
export type { TopicError } from "../client/metadata/metadata.ts"
export { type ProcessTracingOptions, type TracingOptions, tracedProducer, traceProcessing, traceProducer } from "../client/observability/tracing.ts"
export type { ConnectionOptions } from "../client/options.ts"
export type { ProducerOptions } from "../client/producer/options.ts"
export { type Producer as ProducerTag, type ProducerService, send } from "../client/producer/producer.ts"
export type { SaslOptions } from "../client/security/options.ts"
export type { AddTopicError, RemoveTopicError } from "../client/topic/administration.ts"
export * as Topic from "../client/topic/topic.ts"
export type * from "../client/types.ts"
