import { Config, type ConfigError, Context, Deferred, Effect, Either, Exit, FiberId, Layer, type ParseResult, Runtime, Scope } from "effect"
import type { Checksum } from "../../ports/checksum.ts"
import type { Compression } from "../../ports/compression.ts"
import type { Transport } from "../../ports/transport.ts"
import { optional, plainObject } from "../argument/check.ts"
import { guarded, unreadable } from "../argument/guard.ts"
import { type Client, ClusterClient, makeClient } from "../cluster/client.ts"
import { type CallError, Closed, type InvalidAddress, type InvalidArgument } from "../error.ts"
import { BackgroundFibers } from "../runtime/background-fibers.ts"
import { inScope, reportDefect } from "../runtime/supervision.ts"
import { type AddTopicError, addTopic, type RemoveTopicError, removeTopic, type TopicAdded, type TopicOptions } from "../topic/administration.ts"
import { wrongAddTopic, wrongTopic, wrongTopicName } from "../topic/arguments.ts"
import type { MessageHeaders } from "../topic/headers.ts"
import type { HeadersToSend, Topic } from "../topic/topic.ts"
import type { PendingRecord } from "./accumulator/batch.ts"
import { BufferMemory } from "./accumulator/buffer-memory.ts"
import type { SendError, Sent } from "./accumulator/delivery.ts"
import { Partitioner } from "./accumulator/partitioner.ts"
import { ProducerConfig } from "./accumulator/settings.ts"
import { wrongBatch, wrongMessages, wrongProducer } from "./arguments.ts"
import { Enqueuer } from "./enqueue.ts"
import { type Message, type MessageOptions, MessagePreparer, type PreparedMessage } from "./message.ts"
import { type ProducerOptions, producerSettings } from "./options.ts"
import { Sender } from "./sender/sender.ts"

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
  readonly sendMessages: (topic: string, messages: ReadonlyArray<Message>, settled: Settled) => Effect.Effect<void, InvalidArgument>
  /**
   * Stores many messages as `sendMessages` does, and returns the delivery report of each, in their order, when all have
   * one: at `deliveryTimeoutMs` after the last is buffered, at the latest. A message that cannot be sent fails alone.
   */
  readonly sendBatch: (topic: string, messages: ReadonlyArray<Message>) => Effect.Effect<ReadonlyArray<Either.Either<Sent, SendError>>, InvalidArgument>
  /** Returns when every message that was sent before has its delivery report, also those that wait for buffer memory. */
  readonly flush: Effect.Effect<void>
}

/** The parts of a message of a typed topic besides its key and value. Headers have the topic's type. */
export interface TypedMessageOptions<H> extends Omit<MessageOptions, "headers" | "key"> {
  readonly headers?: HeadersToSend<H>
}

/** Gets the delivery report of the message at `index`. */
type Settled = (index: number, outcome: Either.Either<Sent, SendError>) => void

export type { MessageHeader, MessageHeaders } from "../topic/headers.ts"
export type { Message, MessageOptions } from "./message.ts"

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

