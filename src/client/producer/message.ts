import type { Clock } from "effect"
import type { RecordHeader } from "../../../domain/log/record.ts"
import { invalid, unreadable } from "../argument/guard.ts"
import type { Client } from "../cluster/client.ts"
import { MessageTooLarge } from "../error.ts"
import { wrongTopicName } from "../topic/arguments.ts"
import type { MessageHeader, MessageHeaders } from "../topic/headers.ts"
import type { PendingRecord } from "./accumulator/batch.ts"
import type { DeliveryListener, SendError } from "./accumulator/delivery.ts"
import { sizeOfParts } from "./accumulator/record-size.ts"
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

/** A message that was checked and made into a record, with what it needs until its delivery report. */
export interface PreparedMessage extends PendingRecord {
  readonly topic: string
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

const noHeaders: ReadonlyArray<RecordHeader> = []

/** Where messages go, and who gets their reports. */
export interface Destination {
  /** The caller's method, for errors. */
  readonly call: "sendMessage" | "send" | "sendMessages" | "sendBatch"
  readonly topic: string
  readonly listener: DeliveryListener
}

/** Checks messages and makes their records. Plain code without services: it runs for every message. */
export class MessagePreparer {
  constructor(
    private readonly client: Client,
    private readonly messageBytesMax: number,
    private readonly clock: Clock.Clock
  ) {}

  /** InvalidArgument for a message that cannot be sent, MessageTooLarge for one over the bound: `isPrepared` tells them apart. */
  prepare(to: Destination, value: Message["value"], options: MessageOptions, index = 0): PreparedMessage | SendError {
    const { listener, topic } = to
    try {
      const wrong = wrongMessage(topic, value, options) ?? (this.client.metadata.view().topics.has(topic) ? undefined : wrongTopicName(topic))
      if (wrong !== undefined) return invalid(to.call, wrong)
      const now = this.clock.unsafeCurrentTimeMillis()
      const { headers: given, key: givenKey = null, partition, timestamp = now } = options
      const key = bytesOf(givenKey)
      const bytes = bytesOf(value)
      const headers = given === undefined ? noHeaders : headersOf(given)
      const isBorrowed = (key !== null && key === givenKey) || (bytes !== null && bytes === value) || headers !== noHeaders
      const sizeBytes = sizeOfParts(key, bytes, headers)
      return sizeBytes > this.messageBytesMax
        ? new MessageTooLarge({ topic, sizeBytes, limitBytes: this.messageBytesMax })
        : { timestamp, key, value: bytes, headers, sizeBytes, listener, index, isBorrowed, topic, partition, now }
    } catch (cause) {
      // A getter or a proxy of the caller threw.
      return unreadable(to.call, cause)
    }
  }

  /** As `prepare`, for a message whose `value` may be a getter that throws. */
  prepareMessage(to: Destination, message: Message, index: number): PreparedMessage | SendError {
    try {
      return this.prepare(to, message.value, message, index)
    } catch (cause) {
      return unreadable(to.call, cause)
    }
  }
}

export const isPrepared = (prepared: PreparedMessage | SendError): prepared is PreparedMessage => !(prepared instanceof Error)
