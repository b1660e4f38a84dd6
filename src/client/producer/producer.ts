import { Config, type ConfigError, Context, Deferred, Effect, Either, Exit, FiberId, Layer, type ParseResult, Runtime, Scope } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import { keepingInterruption } from "../../ports/kept-interruption.ts"
import type { Transport } from "../../ports/transport.ts"
import { guarded } from "../argument/guard.ts"
import { type Client, ClusterClient, makeClient } from "../cluster/client.ts"
import type { CallError, InvalidAddress, InvalidArgument } from "../error.ts"
import { BackgroundFibers } from "../runtime/background-fibers.ts"
import { inScope, reportDefect } from "../runtime/supervision.ts"
import { type AddTopicError, addTopic, type RemoveTopicError, removeTopic, type TopicAdded, type TopicOptions } from "../topic/administration.ts"
import { wrongAddTopic, wrongTopicName } from "../topic/arguments.ts"
import type { Topic } from "../topic/topic.ts"
import { BufferMemory } from "./accumulator/buffer-memory.ts"
import type { DeliveryListener, SendError, Sent } from "./accumulator/delivery.ts"
import { Partitioner } from "./accumulator/partitioner.ts"
import { ProducerConfig } from "./accumulator/settings.ts"
import { wrongBatch, wrongMessages, wrongProducer } from "./arguments.ts"
import { Enqueuer } from "./enqueue.ts"
import { type Message, type MessageOptions, MessagePreparer } from "./message.ts"
import { type ProducerOptions, producerSettings } from "./options.ts"
import { Sender } from "./sender/sender.ts"
import { noteSending, Sending, type Settled, type TypedMessageOptions, type TypedSendError } from "./sending.ts"

/**
 * Sends messages, and creates and deletes topics. Each call fails with InvalidArgument for arguments that it cannot
 * use.
 */
export interface ProducerService {
  /**
   * Creates a topic, and returns when it exists. `partitions` and `replicationFactor` default to the cluster's
   * settings. The leader of a Comanche Franz cluster recognises a retry after a lost response, and gives it the first
   * response. TopicExists where there is one of that name, TopicRefused for options that the cluster refuses.
   */
  readonly addTopic: (topic: string, options?: TopicOptions) => Effect.Effect<TopicAdded, AddTopicError>
  /** Deletes a topic and all its messages. UnknownTopic if there is none. */
  readonly removeTopic: (topic: string) => Effect.Effect<void, RemoveTopicError>
  /**
   * Stores a message, and returns its position when as many replicas have it as `acks` says, at `deliveryTimeoutMs` at
   * the latest. `null` is a tombstone. Messages of concurrent calls share requests. The interruption of a call does not
   * withdraw its message.
   */
  readonly sendMessage: (topic: string, value: string | Uint8Array | null, options?: MessageOptions) => Effect.Effect<Sent, SendError>
  /**
   * As `sendMessage`, for a typed topic. ParseError when the topic's schemas cannot encode the key, the value or the
   * headers. The key of a keyless topic is null; the value null of a topic with tombstones is a tombstone.
   */
  readonly send: <K, V, H>(topic: Topic<K, V, H>, key: K, value: V, options?: TypedMessageOptions<H>) => Effect.Effect<Sent, SendError | ParseResult.ParseError>
  /**
   * As `sendMessage` for many messages, at a sixth of its cost: one fiber serves all of them. Returns when the last is
   * buffered, and waits for free buffer memory. `settled` gets the delivery report of each message with its index,
   * once, during the call or after it; `flush` returns after the last report. A message that cannot be sent fails
   * alone, by its report. A defect of `settled` is logged.
   */
  readonly sendMessages: (
    topic: string,
    messages: ReadonlyArray<Message>,
    settled: (index: number, outcome: Either.Either<Sent, SendError>) => void
  ) => Effect.Effect<void, InvalidArgument>
  /**
   * Stores many messages as `sendMessages` does, and returns the delivery report of each, in their order, when all have
   * one: at `deliveryTimeoutMs` after the last is buffered, at the latest. A message that cannot be sent fails alone.
   */
  readonly sendBatch: (topic: string, messages: ReadonlyArray<Message>) => Effect.Effect<ReadonlyArray<Either.Either<Sent, SendError>>, InvalidArgument>
  /** Returns when every message that was sent before has its delivery report, also those that wait for buffer memory. */
  readonly flush: Effect.Effect<void>
}

