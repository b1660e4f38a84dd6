import { type Either, type ParseResult, Schema } from "effect"

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
 *     const orders = Topic.make("orders", { key: Schema.String, value: Schema.Struct({ id: Schema.String, cents: Schema.Int }) })
 */
export const make = <K, V, J>(name: string, of: { readonly key: Schema.Schema<K, string>; readonly value: Schema.Schema<V, J> }): Topic<K, V> => {
  const json = Schema.parseJson(of.value)
  return {
    name,
    encodeKey: Schema.encodeEither(of.key),
    encodeValue: Schema.encodeEither(json),
    decodeKey: Schema.decodeEither(of.key),
    decodeValue: Schema.decodeEither(json)
  }
}
