import { Chunk, Effect, Either, type Scope, Stream } from "effect"
import { faultOf } from "../../argument/guard.ts"
import type { InvalidArgument, Undecodable } from "../../error.ts"
import type { HeaderList } from "../../topic/headers.ts"
import type { Topic } from "../../topic/topic.ts"
import { wrongRecords } from "../arguments.ts"
import { Consumer } from "../consumer.ts"
import type { JoinError, PollError, SubscribeError } from "../errors.ts"
import type { ConsumedRecord } from "../fetch/record.ts"
import type { MemberOptions, RecordsOptions } from "../options.ts"
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
    const { group, onUndecodable: _, ...membership } = options as RecordsOptions
    const consumer = yield* Consumer
    const member = Effect.andThen(consumer.joinConsumerGroup(group, membership), consumer.subscribe(topic.name))
    yield* Effect.acquireRelease(member, () => consumer.leaveConsumerGroup)
    return consumer
  })

/**
 * The next message, alone: one that is not in hand yet is not delivered once its partition is given away, as it would
 * be from a chunk of a stream.
 */
const nextOf = <K, V, H>(topic: Topic<K, V, H>, consumer: ConsumerService) =>
  Effect.map(consumer.next, (record): Either.Either<TypedRecord<K, V, H>, UndecodableRecord> | undefined => {
    if (record === undefined) return undefined
    // Cannot fail: the record is one of the consumer's own.
    const ack = Effect.orDie(consumer.acknowledge(record))
    return Either.mapBoth(decodedBy(topic, record), {
      onLeft: (error): UndecodableRecord => ({ error, record, ack }),
      onRight: (message): TypedRecord<K, V, H> => ({ ...message, ack })
    })
  })

/**
 * The messages of a typed topic, read as a member of a group: the stream joins the group, subscribes, and leaves at its
 * end. It uses the Consumer of the context, which must be in no other group. `onUndecodable` says what to do with a
 * message that the topic's schemas cannot decode. Each message is delivered when the caller asks for it: after a
 * rebalance the partition's next member begins with the first message that this one has not begun. A message costs about
 * 8 µs of processor time besides its decoding; `worker` and `Consumer.run` cost less, and handle several at a time.
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
      const next = Effect.flatMap(nextOf(topic, consumer), (read): Effect.Effect<Chunk.Chunk<TypedRecord<K, V, H>>, Undecodable | E, R> => {
        if (read === undefined) return Effect.succeed(Chunk.empty())
        return Either.isRight(read) ? Effect.succeed(Chunk.of(read.right)) : Effect.as(passOver(read.left), Chunk.empty())
      })
      return Stream.repeatEffectChunk(next)
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
  options: MemberOptions
): Stream.Stream<Either.Either<TypedRecord<K, V, H>, UndecodableRecord>, ReadError, Consumer> =>
  Stream.unwrapScoped(
    Effect.map(joined("recordsEither", topic as never, options), (consumer) =>
      Stream.repeatEffectChunk(Effect.map(nextOf(topic, consumer), (read) => (read === undefined ? Chunk.empty() : Chunk.of(read))))
    )
  )