export type { MessageHeader, MessageHeaders } from "../topic/headers.ts"
export type { Message, MessageOptions } from "./message.ts"
export type { TypedMessageOptions } from "./sending.ts"

type Ports = Transport | Checksum | Compression
type MakeError = CallError | InvalidAddress | InvalidArgument

const ProducerTag: Context.TagClass<Producer, "comanche-franz/Producer", ProducerService> = Context.Tag("comanche-franz/Producer")<Producer, ProducerService>()
/** Sends messages to topics. See `ProducerOptions` for its settings. */
export class Producer extends ProducerTag {
  /**
   * Makes a producer that closes with the scope: it sends what is buffered first, for `closeTimeoutMs` at most.
   * NotReachable when no node responds.
   */
  static readonly make = (options: ProducerOptions): Effect.Effect<ProducerService, MakeError, Ports | Scope.Scope> => makeProducer(options)
  static readonly layer = (options: ProducerOptions): Layer.Layer<Producer, MakeError, Ports> => Layer.scoped(Producer, makeProducer(options))
  /** Takes the options from Effect's Config: `Producer.layerConfig({ leader: Config.string("FRANZ_LEADER") })`. */
  static readonly layerConfig = (options: Config.Config.Wrap<ProducerOptions>): Layer.Layer<Producer, MakeError | ConfigError.ConfigError, Ports> =>
    Layer.scoped(Producer, Effect.flatMap(Config.unwrap(options), makeProducer))
}

/** Sends one message with the Producer of the context. */
export const send = <K, V, H>(
  topic: Topic<K, V, H>,
  key: K,
  value: V,
  options?: TypedMessageOptions<H>
): Effect.Effect<Sent, SendError | ParseResult.ParseError, Producer> => Effect.flatMap(Producer, (producer) => producer.send(topic, key, value, options))

/**
 * Wraps the caller's function. Its defects must not reach the sender, which delivers the reports of other calls in the
 * same turn.
 */
const unfailing =
  (settled: Settled, report: (defect: unknown) => void): Settled =>
  (index, outcome) => {
    try {
      settled(index, outcome)
    } catch (defect) {
      report(defect)
    }
  }

/** Resumes the fiber of a call with the report of its message. */
class FiberListener<E> {
  constructor(private readonly resume: (report: Effect.Effect<Sent, E>) => void) {}
  stored(_index: number, sent: Sent): void {
    this.resume(Effect.succeed(sent))
  }
  failed(_index: number, error: E): void {
    this.resume(Effect.fail(error))
  }
}

/** Sends one message. The interruption of the fiber withdraws a message that waits. */
const sendOne = <E>(send: (listener: FiberListener<E>) => (() => void) | undefined): Effect.Effect<Sent, E> =>
  Effect.async<Sent, E>((resume) => {
    const withdraw = send(new FiberListener<E>(resume))
    return withdraw === undefined ? undefined : Effect.sync(withdraw)
  })

/** Gives each report to the caller of `sendMessages` or `sendBatch`. */
const manyListener = (settled: Settled): DeliveryListener => ({
  stored: (index, sent) => settled(index, Either.right(sent)),
  failed: (index, error) => settled(index, Either.left(error))
})

