import { Config, type ConfigError, Context, Deferred, Effect, Either, Exit, FiberId, Layer, type ParseResult, Runtime, Scope } from "effect"
import type { RecordToWrite } from "../../../domain/log/record.ts"
import { Checksum } from "../../ports/checksum.ts"
import { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { type AddTopicError, addTopic, type RemoveTopicError, removeTopic, type TopicAdded, type TopicOptions } from "../admin/topics.ts"
import { inScope } from "../background.ts"
import { type Client, makeClient } from "../client.ts"
import type { CallError, InvalidAddress } from "../error.ts"
import type { Topic } from "../topic.ts"
import { ByteBudget } from "./byte-budget.ts"
import { type ProducerOptions, sendingOf } from "./options.ts"
import { Partitioner } from "./partitioner.ts"
import { type Message, type MessageOptions, placing } from "./placing.ts"
import { Sender } from "./sender.ts"
import type { SendError, Sent } from "./types.ts"

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
  /**
   * As `sendMessage` for many, at a tenth of its cost: one fiber for all of them. Returns when the last is taken over, which waits for room in the buffer. `settled` is told what
   * became of each by its index, once, during the call or after it; `flush` returns when the last was told. It must not throw.
   */
  readonly sendMessages: (
    topic: string,
    messages: ReadonlyArray<Message>,
    settled: (index: number, outcome: Either.Either<Sent, SendError>) => void
  ) => Effect.Effect<void>
  /** Returns when everything that was sent before has its answer. */
  readonly flush: Effect.Effect<void>
}

export type { Message, MessageOptions }

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

/** Messages of one `sendMessages` between two looks at what else there is to do. */
const turn = 1024
/** The outcome of a settled message, which is a value already. */
const eitherOf = (outcome: Effect.Effect<Sent, SendError>): Either.Either<Sent, SendError> => {
  const exit = Effect.runSyncExit(outcome)
  return Exit.isSuccess(exit) ? Either.right(exit.value) : Effect.runSync(Effect.either(outcome))
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

    const { place, placeNow, prepare } = placing({ client, sending, clock, budget, partitioner, isClosed: () => closed })

    const sendMessage: ProducerService["sendMessage"] = (topic, value, message = {}) =>
      Effect.suspend((): Effect.Effect<Sent, SendError> => {
        const prepared = prepare(topic, value, message)
        if (Either.isLeft(prepared)) return Effect.fail(prepared.left)
        const { record, sizeBytes } = prepared.right
        const partition = placeNow(prepared.right)
        if (partition !== undefined) return submit(topic, partition, record, sizeBytes)
        const outcome = Deferred.unsafeMake<Sent, SendError>(FiberId.none)
        const resume = (settled: Effect.Effect<Sent, SendError>) => Deferred.unsafeDone(outcome, settled)
        const placed = place(prepared.right, (found) => sender.submit(topic, found, { record, sizeBytes, resume }))
        return Effect.andThen(placed, Deferred.await(outcome))
      })

    const sendMessages: ProducerService["sendMessages"] = (topic, messages, settled) =>
      Effect.gen(function* () {
        for (const [index, message] of messages.entries()) {
          // The messages before it should be on their way while this one is prepared.
          if (index % turn === turn - 1) yield* Effect.yieldNow()
          const prepared = prepare(topic, message.value, message)
          if (Either.isLeft(prepared)) {
            settled(index, Either.left(prepared.left))
            continue
          }
          const { record, sizeBytes } = prepared.right
          const take = (partition: number) => sender.submit(topic, partition, { record, sizeBytes, resume: (outcome) => settled(index, eitherOf(outcome)) })
          const at = placeNow(prepared.right)
          if (at !== undefined) take(at)
          else yield* Effect.catchAll(place(prepared.right, take), (error) => Effect.sync(() => settled(index, Either.left(error))))
        }
      })

    return {
      addTopic: (topic, topicOptions) => addTopic(client, topic, topicOptions),
      removeTopic: (topic) => removeTopic(client, topic),
      sendMessage,
      sendMessages,
      send: (topic, key, value, message) =>
        Effect.flatMap(Effect.all([topic.encodeKey(key), topic.encodeValue(value)]), ([keyText, valueText]) =>
          sendMessage(topic.name, valueText, { ...message, key: keyText })
        ),
      flush: sender.flush
    }
  })
