import { Config, type ConfigError, Context, Deferred, Effect, Either, Exit, FiberId, Layer, type ParseResult, Runtime, Scope } from "effect"
import type { RecordToWrite } from "../../../domain/log/record.ts"
import { Checksum } from "../../ports/checksum.ts"
import { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { optional, plainObject } from "../argument/check.ts"
import { guarded, unreadable } from "../argument/guard.ts"
import { type Client, makeClient } from "../cluster/client.ts"
import type { CallError, InvalidAddress, InvalidArgument } from "../error.ts"
import { inScope, reportDefect } from "../runtime/supervision.ts"
import { type AddTopicError, addTopic, type RemoveTopicError, removeTopic, type TopicAdded, type TopicOptions } from "../topic/administration.ts"
import { wrongAddTopic, wrongTopic, wrongTopicName } from "../topic/arguments.ts"
import type { Topic } from "../topic/topic.ts"
import { ByteBudget } from "./accumulator/buffer-memory.ts"
import type { SendError, Sent } from "./accumulator/delivery.ts"
import { Partitioner } from "./accumulator/partitioner.ts"
import { wrongMessages, wrongProducer } from "./arguments.ts"
import { type Message, type MessageOptions, placing, preparing } from "./enqueue.ts"
import { type ProducerOptions, sendingOf } from "./options.ts"
import { Sender } from "./sender/sender.ts"

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
   * became of each by its index, once, during the call or after it; `flush` returns when the last was told. A message that cannot be sent fails alone, there too; a defect of `settled`
   * is logged.
   */
  readonly sendMessages: (topic: string, messages: ReadonlyArray<Message>, settled: Settled) => Effect.Effect<void, InvalidArgument>
  /** Returns when everything that was sent before has its answer. */
  readonly flush: Effect.Effect<void>
}

/** Is told what became of the message at `index`. */
type Settled = (index: number, outcome: Either.Either<Sent, SendError>) => void

export type { Message, MessageHeader, MessageHeaders, MessageOptions } from "./enqueue.ts"

/** Sends messages to topics. See `ProducerOptions` for what can be chosen. */
export class Producer extends Context.Tag("comanche-franz/Producer")<Producer, ProducerService>() {
  /** A producer that closes with the scope: what waits is sent first, for `closeTimeoutMs` at most. NotReachable when no node answers. */
  static readonly make = (options: ProducerOptions) => makeProducer(options)
  static readonly layer = (options: ProducerOptions): Layer.Layer<Producer, MakeError, Transport | Checksum | Compression> =>
    Layer.scoped(Producer, makeProducer(options))
  /** The options from Effect's Config: `Producer.layerConfig({ leader: Config.string("FRANZ_LEADER") })`. */
  static readonly layerConfig = (
    options: Config.Config.Wrap<ProducerOptions>
  ): Layer.Layer<Producer, MakeError | ConfigError.ConfigError, Transport | Checksum | Compression> =>
    Layer.scoped(Producer, Effect.flatMap(Config.unwrap(options), makeProducer))
}

/** Sends one message with the Producer of the context. */
export const send = <K, V>(topic: Topic<K, V>, key: K, value: V): Effect.Effect<Sent, SendError | ParseResult.ParseError, Producer> =>
  Effect.flatMap(Producer, (producer) => producer.send(topic, key, value))

/** The caller's function, whose defects must not reach the sender: it settles other calls in the same turn. */
const unfailing =
  (settled: Settled, report: (defect: unknown) => void): Settled =>
  (index, outcome) => {
    try {
      settled(index, outcome)
    } catch (defect) {
      report(defect)
    }
  }

