import { Chunk, Effect, Either, type ParseResult, Stream } from "effect"
import type { Topic } from "../topic.ts"
import { Consumer } from "./consumer.ts"
import type { GroupOptions } from "./options.ts"
import type { ConsumedRecord } from "./record.ts"
import type { JoinError, PollError, SubscribeError } from "./types.ts"

/** A message of a topic with types. */
export interface TypedRecord<K, V> {
  readonly key: K
  readonly value: V
  readonly partition: number
  readonly offset: number
  /** ms since 1970; -1 where there is none. */
  readonly timestamp: number
  /** The message is processed: when all before it in its partition are too, its offset is committed. What was not acknowledged is read again by whoever gets the partition next (G7). */
  readonly ack: Effect.Effect<void>
}

export interface RecordsOptions extends GroupOptions {
  readonly group: string
}

/**
 * The messages of a topic for a member of a group, for as long as the stream runs: it joins, subscribes, and leaves at the end. Uses the Consumer of the context, which must be in no other
 * group. A message that is not what the topic's schemas say (a null key or value is none) fails the stream with a ParseError, unacknowledged.
 *
 *     records(orders, { group: "billing" }).pipe(Stream.runForEach(({ value, ack }) => Effect.andThen(bill(value), ack)))
 */
export const records = <K, V>(
  topic: Topic<K, V>,
  { group, ...options }: RecordsOptions
): Stream.Stream<TypedRecord<K, V>, ParseResult.ParseError | JoinError | SubscribeError | PollError, Consumer> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const consumer = yield* Consumer
      const member = Effect.andThen(consumer.joinConsumerGroup(group, options), consumer.subscribe(topic.name))
      yield* Effect.acquireRelease(member, () => consumer.leaveConsumerGroup)
      const typed = (record: ConsumedRecord): Either.Either<TypedRecord<K, V>, ParseResult.ParseError> =>
        Either.zipWith(topic.decodeKey(record.keyText ?? ""), topic.decodeValue(record.text), (key, value) => ({
          key,
          value,
          partition: record.partition,
          offset: record.offset,
          timestamp: record.timestamp,
          ack: consumer.acknowledge(record)
        }))
      let broken: ParseResult.ParseError | undefined
      // A whole poll at a time, since a stream of single messages costs a hundred times as much. What stands before a message that cannot be read is given first.
      const next = Effect.suspend((): Effect.Effect<Chunk.Chunk<TypedRecord<K, V>>, ParseResult.ParseError | PollError> => {
        if (broken !== undefined) return Effect.fail(broken)
        return Effect.map(consumer.poll({ acknowledge: "each" }), (polled) => {
          const good: Array<TypedRecord<K, V>> = []
          for (const record of polled) {
            const read = typed(record)
            if (Either.isLeft(read)) {
              broken = read.left
              break
            }
            good.push(read.right)
          }
          return Chunk.unsafeFromArray(good)
        })
      })
      return Stream.repeatEffectChunk(next)
    })
  )
