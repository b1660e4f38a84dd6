import { type Clock, Effect, Either } from "effect"
import type { RecordHeader, RecordToWrite } from "../../../domain/log/record.ts"
import { invalid, unreadable } from "../argument/guard.ts"
import type { Client } from "../cluster/client.ts"
import { Closed, MessageTooLarge, RequestTimedOut, UnknownPartition } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { TopicView } from "../metadata/view.ts"
import { monotonicMs } from "../runtime/monotonic.ts"
import { wrongTopicName } from "../topic/arguments.ts"
import type { ByteBudget } from "./accumulator/buffer-memory.ts"
import type { SendError } from "./accumulator/delivery.ts"
import { Line } from "./accumulator/fifo-lock.ts"
import type { Partitioner } from "./accumulator/partitioner.ts"
import { sizeOf } from "./accumulator/record-size.ts"
import type { Sending } from "./accumulator/settings.ts"
import { wrongMessage } from "./arguments.ts"

/** A header to send. A header as it was read is one, too. */
export interface MessageHeader {
  readonly key: string
  readonly value: string | Uint8Array | null
}
/** In the order of the list, names may repeat: what was read can be sent again. The object is its short form, in the order that JavaScript gives to its names. */
export type MessageHeaders = ReadonlyArray<MessageHeader> | Readonly<Record<string, string | Uint8Array | null>>

/** What a message is made of besides its value. Text is written as UTF-8. */
export interface MessageOptions {
  /** Messages of one key go to one partition, and keep their order there. */
  readonly key?: string | Uint8Array | null
  /** Overrides the choice by key. */
  readonly partition?: number
  readonly headers?: MessageHeaders
  /** ms since 1970; default now. */
  readonly timestamp?: number
}

/** A message with all that belongs to it. */
export interface Message extends MessageOptions {
  /** `null` is a tombstone. */
  readonly value: string | Uint8Array | null
}

const utf8 = new TextEncoder()
const bytesOf = (value: string | Uint8Array | null): Uint8Array | null => (typeof value === "string" ? utf8.encode(value) : value)
/** Kafka's headers are a list in which names may repeat (KIP-82); an object stands for a list without repetitions. */
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
const unplaced = (topic: string, timeoutMs: number): SendError =>
  new RequestTimedOut({
    what: `Sending to '${topic}'`,
    timeoutMs,
    reason: "the cluster did not say where the topic's partitions are, or no room came free in the buffer."
  })

/** A message that was checked, and what is wanted for it. */
interface Prepared {
  readonly topic: string
  readonly record: RecordToWrite
  readonly sizeBytes: number
  readonly wanted: number | undefined
  readonly now: number
}

export interface PlacingParts {
  readonly client: Client
  readonly sending: Sending
  readonly clock: Clock.Clock
  readonly budget: ByteBudget
  readonly partitioner: Partitioner
  readonly isClosed: () => boolean
}

/** Checks messages and makes their records. */
export const preparing = ({ client, clock, isClosed, sending }: PlacingParts) => {
  /** A message that cannot be sent, or whose size is over the bound, fails here and alone. */
  const prepare = (call: string, topic: string, value: Message["value"], message: MessageOptions): Either.Either<Prepared, SendError> => {
    try {
      const wrong = wrongMessage(topic, value, message) ?? (client.metadata.view().topics.has(topic) ? undefined : wrongTopicName(topic))
      return wrong === undefined ? prepared(topic, value, message) : Either.left(invalid(call, wrong))
    } catch (cause) {
      // A getter or a proxy of the caller's that throws.
      return Either.left(unreadable(call, cause))
    }
  }
  const prepareOne = (call: string, topic: string, message: Message): Either.Either<Prepared, SendError> => {
    try {
      return prepare(call, topic, message.value, message)
    } catch (cause) {
      return Either.left(unreadable(call, cause))
    }
  }
  const prepared = (topic: string, value: Message["value"], message: MessageOptions): Either.Either<Prepared, SendError> => {
    if (isClosed()) return Either.left(new Closed({ what: "producer" }))
    const now = clock.unsafeCurrentTimeMillis()
    const record = recordOf(value, message, now)
    const sizeBytes = sizeOf(record)
    return sizeBytes > sending.messageBytesMax
      ? Either.left(new MessageTooLarge({ topic, sizeBytes, limitBytes: sending.messageBytesMax }))
      : Either.right({ topic, record, sizeBytes, wanted: message.partition, now })
  }
  return { prepare, prepareOne }
}

/** What comes before a message is handed to the sender: its bytes, its partition, and room in the buffer, which whoever settles it gives back. */
export const placing = ({ budget, client, clock, partitioner, sending }: PlacingParts) => {
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

  /** Where messages of a topic wait: for news of it, or for room. */
  const lines = new Map<string, Line>()
  const lineOf = (topic: string): Line => {
    const line = lines.get(topic) ?? new Line()
    lines.set(topic, line)
    return line
  }

  /** The partition and room in the buffer, where nothing has to be waited for: the path of nearly every message. */
  const placeNow = ({ now, record, sizeBytes, topic, wanted }: Prepared): number | undefined => {
    // Behind those who wait, so that messages are stored in the order in which they were sent.
    if (lines.get(topic)?.isEmpty === false) return undefined
    const known = client.metadata.view().topics.get(topic)
    if (known === undefined || now - known.at >= client.options.metadataMaxAgeMs) return undefined
    if (wanted !== undefined && known.partitions[wanted] === undefined) return undefined
    return budget.tryTake(sizeBytes) ? (wanted ?? partitioner.choose(known, record.key)) : undefined
  }
  /**
   * The same with waiting, in the order of the calls. `submit` takes the message over at once, before the next has its turn. It is told when the call began, ms: the wait
   * counts towards `deliveryTimeoutMs`.
   */
  const place = <A>({ record, sizeBytes, topic, wanted }: Prepared, submit: (partition: number, since: number) => A): Effect.Effect<A, SendError> =>
    Effect.suspend(() => {
      const since = monotonicMs(clock)
      const placed = Effect.gen(function* () {
        const view = yield* client.metadata.topic(topic, sending.createTopics)
        const partition = yield* partitionOf(view, record, wanted)
        // The sender releases the bytes when it settles the message, so an interruption must not come between the two steps.
        return yield* Effect.uninterruptibleMask((restore) => Effect.map(restore(budget.take(sizeBytes)), () => submit(partition, since)))
      })
      return Effect.timeoutFail(lineOf(topic).pass(placed), {
        duration: sending.deliveryTimeoutMs,
        onTimeout: () => unplaced(topic, sending.deliveryTimeoutMs)
      })
    })

  return { placeNow, place }
}
