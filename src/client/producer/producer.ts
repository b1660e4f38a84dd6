import { Config, type ConfigError, Context, Effect, Layer, type ParseResult, Runtime, Scope } from "effect"
import type { RecordToWrite } from "../../../domain/log/record.ts"
import { Checksum } from "../../ports/checksum.ts"
import { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { type AddTopicError, addTopic, type RemoveTopicError, removeTopic, type TopicAdded, type TopicOptions } from "../admin/topics.ts"
import { inScope } from "../background.ts"
import { type Client, makeClient } from "../client.ts"
import { type CallError, Closed, type InvalidAddress, MessageTooLarge, UnknownPartition } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { TopicView } from "../metadata/view.ts"
import type { Topic } from "../topic.ts"
import { ByteBudget } from "./byte-budget.ts"
import { type ProducerOptions, sendingOf } from "./options.ts"
import { Partitioner } from "./partitioner.ts"
import { Sender } from "./sender.ts"
import type { SendError, Sent } from "./types.ts"

/** What a message is made of besides its value. Text is written as UTF-8. */
export interface MessageOptions {
  /** Messages of one key go to one partition, and keep their order there. */
  readonly key?: string | Uint8Array | null
  /** Overrides the choice by key. */
  readonly partition?: number
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>>
  /** ms since 1970; default now. */
  readonly timestamp?: number
}

export interface ProducerService {
  /**
   * Makes a topic; `partitions` and `replicationFactor` default to the cluster's settings. It is there when this returns. A repetition after a lost answer is recognised by
   * the leader of a Comanche Franz cluster, and gets the first answer.
   */
  readonly addTopic: (topic: string, options?: TopicOptions) => Effect.Effect<TopicAdded, AddTopicError>
  /** Removes a topic and all its messages. UnknownTopic if there is none. */
  readonly removeTopic: (topic: string) => Effect.Effect<void, RemoveTopicError>
  /**
   * Stores a message; returns where it is, when as many replicas have it as `acks` says. `null` is a tombstone. Messages of concurrent calls travel together. An interrupted
   * call does not take its message back.
   */
  readonly sendMessage: (topic: string, value: string | Uint8Array | null, options?: MessageOptions) => Effect.Effect<Sent, SendError>
  /** As `sendMessage`, for a topic with types. ParseError when key or value are not what its schemas say. */
  readonly send: <K, V>(topic: Topic<K, V>, key: K, value: V, options?: Omit<MessageOptions, "key">) => Effect.Effect<Sent, SendError | ParseResult.ParseError>
  /** Returns when everything that was sent before has its answer. */
  readonly flush: Effect.Effect<void>
}

/** Sends messages to topics. See `ProducerOptions` for what can be chosen. */
export class Producer extends Context.Tag("comanche-franz/Producer")<Producer, ProducerService>() {
  /** A producer that closes with the scope: what waits is sent first, for `closeTimeoutMs` at most. NotReachable when no node answers. */
  static readonly make = (options: ProducerOptions) => makeProducer(options)
  static readonly layer = (options: ProducerOptions): Layer.Layer<Producer, CallError | InvalidAddress, Transport | Checksum | Compression> =>
    Layer.scoped(Producer, makeProducer(options))
  /** The options from Effect's Config: `Producer.layerConfig({ leader: Config.string("FRANZ_LEADER") })`. */
  static readonly layerConfig = (
    options: Config.Config.Wrap<ProducerOptions>
  ): Layer.Layer<Producer, CallError | InvalidAddress | ConfigError.ConfigError, Transport | Checksum | Compression> =>
    Layer.scoped(Producer, Effect.flatMap(Config.unwrap(options), makeProducer))
}

/** Sends one message with the Producer of the context. */
export const send = <K, V>(topic: Topic<K, V>, key: K, value: V): Effect.Effect<Sent, SendError | ParseResult.ParseError, Producer> =>
  Effect.flatMap(Producer, (producer) => producer.send(topic, key, value))

const utf8 = new TextEncoder()
const bytesOf = (value: string | Uint8Array | null): Uint8Array | null => (typeof value === "string" ? utf8.encode(value) : value)
/** What a record takes besides its key, value and headers, at most: lengths, deltas, attributes. */
const recordOverhead = 30

const recordOf = (value: string | Uint8Array | null, options: MessageOptions, now: number): RecordToWrite => ({
  timestamp: options.timestamp ?? now,
  key: bytesOf(options.key ?? null),
  value: bytesOf(value),
  ...(options.headers === undefined ? {} : { headers: Object.entries(options.headers).map(([key, header]) => ({ key, value: bytesOf(header) })) })
})
const sizeOf = ({ headers = [], key, value }: RecordToWrite): number => {
  let size = recordOverhead + (key?.length ?? 0) + (value?.length ?? 0)
  // A header's key may take three bytes a character.
  for (const header of headers) size += 10 + header.key.length * 3 + (header.value?.length ?? 0)
  return size
}

const makeSender = (client: Client, options: ProducerOptions, budget: ByteBudget, partitioner: Partitioner) =>
  Effect.gen(function* () {
    const compression = yield* Compression
    const checksum = yield* Checksum
    const clock = yield* Effect.clock
    const runtime = yield* Effect.runtime<never>()
    // Requests live in a scope that ends after the last flush, and before the connections.
    const work = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
    const sender = new Sender({
      client,
      sending: sendingOf(options),
      encoding: { crc32c: checksum.crc32c, compress: compression.compress },
      clock,
      fork: (effect) => void Runtime.runFork(runtime, Effect.interruptible(effect), { scope: work }),
      release: (bytes) => budget.give(bytes),
      onBatchClosed: (topic, partition) => partitioner.moveOn(topic, partition)
    })
    yield* inScope(sender.run, work)
    yield* Effect.addFinalizer(() => sender.close(client.options.closeTimeoutMs))
    return sender
  })

const makeProducer = (options: ProducerOptions): Effect.Effect<ProducerService, CallError | InvalidAddress, Transport | Checksum | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const client = yield* makeClient(options)
    const sending = sendingOf(options)
    const clock = yield* Effect.clock
    const budget = new ByteBudget(sending.bufferBytesMax, sending.bufferTimeoutMs)
    const partitioner = new Partitioner(client.dice)
    const sender = yield* makeSender(client, options, budget, partitioner)
    let closed = false
    yield* Effect.addFinalizer(() => Effect.sync(() => (closed = true)))

    const submit = (topic: string, partition: number, record: RecordToWrite, sizeBytes: number): Effect.Effect<Sent, SendError> =>
      Effect.async((resume) => sender.submit(topic, partition, { record, sizeBytes, resume }))

    /** The partition that was asked for may be a new one: the topic is looked at once more before it is refused. */
    const partitionOf = (view: TopicView, record: RecordToWrite, wanted: number | undefined): Effect.Effect<number, TopicError | UnknownPartition> => {
      if (wanted === undefined) return Effect.sync(() => partitioner.choose(view, record.key))
      const partitions = view.partitions.length
      if (wanted >= 0 && wanted < partitions) return Effect.succeed(wanted)
      const refuse = (known: TopicView) =>
        wanted >= 0 && wanted < known.partitions.length
          ? Effect.succeed(wanted)
          : Effect.fail(new UnknownPartition({ topic: view.name, partition: wanted, partitions: known.partitions.length }))
      return Effect.flatMap(client.metadata.freshTopic(view.name), refuse)
    }

    const sendMessage: ProducerService["sendMessage"] = (topic, value, message = {}) =>
      Effect.suspend((): Effect.Effect<Sent, SendError> => {
        if (closed) return Effect.fail(new Closed({ what: "producer" }))
        const now = clock.unsafeCurrentTimeMillis()
        const record = recordOf(value, message, now)
        const sizeBytes = sizeOf(record)
        if (sizeBytes > sending.messageBytesMax) return Effect.fail(new MessageTooLarge({ topic, sizeBytes, limitBytes: sending.messageBytesMax }))
        const known = client.metadata.view().topics.get(topic)
        // The path of nearly every message: nothing to wait for but the answer.
        if (known !== undefined && message.partition === undefined && now - known.at < client.options.metadataMaxAgeMs && budget.tryTake(sizeBytes))
          return submit(topic, partitioner.choose(known, record.key), record, sizeBytes)
        return Effect.gen(function* () {
          const view = yield* client.metadata.topic(topic, sending.createTopics)
          const partition = yield* partitionOf(view, record, message.partition)
          yield* budget.take(sizeBytes)
          return yield* submit(topic, partition, record, sizeBytes)
        })
      })

    return {
      addTopic: (topic, topicOptions) => addTopic(client, topic, topicOptions),
      removeTopic: (topic) => removeTopic(client, topic),
      sendMessage,
      send: (topic, key, value, message) =>
        Effect.flatMap(Effect.all([topic.encodeKey(key), topic.encodeValue(value)]), ([keyText, valueText]) =>
          sendMessage(topic.name, valueText, { ...message, key: keyText })
        ),
      flush: sender.flush
    }
  })
