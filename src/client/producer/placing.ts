import { type Clock, Effect, Either } from "effect"
import type { RecordToWrite } from "../../../domain/log/record.ts"
import type { Client } from "../client.ts"
import { Closed, MessageTooLarge, UnknownPartition } from "../error.ts"
import type { TopicError } from "../metadata/metadata.ts"
import type { TopicView } from "../metadata/view.ts"
import type { ByteBudget } from "./byte-budget.ts"
import { Line } from "./line.ts"
import type { Sending } from "./options.ts"
import type { Partitioner } from "./partitioner.ts"
import type { SendError } from "./types.ts"

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

/** A message with all that belongs to it. */
export interface Message extends MessageOptions {
  /** `null` is a tombstone. */
  readonly value: string | Uint8Array | null
}

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

/** What comes before a message is handed to the sender: its bytes, its partition, and room in the buffer, which whoever settles it gives back. */
export const placing = ({ budget, client, clock, isClosed, partitioner, sending }: PlacingParts) => {
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

  const prepare = (topic: string, value: Message["value"], message: MessageOptions): Either.Either<Prepared, SendError> => {
    if (isClosed()) return Either.left(new Closed({ what: "producer" }))
    const now = clock.unsafeCurrentTimeMillis()
    const record = recordOf(value, message, now)
    const sizeBytes = sizeOf(record)
    return sizeBytes > sending.messageBytesMax
      ? Either.left(new MessageTooLarge({ topic, sizeBytes, limitBytes: sending.messageBytesMax }))
      : Either.right({ topic, record, sizeBytes, wanted: message.partition, now })
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
  /** The same with waiting, in the order of the calls. `submit` takes the message over at once, before the next has its turn. */
  const place = <A>({ record, sizeBytes, topic, wanted }: Prepared, submit: (partition: number) => A): Effect.Effect<A, SendError> =>
    lineOf(topic).pass(
      Effect.gen(function* () {
        const view = yield* client.metadata.topic(topic, sending.createTopics)
        const partition = yield* partitionOf(view, record, wanted)
        yield* budget.take(sizeBytes)
        return submit(partition)
      })
    )

  return { prepare, placeNow, place }
}
