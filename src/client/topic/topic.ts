import { type Either, type ParseResult, Schema } from "effect"
import { invalid } from "../argument/guard.ts"

/** A topic whose keys and values have types. Keys are written as text, values as JSON text, both in UTF-8: any other Kafka client reads them as such. */
export interface Topic<K, V> {
  readonly name: string
  readonly encodeKey: (key: K) => Either.Either<string, ParseResult.ParseError>
  readonly encodeValue: (value: V) => Either.Either<string, ParseResult.ParseError>
  readonly decodeKey: (text: string) => Either.Either<K, ParseResult.ParseError>
  /** A ParseError also for text that is not JSON. */
  readonly decodeValue: (text: string) => Either.Either<V, ParseResult.ParseError>
}

/**
 * Names a topic and its types:
 *
 * Throws InvalidArgument for what is no schema: a topic is named where a program begins, outside of any effect. The name is checked by the calls that use it.
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
