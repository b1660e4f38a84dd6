import { Either, type ParseResult, Schema } from "effect"
import { invalid } from "../argument/guard.ts"
import type { HeaderList, MessageHeaders } from "./headers.ts"

/**
 * A topic whose keys, values and headers have types. Keys and headers are written as text and values as JSON, all in
 * UTF-8, which any Kafka client can read. `make` makes one. `null` in place of a text is no key, or a tombstone.
 */
export interface Topic<K, V, H = HeaderList> {
  readonly name: string
  readonly encodeKey: (key: K) => Either.Either<string | null, ParseResult.ParseError>
  readonly encodeValue: (value: V) => Either.Either<string | null, ParseResult.ParseError>
  readonly decodeKey: (text: string | null) => Either.Either<K, ParseResult.ParseError>
  /** A ParseError also for text that is not JSON. */
  readonly decodeValue: (text: string | null) => Either.Either<V, ParseResult.ParseError>
  /** Undefined for a topic whose headers have no schema: they are sent and read as they are. */
  readonly encodeHeaders?: (headers: H) => Either.Either<MessageHeaders, ParseResult.ParseError>
  readonly decodeHeaders?: (headers: HeaderList) => Either.Either<H, ParseResult.ParseError>
}

/** What `send` takes as the headers of a topic. */
export type HeadersToSend<H> = H extends HeaderList ? MessageHeaders : H

/** Headers as a schema encodes them: a text for each name. */
type HeaderTexts = { readonly [name: string]: string | undefined }

interface Schemas<K, V, J, H, I extends HeaderTexts, T extends boolean> {
  /** Without it the topic is keyless: messages are sent without a key, and the key of a message that has one is not read. */
  readonly key?: Schema.Schema<K, string>
  readonly value: Schema.Schema<V, J>
  /**
   * A header that the schema does not name is ignored. Of a name that repeats, the last header counts. A header without
   * a value, or whose value is not UTF-8, is missing.
   */
  readonly headers?: Schema.Schema<H, I>
  /** Whether a value may be `null`, a tombstone: a compacted topic deletes the messages of its key. Default false. */
  readonly tombstones?: T
}

/**
 * Names a topic and its types. Throws InvalidArgument for a value that is not a schema: a topic is made where a program
 * begins, outside of any effect. The calls that use the topic check its name.
 *
 *     const orders = Topic.make("orders", { key: Schema.String, value: Schema.Struct({ id: Schema.String, cents: Schema.Int }) })
 *     const clicks = Topic.make("clicks", { value: Schema.Struct({ page: Schema.String }) })
 *     const users = Topic.make("users", { key: Schema.String, value: User, tombstones: true, headers: Schema.Struct({ tenant: Schema.String }) })
 */
export const make = <V, J, K = null, H = HeaderList, I extends HeaderTexts = HeaderTexts, T extends boolean = false>(
  name: string,
  of: Schemas<K, V, J, H, I, T>
): Topic<K, T extends true ? V | null : V, H> => {
  const { headers, key, tombstones = false, value } = of ?? {}
  for (const [field, schema, isRequired] of [
    ["key", key, false],
    ["value", value, true],
    ["headers", headers, false]
  ] as const)
    if (!Schema.isSchema(schema) && (isRequired || schema !== undefined))
      throw invalid("Topic.make", { field, given: schema, allowed: "a schema of effect/Schema" })
  if (typeof tombstones !== "boolean") throw invalid("Topic.make", { field: "tombstones", given: tombstones, allowed: "true or false" })
  const topic: Topic<K, V, H> = { name, ...keyCodec(key), ...valueCodec(value), ...(headers === undefined ? {} : headerCodec(headers)) }
  return (tombstones ? withTombstones(topic) : topic) as Topic<K, T extends true ? V | null : V, H>
}

const keyCodec = <K>(schema: Schema.Schema<K, string> | undefined): Pick<Topic<K, unknown>, "decodeKey" | "encodeKey"> => {
  // A keyless topic: K is null.
  if (schema === undefined) return { encodeKey: () => Either.right(null), decodeKey: () => Either.right(null as K) }
  const decode = Schema.decodeEither(schema)
  // A message without a key has the empty one.
  return { encodeKey: Schema.encodeEither(schema), decodeKey: (text) => decode(text ?? "") }
}
const valueCodec = <V, J>(schema: Schema.Schema<V, J>): Pick<Topic<unknown, V>, "decodeValue" | "encodeValue"> => {
  const json = Schema.parseJson(schema)
  const decode = Schema.decodeEither(json)
  // A tombstone is JSON's null to a schema that takes it.
  return { encodeValue: Schema.encodeEither(json), decodeValue: (text) => decode(text ?? "null") }
}
const withTombstones = <K, V, H>(topic: Topic<K, V, H>): Topic<K, V | null, H> => ({
  ...topic,
  encodeValue: (value) => (value === null ? Either.right(null) : topic.encodeValue(value)),
  decodeValue: (text) => (text === null ? Either.right(null) : topic.decodeValue(text))
})

const utf8 = new TextDecoder("utf-8", { fatal: true })
const headerCodec = <H, I extends HeaderTexts>(schema: Schema.Schema<H, I>): Required<Pick<Topic<unknown, unknown, H>, "decodeHeaders" | "encodeHeaders">> => {
  const encode = Schema.encodeEither(schema)
  const decode = Schema.decodeUnknownEither(schema)
  return {
    encodeHeaders: (headers) =>
      Either.map(encode(headers), (texts) => Object.entries(texts).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]))),
    decodeHeaders: (headers) => decode(Object.fromEntries(headers.flatMap(({ key, value }) => textOf(key, value))))
  }
}
/** The entry of a header; none where its value is no text. */
const textOf = (key: string, value: Uint8Array | null): ReadonlyArray<readonly [string, string]> => {
  try {
    return value === null ? [] : [[key, utf8.decode(value)]]
  } catch {
    return []
  }
}