/** Encodes key, value and headers. A schema whose own function throws fails this call alone. */
const encoded = <K, V, H, A, E, R>(
  topic: Topic<K, V, H>,
  key: K,
  value: V,
  options: TypedMessageOptions<H> | undefined,
  use: (value: string | null, options: MessageOptions) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | ParseResult.ParseError | InvalidArgument, R> => {
  try {
    // Without a schema the headers are sent as they are.
    const given = options?.headers as MessageHeaders | undefined
    const headers = topic.encodeHeaders === undefined ? Either.right(given) : topic.encodeHeaders((given ?? {}) as H)
    return Effect.flatMap(Either.all([topic.encodeKey(key), topic.encodeValue(value), headers]), ([keyText, valueText, sent]) =>
      use(valueText, { ...(options as MessageOptions | undefined), key: keyText, ...(sent === undefined ? {} : { headers: sent }) })
    )
  } catch (cause) {
    return Effect.fail(unreadable("send", cause))
  }
}

/** Messages of one `sendMessages` between two yields to other fibers. */
const messagesPerTurn = 1024
/**
 * What the calls that send have in common. Plain references: `sendMessage` and `sendMessages` run for every message
 * (see Enqueuer).
 */
interface Sending {
  readonly preparer: MessagePreparer
  readonly enqueuer: Enqueuer
  readonly sender: Sender
  readonly isClosed: () => boolean
  /** Logs a defect of the caller's `settled`. */
  readonly reportSettled: (defect: unknown) => void
}

const closed = () => Either.left(new Closed({ what: "producer" }))

/**
 * Sends one message. Plain code: no fiber is started where the message need not wait. `resume` gets its report, once.
 * Returns how the caller withdraws a message that waits; undefined where it does not wait.
 */
const sendNow = (
  { enqueuer, isClosed, sender }: Sending,
  prepared: Either.Either<PreparedMessage, SendError>,
  resume: PendingRecord["resume"]
): (() => void) | undefined => {
  if (Either.isLeft(prepared)) return void resume(Either.left(prepared.left))
  if (isClosed()) return void resume(closed())
  const { record, sizeBytes, topic } = prepared.right
  const partition = enqueuer.placeNow(prepared.right)
  if (typeof partition === "number") return void sender.submit(topic, partition, { record, sizeBytes, resume })
  if (partition !== undefined) return void resume(Either.left(partition))
  const submit = (chosen: number, since: number) => sender.submit(topic, chosen, { record, sizeBytes, resume }, since)
  return enqueuer.place(prepared.right, submit, (error) => resume(Either.left(error)))
}

const sendMessage =
  (sending: Sending): ProducerService["sendMessage"] =>
  (topic, value, options = {}) =>
    Effect.async((resume) => {
      const withdraw = sendNow(sending, sending.preparer.prepare("sendMessage", topic, value, options), resume)
      return withdraw === undefined ? undefined : Effect.sync(withdraw)
    })

interface ManyMessages {
  /** The caller's method, for errors. */
  readonly call: "sendMessages" | "sendBatch"
  readonly topic: string
  readonly messages: ReadonlyArray<Message>
  readonly settled: Settled
}
const sendMany = ({ enqueuer, isClosed, preparer, sender }: Sending, { call, messages, settled, topic }: ManyMessages): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let index = 0; index < messages.length; index++) {
      // The messages before it should be in flight while this one is prepared.
      if (index % messagesPerTurn === messagesPerTurn - 1) yield* Effect.yieldNow()
      const valid = preparer.prepareMessage(call, topic, messages[index] as Message)
      const prepared: Either.Either<PreparedMessage, SendError> = isClosed() && Either.isRight(valid) ? closed() : valid
      if (Either.isLeft(prepared)) {
        settled(index, Either.left(prepared.left))
        continue
      }
      const { record, sizeBytes } = prepared.right
      const resume = (report: Either.Either<Sent, SendError>) => settled(index, report)
      const partition = enqueuer.placeNow(prepared.right)
      if (typeof partition === "number") sender.submit(topic, partition, { record, sizeBytes, resume })
      else if (partition !== undefined) settled(index, Either.left(partition))
      else yield* placed(enqueuer, prepared.right, (chosen, since) => sender.submit(topic, chosen, { record, sizeBytes, resume }, since), resume)
    }
  })
/** Returns when the message waits no longer. */
const placed = (enqueuer: Enqueuer, message: PreparedMessage, submit: (partition: number, since: number) => void, resume: PendingRecord["resume"]) =>
  Effect.async<void>((done) => {
    const handOver = (partition: number, since: number) => {
      submit(partition, since)
      done(Effect.void)
    }
    const refuse = (error: SendError) => {
      resume(Either.left(error))
      done(Effect.void)
    }
    return Effect.sync(enqueuer.place(message, handOver, refuse))
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
    return Effect.andThen(sendMany(sending, { call: "sendBatch", topic, messages, settled }), Deferred.await(all))
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
    Effect.suspend(() =>
      Effect.flatMap(makeClient(options), (client) =>
        makeService.pipe(Effect.provideService(ClusterClient, client), Effect.provideService(ProducerConfig, producerSettings(options)))
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
  let isClosed = false
  yield* Effect.addFinalizer(() => Effect.sync(() => (isClosed = true)))
  const sending: Sending = {
    preparer: new MessagePreparer(client, settings.messageBytesMax, yield* Effect.clock),
    enqueuer,
    sender,
    isClosed: () => isClosed,
    // Not in the producer's scope: the last reports come while that closes.
    reportSettled: (defect) => runFork(reportDefect("caller's `settled` of sendMessages", defect))
  }
  return serviceOf(client, sending)
})

/** The producer's calls with the checks of their arguments. `sendMessage` checks its own. */
const serviceOf = (client: Client, sending: Sending): ProducerService => {
  const sendOne = sendMessage(sending)
  return {
    addTopic: (topic, options) => guarded("addTopic", () => wrongAddTopic(topic, options), addTopic(client, topic, options)),
    removeTopic: (topic) => guarded("removeTopic", () => wrongTopicName(topic), removeTopic(client, topic)),
    sendMessage: sendOne,
    sendMessages: (topic, messages, settled) =>
      guarded(
        "sendMessages",
        () => wrongMessages(topic, messages, settled),
        Effect.suspend(() => sendMany(sending, { call: "sendMessages", topic, messages, settled: unfailing(settled, sending.reportSettled) }))
      ),
    sendBatch: (topic, messages) => guarded("sendBatch", () => wrongBatch(topic, messages), sendBatch(sending, topic, messages)),
    send: (topic, key, value, options) => {
      const send = Effect.suspend(() => encoded(topic, key, value, options, (text, all) => sendOne(topic.name, text, all)))
      return guarded("send", () => wrongTopic(topic) ?? optional(plainObject)(options, "options"), send)
    },
    flush: sending.sender.flush
  }
}
