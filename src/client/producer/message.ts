import { type Clock, Either } from "effect"
import type { RecordHeader, RecordToWrite } from "../../../domain/log/record.ts"
import { invalid, unreadable } from "../argument/guard.ts"
import type { Client } from "../cluster/client.ts"
import { MessageTooLarge } from "../error.ts"
import { wrongTopicName } from "../topic/arguments.ts"
import type { MessageHeader, MessageHeaders } from "../topic/headers.ts"
import type { SendError } from "./accumulator/delivery.ts"
import { sizeOf } from "./accumulator/record-size.ts"
import { wrongMessage } from "./arguments.ts"

/** The parts of a message besides its value. Text is written as UTF-8. */
export interface MessageOptions {
  /** Messages of one key go to one partition, and keep their order there. */
  readonly key?: string | Uint8Array | null
  /** The partition, in place of the one by the key. */
  readonly partition?: number
  readonly headers?: MessageHeaders
  /** ms since 1970. Default: now. */
  readonly timestamp?: number
}

/** A message with all its parts. */
export interface Message extends MessageOptions {
  /** `null` is a tombstone. */
  readonly value: string | Uint8Array | null
}

/** A message that was checked and made into a record. */
export interface PreparedMessage {
  readonly topic: string
  readonly record: RecordToWrite
  readonly sizeBytes: number
  /** The partition that the caller named. */
  readonly partition: number | undefined
  /** ms since 1970. */
  readonly now: number
}

const utf8 = new TextEncoder()
const bytesOf = (value: string | Uint8Array | null): Uint8Array | null => (typeof value === "string" ? utf8.encode(value) : value)
const headersOf = (headers: MessageHeaders): ReadonlyArray<RecordHeader> => {
  if (isHeaderList(headers)) return headers.map(({ key, value }) => ({ key, value: bytesOf(value) }))
  return Object.entries(headers).map(([key, value]) => ({ key, value: bytesOf(value) }))
}
const isHeaderList = (headers: MessageHeaders): headers is ReadonlyArray<MessageHeader> => Array.isArray(headers)

const recordOf = (value: string | Uint8Array | null, options: MessageOptions, now: number): RecordToWrite => ({
  timestamp: options.timestamp ?? now,
  key: bytesOf(options.key ?? null),
  value: bytesOf(value),
  ...(options.headers === undefined ? {} : { headers: headersOf(options.headers) })
})

/** Checks messages and makes their records. Plain code without services: it runs for every message. */
export class MessagePreparer {
  constructor(
    private readonly client: Client,
    private readonly messageBytesMax: number,
    private readonly clock: Clock.Clock
  ) {}

  /**
   * InvalidArgument for a message that cannot be sent, MessageTooLarge for one over the bound; `call` names the
   * caller's method in the error.
   */
  prepare(call: string, topic: string, value: Message["value"], options: MessageOptions): Either.Either<PreparedMessage, SendError> {
    try {
      const wrong = wrongMessage(topic, value, options) ?? (this.client.metadata.view().topics.has(topic) ? undefined : wrongTopicName(topic))
      if (wrong !== undefined) return Either.left(invalid(call, wrong))
      const now = this.clock.unsafeCurrentTimeMillis()
      const record = recordOf(value, options, now)
      const sizeBytes = sizeOf(record)
      return sizeBytes > this.messageBytesMax
        ? Either.left(new MessageTooLarge({ topic, sizeBytes, limitBytes: this.messageBytesMax }))
        : Either.right({ topic, record, sizeBytes, partition: options.partition, now })
    } catch (cause) {
      // A getter or a proxy of the caller threw.
      return Either.left(unreadable(call, cause))
    }
  }

  /** As `prepare`, for a message whose `value` may be a getter that throws. */
  prepareMessage(call: string, topic: string, message: Message): Either.Either<PreparedMessage, SendError> {
    try {
      return this.prepare(call, topic, message.value, message)
    } catch (cause) {
      return Either.left(unreadable(call, cause))
    }
  }
}
