import { Chunk, Effect, Either, Stream } from "effect"
import { faultOf } from "../argument/guard.ts"
import { type InvalidArgument, Undecodable } from "../error.ts"
import { monotonicNow } from "../runtime/monotonic.ts"
import type { Topic } from "../topic/topic.ts"
import { wrongRecords } from "./arguments.ts"
import { Consumer } from "./consumer.ts"
import type { JoinError, PollError, SubscribeError } from "./errors.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { RecordsOptions } from "./options.ts"

/** A decoded message of a typed topic. */
export interface TypedRecord<K, V> {
  readonly key: K
  readonly value: V
  readonly partition: number
  readonly offset: number
  /** ms since 1970; -1 where there is none. */
  readonly timestamp: number
  /** The message as it was read, with its headers, and with its key and value as bytes. */
  readonly record: ConsumedRecord
  /**
   * Marks the message as processed. Its offset is committed when all messages before it are processed too. The
   * partition's next member reads the others again (G7).
   */
  readonly ack: Effect.Effect<void>
}

const utf8 = new TextDecoder("utf-8", { fatal: true })
/** Bytes that are not UTF-8 are not the text that was written. */
const textOf = (bytes: Uint8Array): Either.Either<string, string> => Either.try({ try: () => utf8.decode(bytes), catch: () => "it is not UTF-8" })
const oneLine = (reason: unknown): string =>
  String(reason instanceof Error ? reason.message : reason)
    .replace(/\s+/g, " ")
    .slice(0, 500)

/** Decodes a key or a value. A schema whose own function throws cannot decode the message, either. */
const decoded = <A>(text: Either.Either<string, string>, decode: (text: string) => Either.Either<A, unknown>): Either.Either<A, string> =>
  Either.flatMap(text, (good) => Either.try({ try: () => decode(good), catch: oneLine }).pipe(Either.flatMap((either) => Either.mapLeft(either, oneLine))))

const decodedRecord = <K, V>(topic: Topic<K, V>, record: ConsumedRecord, ack: Effect.Effect<void>): Either.Either<TypedRecord<K, V>, Undecodable> => {
  const { key, offset, partition, timestamp, value } = record
  const failed = (part: Undecodable["part"]) => (reason: string) => new Undecodable({ topic: record.topic, partition, offset, part, reason })
  const readKey = decoded(key === null ? Either.right("") : textOf(key), topic.decodeKey)
  if (Either.isLeft(readKey)) return Either.left(failed("key")(readKey.left))
  // A tombstone is JSON's null to a schema that takes it.
  const readValue = decoded(value === null ? Either.right("null") : textOf(value), topic.decodeValue)
  if (Either.isLeft(readValue)) return Either.left(failed(value === null ? "tombstone" : "value")(readValue.left))
  return Either.right({ key: readKey.right, value: readValue.right, partition, offset, timestamp, record, ack })
}

/**
 * How long the messages of one poll should take the caller, ms: they are processed before a rebalance can assign the
 * partition to another member.
 */
const chunkMs = 50
/** Messages of one poll, at most. */
const chunkMost = 500

/**
 * Returns how many messages the next poll takes: few for a slow caller, so that it holds none that it has not begun;
 * many for a fast one, since a poll has its cost.
 */
export const nextSize = (size: number, given: number, tookMs: number): number => {
  if (given === 0) return size
  if (tookMs > chunkMs) return Math.max(1, Math.floor(Math.min(size, given) * (chunkMs / tookMs)))
  return given < size ? size : Math.min(chunkMost, size * 2)
}

/**
 * The messages of a typed topic, read as a member of a group: the stream joins the group, subscribes, and leaves at its
 * end. It uses the Consumer of the context, which must be in no other group. `onUndecodable` says what to do with a
 * message that the topic's schemas cannot decode. The caller holds no more messages than it processes in about 50 ms,
 * or one: after a rebalance the partition's next member begins with the first message that this one has not begun.
 *
 *     records(orders, { group: "billing" }).pipe(Stream.runForEach(({ value, ack }) => Effect.andThen(bill(value), ack)))
 */
export const records = <K, V, E = never, R = never>(
  topic: Topic<K, V>,
  options: RecordsOptions<E, R>
): Stream.Stream<TypedRecord<K, V>, Undecodable | InvalidArgument | JoinError | SubscribeError | PollError | E, Consumer | R> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const fault = faultOf("records", () => wrongRecords(topic, options))
      if (fault !== undefined) return yield* fault
      const { group, onUndecodable = "fail", ...membership } = options
      const consumer = yield* Consumer
      const member = Effect.andThen(consumer.joinConsumerGroup(group, membership), consumer.subscribe(topic.name))
      yield* Effect.acquireRelease(member, () => consumer.leaveConsumerGroup)
      // Cannot fail: the record is one of the consumer's own.
      const ackOf = (record: ConsumedRecord): Effect.Effect<void> => Effect.orDie(consumer.acknowledge(record))
      /** What to do with a message that cannot be decoded: an effect, or undefined where the stream ends. */
      const passOver = (record: ConsumedRecord, error: Undecodable): Effect.Effect<unknown, E, R> | undefined => {
        if (onUndecodable === "fail") return undefined
        const handle = onUndecodable === "skip" ? Effect.logWarning(`Skipped: ${error.message}`) : Effect.suspend(() => onUndecodable(record, error))
        return Effect.andThen(handle, ackOf(record))
      }

      let broken: Undecodable | undefined
      let size = 1
      let before: { readonly at: number; readonly given: number } | undefined
      /**
       * A whole poll at a time, since a stream of single messages costs a hundred times as much. The messages before
       * one that cannot be decoded come first.
       */
      const next = Effect.gen(function* () {
        if (broken !== undefined) return yield* broken
        const now = yield* monotonicNow
        if (before !== undefined) size = nextSize(size, before.given, now - before.at)
        const polled = yield* consumer.poll({ acknowledge: "each", maxRecords: size })
        const good: Array<TypedRecord<K, V>> = []
        for (const record of polled) {
          const read = decodedRecord(topic, record, ackOf(record))
          if (Either.isRight(read)) {
            good.push(read.right)
            continue
          }
          const passed = passOver(record, read.left)
          if (passed === undefined) {
            broken = read.left
            break
          }
          yield* passed
        }
        before = { at: yield* monotonicNow, given: good.length }
        return Chunk.unsafeFromArray(good)
      })
      return Stream.repeatEffectChunk(next)
    })
  )