/** Encodes key and value. A schema whose own function throws fails this call alone. */
const encoded = <K, V, A, E, R>(
  topic: Topic<K, V>,
  key: K,
  value: V,
  then: (key: string, value: string) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | ParseResult.ParseError | InvalidArgument, R> => {
  try {
    return Effect.flatMap(Either.all([topic.encodeKey(key), topic.encodeValue(value)]), ([keyText, valueText]) => then(keyText, valueText))
  } catch (cause) {
    return Effect.fail(unreadable("send", cause))
  }
}

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

type MakeError = CallError | InvalidAddress | InvalidArgument

const makeProducer = (options: ProducerOptions): Effect.Effect<ProducerService, MakeError, Transport | Checksum | Compression | Scope.Scope> =>
  guarded("Producer.make", () => wrongProducer(options), start(options))

const start = (options: ProducerOptions): Effect.Effect<ProducerService, MakeError, Transport | Checksum | Compression | Scope.Scope> =>
  Effect.gen(function* () {
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
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

    const parts = { client, sending, clock, budget, partitioner, isClosed: () => closed }
    const { prepare, prepareOne } = preparing(parts)
    const { place, placeNow } = placing(parts)

    const sendMessage: ProducerService["sendMessage"] = (topic, value, message = {}) =>
      Effect.suspend((): Effect.Effect<Sent, SendError> => {
        const prepared = prepare("sendMessage", topic, value, message)
        if (Either.isLeft(prepared)) return Effect.fail(prepared.left)
        const { record, sizeBytes } = prepared.right
        const partition = placeNow(prepared.right)
        if (partition !== undefined) return submit(topic, partition, record, sizeBytes)
        const outcome = Deferred.unsafeMake<Sent, SendError>(FiberId.none)
        const resume = (settled: Effect.Effect<Sent, SendError>) => Deferred.unsafeDone(outcome, settled)
        const placed = place(prepared.right, (found, since) => sender.submit(topic, found, { record, sizeBytes, resume }, since))
        return Effect.andThen(placed, Deferred.await(outcome))
      })

    const sendAll = (topic: string, messages: ReadonlyArray<Message>, told: Settled): Effect.Effect<void> =>
      Effect.gen(function* () {
        const settled = unfailing(told, (defect) => runFork(reportDefect("caller's `settled` of sendMessages", defect)))
        for (const [index, message] of messages.entries()) {
          // The messages before it should be on their way while this one is prepared.
          if (index % turn === turn - 1) yield* Effect.yieldNow()
          const prepared = prepareOne("sendMessages", topic, message)
          if (Either.isLeft(prepared)) {
            settled(index, Either.left(prepared.left))
            continue
          }
          const { record, sizeBytes } = prepared.right
          const resume = (outcome: Effect.Effect<Sent, SendError>) => settled(index, eitherOf(outcome))
          const take = (partition: number, since?: number) => sender.submit(topic, partition, { record, sizeBytes, resume }, since)
          const at = placeNow(prepared.right)
          if (at !== undefined) take(at)
          else yield* Effect.catchAll(place(prepared.right, take), (error) => Effect.sync(() => settled(index, Either.left(error))))
        }
      })

    return serviceOf(client, sendMessage, sendAll, sender.flush)
  })

/** The producer behind its door: the arguments of each call are checked, for that call alone. `sendMessage` checks its own. */
const serviceOf = (
  client: Client,
  sendMessage: ProducerService["sendMessage"],
  sendAll: ProducerService["sendMessages"],
  flush: ProducerService["flush"]
): ProducerService => ({
  addTopic: (topic, options) => guarded("addTopic", () => wrongAddTopic(topic, options), addTopic(client, topic, options)),
  removeTopic: (topic) => guarded("removeTopic", () => wrongTopicName(topic), removeTopic(client, topic)),
  sendMessage,
  sendMessages: (topic, messages, settled) => guarded("sendMessages", () => wrongMessages(topic, messages, settled), sendAll(topic, messages, settled)),
  send: (topic, key, value, message) => {
    const send = Effect.suspend(() => encoded(topic, key, value, (keyText, valueText) => sendMessage(topic.name, valueText, { ...message, key: keyText })))
    return guarded("send", () => wrongTopic(topic) ?? optional(plainObject)(message, "options"), send)
  },
  flush
})
