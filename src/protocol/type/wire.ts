/** Types that exist only for the compiler: what is read has type A, what may be written has type D. */
declare const read: unique symbol
declare const draft: unique symbol

/** How a value is encoded on the wire, in every version. Made by the vocabulary of this folder, run by src/protocol/codec. */
interface Wire<out A, in D = A> {
  readonly shape: Shape
  /** What Kafka takes for a value that is not there: 0, "", [], false, the zero UUID. */
  readonly zero: unknown
  readonly [read]?: A
  readonly [draft]?: (value: D) => void
}
export type AnyWire = Wire<unknown, never>

/** The wire types without parts. Lengths and counts are compact in flexible versions (KIP-482); a `nullable` may be null. */
export type Scalar = "bool" | "int8" | "int16" | "int32" | "int64" | "uint16" | "uint32" | "float64" | "uuid" | "text" | "bytes" | "records"

type Shape =
  | { readonly kind: Scalar }
  | { readonly kind: "array"; readonly of: AnyWire }
  | { readonly kind: "struct"; readonly fields: ReadonlyArray<NamedField> }
  /** Null is legal from version `since` on; before that a null is an error. */
  | { readonly kind: "nullable"; readonly of: AnyWire; readonly since: number }

/** Where a field stands: in which versions, under which tag, and what a reader sees where it does not stand. */
interface Field<out A, in D, out Optional extends boolean> {
  readonly wire: Wire<A, D>
  /** First and last version that carry the field, both included. */
  readonly since: number
  readonly until: number
  /** The tag in the struct's tag section (KIP-482); undefined for a field with a fixed place. */
  readonly tag: number | undefined
  readonly absent: unknown
  /** Whether a writer may drop a value that the version cannot carry. Otherwise that is an EncodeError, as in Kafka. */
  readonly ignorable: boolean
  /** Whether a draft may leave the field out; `absent` is written then. */
  readonly optional: Optional
}
export type AnyField = Field<unknown, never, boolean>
export interface NamedField extends AnyField {
  readonly name: string
}

/** A tagged field that this version of the descriptor does not know. It is kept and written back, so that a relay loses nothing. */
export interface UnknownTag {
  readonly tag: number
  readonly data: Uint8Array
}

interface Fields {
  readonly [name: string]: AnyWire | AnyField
}
type Read<F> = F extends Field<infer A, never, boolean> ? A : F extends Wire<infer A, never> ? A : never
type Written<F> = F extends { readonly wire: Wire<unknown, infer D> } ? D : F extends Wire<unknown, infer D> ? D : never
type MayBeAbsent<F extends Fields> = { [K in keyof F]: F[K] extends { readonly optional: true } ? K : never }[keyof F]

/** A struct as it is read: every field is there, in every version. */
type Struct<F extends Fields> = { readonly [K in keyof F]: Read<F[K]> } & { readonly unknownTags?: ReadonlyArray<UnknownTag> | undefined }
/** A struct as it may be written: a field with a default, and one that some version lacks, may be left out. */
type StructDraft<F extends Fields> = { readonly [K in Exclude<keyof F, MayBeAbsent<F>>]: Written<F[K]> } & {
  readonly [K in MayBeAbsent<F>]?: Written<F[K]> | undefined
} & { readonly unknownTags?: ReadonlyArray<UnknownTag> | undefined }

/** All bits zero: "no id". */
export const zeroUuid = "AAAAAAAAAAAAAAAAAAAAAA"
export const noBytes: Uint8Array = new Uint8Array(0)

const scalar = <A>(kind: Scalar, zero: A): Wire<A> => ({ shape: { kind }, zero })

export const bool = scalar<boolean>("bool", false)
export const int8 = scalar<number>("int8", 0)
export const int16 = scalar<number>("int16", 0)
export const int32 = scalar<number>("int32", 0)
/** A bigint, since Kafka's values reach further than 2^53. */
export const int64 = scalar<bigint>("int64", 0n)
export const uint16 = scalar<number>("uint16", 0)
export const uint32 = scalar<number>("uint32", 0)
export const float64 = scalar<number>("float64", 0)
/** Kafka's text form of a UUID: 22 characters of base64url without padding. */
export const uuid = scalar<string>("uuid", zeroUuid)
/** UTF-8; text that is not valid UTF-8 is a DecodeError. */
export const text = scalar<string>("text", "")
/** Opaque bytes. What is read is a view over the frame, not a copy. */
export const bytes = scalar<Uint8Array>("bytes", noBytes)
/** Record batches, untouched: a view over the frame. Usually nullable(records). They may be written from several views, one after the other, as a log gives them. */
export const records: Wire<Uint8Array, Uint8Array | ReadonlyArray<Uint8Array>> = scalar<Uint8Array>("records", noBytes) as Wire<
  Uint8Array,
  Uint8Array | ReadonlyArray<Uint8Array>
>
/** One of Kafka's errors (domain/kernel/error-code.ts); 0 is success. */
export const errorCode = int16

/** A value that may be null. Kafka's default stays that of the inner type, except for records, where it is null. */
export const nullable = <A, D>(of: Wire<A, D>): Wire<A | null, D | null> => nullableSince(0, of)
/** A value that may be null from `version` on. */
export const nullableSince = <A, D>(version: number, of: Wire<A, D>): Wire<A | null, D | null> => ({
  shape: { kind: "nullable", of, since: version },
  zero: of.shape.kind === "records" ? null : of.zero
})
export const array = <A, D>(of: Wire<A, D>): Wire<ReadonlyArray<A>, ReadonlyArray<D>> => ({ shape: { kind: "array", of }, zero: [] })

