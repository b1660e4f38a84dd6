import { Channel, Chunk, Effect, Either, type Scope, Stream } from "effect"
import { faultOf } from "../../argument/guard.ts"
import type { InvalidArgument, Undecodable } from "../../error.ts"
import type { HeaderList } from "../../topic/headers.ts"
import type { Topic } from "../../topic/topic.ts"
import { wrongRecords } from "../arguments.ts"
import { Consumer } from "../consumer.ts"
import type { JoinError, PollError, SubscribeError } from "../errors.ts"
import type { ConsumedRecord } from "../fetch/record.ts"
import type { MemberOptions, ReadingOptions, RecordsOptions } from "../options.ts"
import type { ConsumerService } from "../service.ts"
import { decodedBy, type TypedMessage } from "./decode.ts"

/** A decoded message of a typed topic, to acknowledge. */
export interface TypedRecord<K, V, H = HeaderList> extends TypedMessage<K, V, H> {
  /**
   * Marks the message as processed. Its offset is committed when all messages before it are processed too. The
   * partition's next member reads the others again (G7).
   */
  readonly ack: Effect.Effect<void>
}

/** A message that the topic's schemas cannot decode, to acknowledge. */
export interface UndecodableRecord {
  readonly error: Undecodable
  readonly record: ConsumedRecord
  /** Marks the message as processed, as that of TypedRecord. */
  readonly ack: Effect.Effect<void>
}

type ReadError = InvalidArgument | JoinError | SubscribeError | PollError

/** Makes the consumer of the context a member of a group that reads one topic, until the scope closes. */
const joined = (call: string, topic: Topic<never, never, never>, options: MemberOptions): Effect.Effect<ConsumerService, ReadError, Consumer | Scope.Scope> =>
  Effect.gen(function* () {
    const fault = faultOf(call, () => wrongRecords(topic, options))
    if (fault !== undefined) return yield* fault
    const { chunkRecordsMax: _, group, onUndecodable: __, ...membership } = options as RecordsOptions
    const consumer = yield* Consumer
    const member = Effect.andThen(consumer.joinConsumerGroup(group, membership), consumer.subscribe(topic.name))
    yield* Effect.acquireRelease(member, () => consumer.leaveConsumerGroup)
    return consumer
  })

/** Decodes a message, and says how the caller acknowledges it. */
const readOf = <K, V, H>(topic: Topic<K, V, H>, consumer: ConsumerService, record: ConsumedRecord): Either.Either<TypedRecord<K, V, H>, UndecodableRecord> => {
  // Cannot fail: the record is one of the consumer's own.
  const ack = Effect.orDie(consumer.acknowledge(record))
  const read = decodedBy(topic, record)
  if (Either.isLeft(read)) return Either.left({ error: read.left, record, ack })
  return Either.right(Object.assign(read.right, { ack }))
}

type Delivery<A, E, R> = (record: ConsumedRecord) => Either.Either<A, Effect.Effect<unknown, E, R>>
type Loop<A, E, R> = Channel.Channel<Chunk.Chunk<A>, unknown, PollError | E, unknown, unknown, unknown, R>

/**
 * The messages of a consumer, each alone: one that is not in hand yet is not delivered once its partition is given away,
 * as it would be from a chunk of a stream. A plain loop of channels, since `Stream.repeatEffect` takes one and a half
 * times as long.
 */
const oneByOne = <A, E, R>({ next }: ConsumerService, deliver: Delivery<A, E, R>): Loop<A, E, R> => {
  const loop: Loop<A, E, R> = Channel.flatMap(Channel.fromEffect(next), (record): Loop<A, E, R> => {
    if (record === undefined) return loop
    const delivered = deliver(record)
    const one: Loop<A, E, R> = Either.isRight(delivered) ? Channel.write(Chunk.of(delivered.right)) : Channel.fromEffect(delivered.left)
    return Channel.flatMap(one, () => loop)
  })
  return loop
}

