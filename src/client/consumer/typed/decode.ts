import { Either, ParseResult } from "effect"
import { faultOf } from "../../argument/guard.ts"
import { Undecodable } from "../../error.ts"
import { wrongTopic } from "../../topic/arguments.ts"
import type { HeaderList } from "../../topic/headers.ts"
import type { Topic } from "../../topic/topic.ts"
import { wrongMessageToRead } from "../arguments.ts"
import type { ConsumedRecord } from "../fetch/record.ts"

/** A decoded message of a typed topic. */
export interface TypedMessage<K, V, H = HeaderList> {
  readonly key: K
  readonly value: V
  /** As the topic's schema reads them, else the list as it was sent. */
  readonly headers: H
  readonly partition: number
  readonly offset: number
  /** ms since 1970; -1 where there is none. */
  readonly timestamp: number
  /** The message as it was read, with its headers, and with its key and value as bytes. */
  readonly record: ConsumedRecord
}

const utf8 = new TextDecoder("utf-8", { fatal: true })
/** Bytes that are not UTF-8 are not the text that was written. */
const textOf = (bytes: Uint8Array | null): Either.Either<string | null, string> =>
  bytes === null ? Either.right(null) : Either.try({ try: () => utf8.decode(bytes), catch: () => "it is not UTF-8" })
/** The places that do not match, without the tree of the schema above them, which is long and comes first. */
const issuesOf = (error: ParseResult.ParseError): string =>
  ParseResult.ArrayFormatter.formatErrorSync(error)
    .map(({ message, path }) => (path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`))
    .join("; ")
const oneLine = (reason: unknown): string =>
  String(ParseResult.isParseError(reason) ? issuesOf(reason) : reason instanceof Error ? reason.message : reason)
    .replace(/\s+/g, " ")
    .slice(0, 500)

/** Decodes one part. A schema whose own function throws cannot decode the message, either. */
const decoded = <A, B>(given: Either.Either<A, string>, decode: (given: A) => Either.Either<B, unknown>): Either.Either<B, string> => {
  if (Either.isLeft(given)) return Either.left(given.left)
  try {
    return Either.mapLeft(decode(given.right), oneLine)
  } catch (cause) {
    return Either.left(oneLine(cause))
  }
}

/**
 * Decodes a message by the schemas of its topic, such as one of `poll` or of `run`. Undecodable names its position and
 * the part that does not match. Throws InvalidArgument for a topic or a record that is none.
 *
 *     consumer.run((record) => Effect.flatMap(decodeRecord(orders, record), ({ value }) => bill(value)))
 */
export const decodeRecord = <K, V, H>(topic: Topic<K, V, H>, record: ConsumedRecord): Either.Either<TypedMessage<K, V, H>, Undecodable> => {
  const fault = faultOf("decodeRecord", () => wrongTopic(topic) ?? wrongMessageToRead(record))
  if (fault !== undefined) throw fault
  return decodedBy(topic, record)
}
/** As `decodeRecord`, for a topic that was checked and a record of a poll. */
export const decodedBy = <K, V, H>(topic: Topic<K, V, H>, record: ConsumedRecord): Either.Either<TypedMessage<K, V, H>, Undecodable> => {
  const { offset, partition, timestamp, value } = record
  const failed = (part: Undecodable["part"], reason: string) => Either.left(new Undecodable({ topic: record.topic, partition, offset, part, reason }))
  const key = decoded(textOf(record.key), topic.decodeKey)
  if (Either.isLeft(key)) return failed("key", key.left)
  const decodedValue = decoded(textOf(value), topic.decodeValue)
  if (Either.isLeft(decodedValue)) return failed(value === null ? "tombstone" : "value", decodedValue.left)
  const made = (headers: H) => Either.right({ key: key.right, value: decodedValue.right, headers, partition, offset, timestamp, record })
  // Without a schema for headers H is the list.
  if (topic.decodeHeaders === undefined) return made(record.headers as H)
  const headers = decoded(Either.right(record.headers), topic.decodeHeaders)
  return Either.isLeft(headers) ? failed("headers", headers.left) : made(headers.right)
}