/** Fields in the order of the wire; tagged fields follow them, by tag. */
export const struct = <const F extends Fields>(fields: F): Wire<Struct<F>, StructDraft<F>> => {
  const named = Object.entries(fields).map(([name, field]) => ({ name, ...("wire" in field ? field : always(field, field.zero, false)) }))
  return { shape: { kind: "struct", fields: named }, zero: Object.fromEntries(named.map(({ name, absent }) => [name, absent])) }
}

const last = Number.POSITIVE_INFINITY
const always = <A, D, const O extends boolean>(wire: Wire<A, D>, absent: unknown, optional: O): Field<A, D, O> => ({
  wire,
  since: 0,
  until: last,
  tag: undefined,
  absent,
  ignorable: false,
  optional
})
/** "ignorable": a writer drops the value without a word where the version has no place for it. */
type Loss = "ignorable" | undefined

/** On the wire in every version; a draft may leave it out. */
export const withDefault = <A, D>(wire: Wire<A, D>, absent: NoInfer<A>): Field<A, D, true> => always(wire, absent, true)

/** On the wire from version `from` to version `to`. Elsewhere a reader sees `absent`, and a writer fails when the value differs from it, unless the field is ignorable. */
export const between = <A, D>(from: number, to: number, wire: Wire<A, D>, absent: NoInfer<A>, loss?: Loss): Field<A, D, true> => ({
  ...always(wire, absent, true),
  since: from,
  until: to,
  ignorable: loss === "ignorable"
})
/** On the wire from `version` on. */
export const since = <A, D>(version: number, wire: Wire<A, D>, absent: NoInfer<A>, loss?: Loss): Field<A, D, true> => between(version, last, wire, absent, loss)
/** On the wire up to and with `version`. */
export const until = <A, D>(version: number, wire: Wire<A, D>, absent: NoInfer<A>, loss?: Loss): Field<A, D, true> => between(0, version, wire, absent, loss)
/** In the tag section from version `from` on (KIP-482), and only when it differs from `absent`. */
export const tagged = <A, D>(tag: number, from: number, wire: Wire<A, D>, absent: NoInfer<A>, loss?: Loss): Field<A, D, true> => ({
  ...since(from, wire, absent, loss),
  tag
})
/** `throttleTimeMs` of a response from version `first` on. Handlers leave it out: the server writes how long it delays the client, 0 for a client that is not delayed. */
export const throttleTime = (first = 0): Field<number, number, true> => (first === 0 ? withDefault(int32, 0) : since(first, int32, 0, "ignorable"))
/** What a struct holds when nothing of it was sent: the default of an absent struct field. */
export const zeroOf = <A, D>(wire: Wire<A, D>): A => wire.zero as A

/** A schema on its own, with its versions: a request, a response, or what clients embed in one. */
export interface Schema<out A, in D> {
  readonly name: string
  /** First and last version, both included. */
  readonly versions: readonly [first: number, last: number]
  /** First flexible version (KIP-482); infinite where there is none. */
  readonly flexible: number
  readonly body: Wire<A, D>
}
export const schema = <const F extends Fields>(
  head: { readonly name: string; readonly versions: readonly [number, number]; readonly flexible?: number },
  fields: F
): Schema<Struct<F>, StructDraft<F>> => ({ name: head.name, versions: head.versions, flexible: head.flexible ?? last, body: struct(fields) })

/** A request and its response under one API key. Exported for declarations. */
export interface Api<out Q, in QD, out S, in SD> {
  readonly key: number
  /** Kafka's name, without "Request". */
  readonly name: string
  readonly versions: readonly [first: number, last: number]
  readonly flexible: number
  /** The last version that Kafka has declared stable; later ones are for those who turn them on. */
  readonly latestStable: number
  readonly request: Schema<Q, QD>
  readonly response: Schema<S, SD>
}
export type AnyApi = Api<unknown, never, unknown, never>

export type RequestOf<T extends AnyApi> = T extends Api<infer Q, never, unknown, never> ? Q : never
export type ResponseOf<T extends AnyApi> = T extends Api<unknown, never, infer S, never> ? S : never
export type RequestDraft<T extends AnyApi> = T extends { readonly request: Schema<unknown, infer D> } ? D : never
export type ResponseDraft<T extends AnyApi> = T extends { readonly response: Schema<unknown, infer D> } ? D : never

interface Head {
  readonly key: number
  readonly name: string
  readonly versions: readonly [first: number, last: number]
  /** Left out where no version is flexible. */
  readonly flexible?: number
  readonly latestStable?: number
}
export const api = <const Q extends Fields, const S extends Fields>(
  head: Head,
  request: Q,
  response: S
): Api<Struct<Q>, StructDraft<Q>, Struct<S>, StructDraft<S>> => ({
  key: head.key,
  name: head.name,
  versions: head.versions,
  flexible: head.flexible ?? last,
  latestStable: head.latestStable ?? head.versions[1],
  request: schema({ ...head, name: `${head.name}Request` }, request),
  response: schema({ ...head, name: `${head.name}Response` }, response)
})