/** As `oneByOne`, in chunks of up to `maxRecords`. A chunk ends before a message for which `deliver` returns an effect. */
const inChunks = <A, E, R>({ poll }: ConsumerService, maxRecords: number, deliver: Delivery<A, E, R>): Loop<A, E, R> => {
  const from = (records: ReadonlyArray<ConsumedRecord>, start: number): Loop<A, E, R> => {
    const values: Array<A> = []
    for (let at = start; at < records.length; at++) {
      const delivered = deliver(records[at] as ConsumedRecord)
      if (Either.isRight(delivered)) values.push(delivered.right)
      else
        return Channel.write(Chunk.unsafeFromArray(values)).pipe(
          Channel.zipRight(Channel.fromEffect(delivered.left)),
          Channel.flatMap(() => from(records, at + 1))
        )
    }
    return Channel.flatMap(Channel.write(Chunk.unsafeFromArray(values)), () => loop)
  }
  const loop: Loop<A, E, R> = Channel.flatMap(Channel.fromEffect(poll({ maxRecords, acknowledge: "each" })), (records) =>
    records.length === 0 ? loop : from(records, 0)
  )
  return loop
}

/** `deliver` returns what the stream has for a message, or what is to be done in place of that. */
const messagesOf = <A, E, R>(
  consumer: ConsumerService,
  { chunkRecordsMax = 1 }: ReadingOptions,
  deliver: Delivery<A, E, R>
): Stream.Stream<A, PollError | E, R> => Stream.fromChannel(chunkRecordsMax === 1 ? oneByOne(consumer, deliver) : inChunks(consumer, chunkRecordsMax, deliver))

/**
 * The messages of a typed topic, read as a member of a group: the stream joins the group, subscribes, and leaves at its
 * end. It uses the Consumer of the context, which must be in no other group. `onUndecodable` says what to do with a
 * message that the topic's schemas cannot decode. Each message is delivered when the caller asks for it: after a
 * rebalance the partition's next member begins with the first message that this one has not begun. A message costs about
 * 9 µs of processor time besides its decoding. `chunkRecordsMax` reads in chunks, which costs less; `worker` and
 * `Consumer.run` handle several at a time.
 *
 *     records(orders, { group: "billing" }).pipe(Stream.runForEach(({ value, ack }) => Effect.andThen(bill(value), ack)))
 */
export const records = <K, V, H = HeaderList, E = never, R = never>(
  topic: Topic<K, V, H>,
  options: RecordsOptions<E, R>
): Stream.Stream<TypedRecord<K, V, H>, Undecodable | ReadError | E, Consumer | R> =>
  Stream.unwrapScoped(
    Effect.map(joined("records", topic as never, options as MemberOptions), (consumer) => {
      const { onUndecodable = "fail" } = options
      const passOver = ({ ack, error, record }: UndecodableRecord): Effect.Effect<unknown, Undecodable | E, R> => {
        if (onUndecodable === "fail") return Effect.fail(error)
        const handled = onUndecodable === "skip" ? Effect.logWarning(`Skipped: ${error.message}`) : Effect.suspend(() => onUndecodable(record, error))
        return Effect.andThen(handled, ack)
      }
      return messagesOf(consumer, options as ReadingOptions, (record) => Either.mapLeft(readOf(topic, consumer, record), passOver))
    })
  )

/**
 * As `records`, with every message as a value: Right for one that the topic's schemas decode, Left for one that they
 * cannot decode, with its bytes, headers and position. The stream does not end at either.
 *
 *     recordsEither(orders, { group: "billing" }).pipe(Stream.runForEach(Either.match({ onLeft: putAside, onRight: bill })))
 */
export const recordsEither = <K, V, H = HeaderList>(
  topic: Topic<K, V, H>,
  options: ReadingOptions
): Stream.Stream<Either.Either<TypedRecord<K, V, H>, UndecodableRecord>, ReadError, Consumer> =>
  Stream.unwrapScoped(
    Effect.map(joined("recordsEither", topic as never, options), (consumer) =>
      messagesOf(consumer, options, (record) => Either.right(readOf(topic, consumer, record)))
    )
  )
