import { type Either, type ParseResult, Schema } from "effect"
import { invalid } from "../argument/guard.ts"

/**
 * A topic whose keys and values have types. Keys are written as text and values as JSON, both in UTF-8, which any Kafka
 * client can read.
 */
export interface Topic<K, V> {
  readonly name: string
  readonly encodeKey: (key: K) => Either.Either<string, ParseResult.ParseError>
  readonly encodeValue: (value: V) => Either.Either<string, ParseResult.ParseError>
  readonly decodeKey: (text: string) => Either.Either<K, ParseResult.ParseError>
  /** A ParseError also for text that is not JSON. */
  readonly decodeValue: (text: string) => Either.Either<V, ParseResult.ParseError>
}

/**
 * Names a topic and its types. Throws InvalidArgument for a value that is not a schema: a topic is made where a program
 * begins, outside of any effect. The calls that use the topic check its name.
 *
 *     const orders = Topic.make("orders", { key: Schema.String, value: Schema.Struct({ id: Schema.String, cents: Schema.Int }) })
 */
export const make = <K, V, J>(name: string, of: { readonly key: Schema.Schema<K, string>; readonly value: Schema.Schema<V, J> }): Topic<K, V> => {
  for (const [field, schema] of [
    ["key", of?.key],
    ["value", of?.value]
  ] as const)
    if (!Schema.isSchema(schema)) throw invalid("Topic.make", { field, given: schema, allowed: "a schema of effect/Schema" })
  const json = Schema.parseJson(of.value)
  return {
    name,
    encodeKey: Schema.encodeEither(of.key),
    encodeValue: Schema.encodeEither(json),
    decodeKey: Schema.decodeEither(of.key),
    decodeValue: Schema.decodeEither(json)
  }
}
