import { Effect, type Either } from "effect"
import type { ConsumedRecord } from "../consumer/fetch/record.ts"
import { sendAside } from "../consumer/typed/dead-letter.ts"
import type { InvalidArgument } from "../error.ts"
import type { SendError, Sent } from "../producer/accumulator/delivery.ts"
import { type Message, type MessageOptions, type ProducerService, Producer as ProducerTag, type TypedMessageOptions } from "../producer/producer.ts"
import { sendingOf } from "../producer/sending.ts"
import type { Topic } from "../topic/topic.ts"
import { type Calls, checkedSignal } from "./calls.ts"
import { type Outcome, outcomeOf } from "./outcome.ts"
import { type Promised, promised } from "./promised.ts"

type OwnCalls = "send" | "sendMessage" | "sendMessages"
/** Sends messages, and creates and deletes topics. Each call rejects with InvalidArgument for arguments that it cannot use. */
export interface Producer extends Promised<Omit<ProducerService, OwnCalls>>, AsyncDisposable {
  /**
   * Stores a message, and returns its position when as many replicas have it as `acks` says, at `deliveryTimeoutMs` at
   * the latest. `null` is a tombstone. Messages of concurrent calls share requests.
   */
  readonly sendMessage: (topic: string, value: string | Uint8Array | null, options?: MessageOptions) => Promise<Sent>
  /** As `sendMessage`, for a typed topic. ParseError when the topic's schemas cannot encode the key, the value or the headers. */
  readonly send: <K, V, H>(topic: Topic<K, V, H>, key: K, value: V, options?: TypedMessageOptions<H>) => Promise<Sent>
  /**
   * As `sendMessage` for many messages. Returns when the last is buffered, and waits for free buffer memory. `settled`
   * gets the delivery report of each message with its index, once, during the call or after it; `flush` returns after
   * the last report. A message that cannot be sent fails alone, by its report. What `settled` throws goes to `onError`.
   */
  readonly sendMessages: (topic: string, messages: ReadonlyArray<Message>, settled: (index: number, report: Outcome<Sent, SendError>) => void) => Promise<void>
  /**
   * Sends a message that cannot be handled to another topic: its key, value and headers as they were read, followed by
   * headers that say where it came from and why (`originHeaders`). Resolves when it is stored, and logs a line that says
   * what went where. `attempts` is how often it was handled, by default once. The topic should exist.
   */
  readonly deadLetter: (topic: string, record: ConsumedRecord, error: unknown, attempts?: number) => Promise<Sent>
  /**
   * The same producer, whose calls reject with `signal.reason` when the signal aborts. An abort does not withdraw a
   * message.
   */
  readonly withSignal: (signal: AbortSignal) => Producer
  /** Sends what is buffered, for `closeTimeoutMs` at most, and closes. Calls after the first wait for it. */
  readonly close: () => Promise<void>
}

/** Settles a promise with the report of its message. */
class PromiseListener {
  constructor(
    private readonly resolve: (sent: Sent) => void,
    private readonly reject: (error: unknown) => void
  ) {}
  stored(_index: number, sent: Sent): void {
    this.resolve(sent)
  }
  failed(_index: number, error: unknown): void {
    this.reject(error)
  }
}

/**
 * The calls for one message. Without a signal they start no fiber, which costs several times as much as the rest of a
 * send; the producer gives each message its report, also when it closes.
 */
const singleSends = (service: ProducerService, calls: Calls, signal: AbortSignal | undefined): Pick<Producer, "send" | "sendMessage"> => {
  const sending = signal === undefined ? sendingOf(service) : undefined
  if (sending === undefined)
    return {
      send: (...args) =>
        calls.call(
          Effect.suspend(() => service.send(...args)),
          signal
        ),
      sendMessage: (...args) =>
        calls.call(
          Effect.suspend(() => service.sendMessage(...args)),
          signal
        )
    }
  return {
    send: (topic, key, value, options) => calls.settled((resolve, reject) => sending.send(topic, key, value, options, new PromiseListener(resolve, reject))),
    sendMessage: (topic, value, options) => calls.settled((resolve, reject) => sending.sendMessage(topic, value, options, new PromiseListener(resolve, reject)))
  }
}

export const producerOf = (service: ProducerService, calls: Calls, signal?: AbortSignal): Producer => ({
  ...promised(service, calls, signal, "send", "sendMessage", "sendMessages"),
  ...singleSends(service, calls, signal),
  sendMessages: (topic, messages, settled) => {
    const reported = (index: number, report: Either.Either<Sent, SendError>) => settled(index, outcomeOf(report))
    const sending = (): Effect.Effect<void, InvalidArgument> => service.sendMessages(topic, messages, typeof settled === "function" ? reported : settled)
    return calls.call(Effect.suspend(sending), signal)
  },
  deadLetter: (topic, record, error, attempts = 1) =>
    calls.call(Effect.suspend(() => sendAside(topic, record, error, attempts)).pipe(Effect.provideService(ProducerTag, service)), signal),
  withSignal: (other) => producerOf(service, calls, checkedSignal("Producer.withSignal", other)),
  close: () => calls.close(),
  [Symbol.asyncDispose]: () => calls.close()
})
