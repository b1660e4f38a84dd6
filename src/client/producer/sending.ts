import { Effect, Either, type ParseResult } from "effect"
import { optional, plainObject } from "../argument/check.ts"
import { faultOf, unreadable } from "../argument/guard.ts"
import { Closed, type InvalidArgument } from "../error.ts"
import { wrongTopic } from "../topic/arguments.ts"
import type { MessageHeaders } from "../topic/headers.ts"
import type { HeadersToSend, Topic } from "../topic/topic.ts"
import type { DeliveryListener, SendError, Sent } from "./accumulator/delivery.ts"
import type { Enqueuer } from "./enqueue.ts"
import { type Destination, isPrepared, type Message, type MessageOptions, type MessagePreparer } from "./message.ts"
import type { Sender } from "./sender/sender.ts"

/** The parts of a message of a typed topic besides its key and value. Headers have the topic's type. */
export interface TypedMessageOptions<H> extends Omit<MessageOptions, "headers" | "key"> {
  readonly headers?: HeadersToSend<H>
}

/** Gets the delivery report of the message at `index`. */
export type Settled = (index: number, outcome: Either.Either<Sent, SendError>) => void

/** Why a message of a typed topic was not stored. */
export type TypedSendError = SendError | ParseResult.ParseError

/** Gets the report of the one message of a call. */
interface SingleListener extends DeliveryListener {
  readonly failed: (index: number, error: TypedSendError) => void
}

/** Withdraws a message that still waits. */
type Withdraw = () => void

interface TypedMessage {
  readonly value: string | null
  readonly options: MessageOptions
}
/** Encodes key, value and headers. A schema whose own function throws fails this call alone. */
const encoded = <K, V, H>(
  topic: Topic<K, V, H>,
  key: K,
  value: V,
  options: TypedMessageOptions<H> | undefined
): Either.Either<TypedMessage, ParseResult.ParseError | InvalidArgument> => {
  try {
    const keyText = topic.encodeKey(key)
    if (Either.isLeft(keyText)) return Either.left(keyText.left)
    const valueText = topic.encodeValue(value)
    if (Either.isLeft(valueText)) return Either.left(valueText.left)
    // Without a schema the headers are sent as they are.
    const given = options?.headers as MessageHeaders | undefined
    const headers = topic.encodeHeaders === undefined ? Either.right(given) : topic.encodeHeaders((given ?? {}) as H)
    if (Either.isLeft(headers)) return Either.left(headers.left)
    const sent = headers.right === undefined ? {} : { headers: headers.right }
    return Either.right({ value: valueText.right, options: { ...(options as MessageOptions | undefined), key: keyText.right, ...sent } })
  } catch (cause) {
    return Either.left(unreadable("send", cause))
  }
}

const noOptions: MessageOptions = {}
/** Messages of one call between two yields to other fibers. */
const messagesPerTurn = 1024

/** Many messages, and where they go. */
interface ManyMessages {
  readonly to: Destination
  readonly messages: ReadonlyArray<Message>
}

/**
 * Sends messages as plain code: no fiber is started where a message need not wait. Its parts are plain references, since
 * it runs for every message (see Enqueuer).
 */
export class Sending {
  private isClosed = false

  constructor(
    private readonly preparer: MessagePreparer,
    private readonly enqueuer: Enqueuer,
    private readonly sender: Sender
  ) {}

  /** Takes no more messages. */
  close(): void {
    this.isClosed = true
  }

  /**
   * Sends one message. The listener gets its report, once. Returns how the caller withdraws a message that waits;
   * undefined where it does not wait.
   */
  sendMessage(topic: string, value: Message["value"], options: MessageOptions | undefined, listener: DeliveryListener): Withdraw | undefined {
    return this.sendOne({ call: "sendMessage", topic, listener }, value, options === undefined ? noOptions : options)
  }
  /** As `sendMessage`, for a typed topic. */
  send<K, V, H>(topic: Topic<K, V, H>, key: K, value: V, options: TypedMessageOptions<H> | undefined, listener: SingleListener): Withdraw | undefined {
    const fault = faultOf("send", () => wrongTopic(topic) ?? optional(plainObject)(options, "options"))
    if (fault !== undefined) return void listener.failed(0, fault)
    const message = encoded(topic, key, value, options)
    if (Either.isLeft(message)) return void listener.failed(0, message.left)
    return this.sendOne({ call: "send", topic: topic.name, listener }, message.right.value, message.right.options)
  }
  private sendOne(to: Destination, value: Message["value"], options: MessageOptions): Withdraw | undefined {
    const { listener, topic } = to
    const prepared = this.preparer.prepare(to, value, options)
    if (!isPrepared(prepared)) return void listener.failed(0, prepared)
    if (this.isClosed) return void listener.failed(0, new Closed({ what: "producer" }))
    const partition = this.enqueuer.placeNow(prepared)
    if (typeof partition === "number") return void this.sender.submit(topic, partition, prepared)
    if (partition !== undefined) return void listener.failed(0, partition)
    return this.enqueuer.place(
      prepared,
      (chosen, since) => this.sender.submit(topic, chosen, prepared, since),
      (error) => listener.failed(0, error)
    )
  }

  /** Sends many messages. Returns when the last is buffered; each has its report then or later. */
  sendMany(many: ManyMessages): Effect.Effect<void> {
    return Effect.suspend(() => this.sendFrom(many, 0))
  }
  /** Sends from the message at `index` on, as plain code up to the first that must wait. */
  private sendFrom(many: ManyMessages, index: number): Effect.Effect<void> {
    const { messages, to } = many
    for (let at = index; at < messages.length; at++) {
      const waiting = this.sendAt(to, messages[at] as Message, at)
      const next = at + 1
      if (waiting !== undefined) return Effect.flatMap(waiting, () => this.sendFrom(many, next))
      // The messages before it should be in flight while the next is prepared.
      if (next % messagesPerTurn === 0 && next < messages.length) return Effect.flatMap(Effect.yieldNow(), () => this.sendFrom(many, next))
    }
    return Effect.void
  }
  /** Sends the message at `index`. Returns the wait for its turn; undefined where it need not wait. */
  private sendAt(to: Destination, message: Message, index: number): Effect.Effect<void> | undefined {
    const { listener, topic } = to
    const prepared = this.preparer.prepareMessage(to, message, index)
    if (!isPrepared(prepared)) return void listener.failed(index, prepared)
    if (this.isClosed) return void listener.failed(index, new Closed({ what: "producer" }))
    const partition = this.enqueuer.placeNow(prepared)
    if (typeof partition === "number") return void this.sender.submit(topic, partition, prepared)
    if (partition !== undefined) return void listener.failed(index, partition)
    return Effect.async<void>((done) => {
      const submit = (chosen: number, since: number) => {
        this.sender.submit(topic, chosen, prepared, since)
        done(Effect.void)
      }
      const refuse = (error: SendError) => {
        listener.failed(index, error)
        done(Effect.void)
      }
      return Effect.sync(this.enqueuer.place(prepared, submit, refuse))
    })
  }
}

/** By the producer's service, for callers that need no effect: the library with promises. */
const sendings = new WeakMap<object, Sending>()
export const noteSending = (service: object, sending: Sending): void => void sendings.set(service, sending)
/** What sends the messages of a producer; undefined for a service that is made of another, such as a traced one. */
export const sendingOf = (service: object): Sending | undefined => sendings.get(service)