/** The list is copied: the reports are counted by it, and the caller may change its own meanwhile. */
const sendBatch = (sending: Sending, topic: string, given: ReadonlyArray<Message>): Effect.Effect<ReadonlyArray<Either.Either<Sent, SendError>>> =>
  Effect.suspend(() => {
    const messages = given.slice()
    if (messages.length === 0) return Effect.succeed([])
    const reports: Array<Either.Either<Sent, SendError>> = []
    const all = Deferred.unsafeMake<ReadonlyArray<Either.Either<Sent, SendError>>>(FiberId.none)
    let left = messages.length
    const settled: Settled = (index, outcome) => {
      reports[index] = outcome
      left -= 1
      if (left === 0) Deferred.unsafeDone(all, Exit.succeed(reports))
    }
    return Effect.andThen(sending.sendMany({ to: { call: "sendBatch", topic, listener: manyListener(settled) }, messages }), Deferred.await(all))
  })

/**
 * Makes the sender and starts its fiber. The producer closes before the fibers of its requests end, and those end before
 * the connections close.
 */
const makeSending = (memory: BufferMemory, partitioner: Partitioner) =>
  Effect.gen(function* () {
    const client = yield* ClusterClient
    const scope = yield* Effect.acquireRelease(Scope.make(), (own, exit) => Scope.close(own, exit))
    const fibers = yield* Layer.buildWithScope(BackgroundFibers.layer, scope)
    const enqueuer = yield* Effect.provide(Enqueuer.make(memory, partitioner), fibers)
    const sender = yield* Effect.provide(Sender.make(memory, partitioner, enqueuer.placed), fibers)
    yield* inScope(sender.run, scope)
    yield* Effect.addFinalizer(() => Effect.zipRight(sender.close(client.options.closeTimeoutMs), enqueuer.close))
    return { enqueuer, sender }
  })

const makeProducer = (options: ProducerOptions): Effect.Effect<ProducerService, MakeError, Ports | Scope.Scope> =>
  guarded(
    "Producer.make",
    () => wrongProducer(options),
    keepingInterruption(
      Effect.suspend(() =>
        Effect.flatMap(makeClient(options), (client) =>
          makeService.pipe(Effect.provideService(ClusterClient, client), Effect.provideService(ProducerConfig, producerSettings(options)))
        )
      )
    )
  )

const makeService = Effect.gen(function* () {
  const client = yield* ClusterClient
  const settings = yield* ProducerConfig
  const runFork = Runtime.runFork(yield* Effect.runtime<never>())
  const memory = new BufferMemory(settings.bufferBytesMax)
  const partitioner = new Partitioner(client.random, settings.partitioner)
  const { enqueuer, sender } = yield* makeSending(memory, partitioner)
  const sending = new Sending(new MessagePreparer(client, settings.messageBytesMax, yield* Effect.clock), enqueuer, sender)
  yield* Effect.addFinalizer(() => Effect.sync(() => sending.close()))
  // Not in the producer's scope: the last reports come while that closes.
  const reportSettled = (defect: unknown) => runFork(reportDefect("caller's `settled` of sendMessages", defect))
  const service = serviceOf(client, sending, sender.flush, reportSettled)
  noteSending(service, sending)
  return service
})

/** The producer's calls with the checks of their arguments. `sendMessage` and `send` check their own. */
const serviceOf = (client: Client, sending: Sending, flush: Effect.Effect<void>, reportSettled: (defect: unknown) => void): ProducerService => ({
  addTopic: (topic, options) => guarded("addTopic", () => wrongAddTopic(topic, options), addTopic(client, topic, options)),
  removeTopic: (topic) => guarded("removeTopic", () => wrongTopicName(topic), removeTopic(client, topic)),
  sendMessage: (topic, value, options) => sendOne<SendError>((listener) => sending.sendMessage(topic, value, options, listener)),
  sendMessages: (topic, messages, settled) =>
    guarded(
      "sendMessages",
      () => wrongMessages(topic, messages, settled),
      Effect.suspend(() => {
        const listener = manyListener(unfailing(settled, reportSettled))
        return sending.sendMany({ to: { call: "sendMessages", topic, listener }, messages })
      })
    ),
  sendBatch: (topic, messages) => guarded("sendBatch", () => wrongBatch(topic, messages), sendBatch(sending, topic, messages)),
  send: (topic, key, value, options) => sendOne<TypedSendError>((listener) => sending.send(topic, key, value, options, listener)),
  flush
})
