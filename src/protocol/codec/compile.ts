import { Either } from "effect"
import type { AnyApi, RequestDraft, RequestOf, ResponseDraft, ResponseOf, Schema } from "../type/wire.ts"
import { compileRead, type Read } from "./compile-reader.ts"
import { compileReadInSlices, type ReadInSlices } from "./compile-sliced-reader.ts"
import { compileWriteInSlices, type WriteInSlices } from "./compile-sliced-writer.ts"
import { compileWrite, type Write } from "./compile-writer.ts"
import { DecodeError } from "./decode-error.ts"
import { EncodeError } from "./encode-error.ts"
import { reading, readingInSlices } from "./malformed.ts"
import { Reader } from "./reader.ts"
import { writing, writingInSlices } from "./unwritable.ts"
import { Writer } from "./writer.ts"

type AnySchema = Schema<unknown, never>

/** The closures of one schema, by version, made when a version is first met. */
class Compiled {
  private readonly reads: Array<Read | undefined> = []
  private readonly writes: Array<Write | undefined> = []
  private readonly slicedReads: Array<ReadInSlices | undefined> = []
  private readonly slicedWrites: Array<WriteInSlices | undefined> = []
  constructor(private readonly schema: AnySchema) {}

  read(version: number): Read {
    return (this.reads[version] ??= compileRead(this.schema.body, this.form(version)))
  }
  write(version: number): Write {
    return (this.writes[version] ??= compileWrite(this.schema.body, this.form(version)))
  }
  readInSlices(version: number): ReadInSlices {
    return (this.slicedReads[version] ??= compileReadInSlices(this.schema.body, this.form(version)))
  }
  writeInSlices(version: number): WriteInSlices {
    return (this.slicedWrites[version] ??= compileWriteInSlices(this.schema.body, this.form(version)))
  }
  private form(version: number) {
    return { version, flexible: version >= this.schema.flexible }
  }
}
const compiled = new WeakMap<AnySchema, Compiled>()
const compile = (schema: AnySchema): Compiled => {
  let found = compiled.get(schema)
  if (found === undefined) compiled.set(schema, (found = new Compiled(schema)))
  return found
}
const hasVersion = ({ versions: [first, last] }: AnySchema, version: number): boolean => Number.isInteger(version) && version >= first && version <= last
const noVersion = ({ name, versions: [first, last] }: AnySchema, version: number): string => `${name} has versions ${first} to ${last}, not ${version}`

/** A value, and the position of the first byte behind it. */
interface Decoded<A> {
  readonly value: A
  readonly end: number
  /** Memory of the value, roughly, bytes; views of the message are not counted. */
  readonly memoryBytes: number
}

/** Bounds of one message. */
interface DecodeBounds {
  /** Elements of arrays and tagged fields altogether. */
  readonly elementsMax?: number
  /** Bytes of text altogether, where a long one is among them. */
  readonly quickTextBytesMax?: number
}

/** Reads one value from `bytes` at `at`. Views in it (bytes, records) stay valid as long as `bytes` does. */
export const decodeAt = <A>(
  schema: Schema<A, never>,
  version: number,
  bytes: Uint8Array,
  at = 0,
  { elementsMax, quickTextBytesMax }: DecodeBounds = {}
): Either.Either<Decoded<A>, DecodeError> => {
  if (!hasVersion(schema, version)) return Either.left(new DecodeError(at, "", noVersion(schema, version)))
  const read = compile(schema).read(version) as Read<A>
  return reading(() => {
    const from = new Reader(bytes, at, bytes.length, elementsMax, quickTextBytesMax)
    const value = read(from)
    return { value, end: from.at, memoryBytes: from.decodedBytes }
  })
}

/** Reads one value. Bytes behind it are left alone, as Kafka does: they may come from a newer peer. */
export const decode = <A>(schema: Schema<A, never>, version: number, bytes: Uint8Array, at = 0): Either.Either<A, DecodeError> =>
  Either.map(decodeAt(schema, version, bytes, at), ({ value }) => value)

/** Writes one value behind what `to` holds. Throws EncodeError. */
export const encodeTo = <D>(to: Writer, schema: Schema<unknown, D>, version: number, draft: D): void => {
  if (!hasVersion(schema, version)) throw new EncodeError("", noVersion(schema, version))
  const write = compile(schema).write(version)
  writing(() => write(to, draft))
}

/** One value as a list of chunks. Byte strings of 1 KiB and more are handed on as they are: the caller must not write to them before the chunks are sent. Throws EncodeError. */
export const encode = <D>(schema: Schema<unknown, D>, version: number, draft: D): ReadonlyArray<Uint8Array> => {
  const to = new Writer()
  encodeTo(to, schema, version, draft)
  return to.finish()
}

/** What a request may have to be read in one go: elements, and bytes of text. A thousand elements of small structs are read in about 0.2 ms; what is larger is read in slices. */
const quickElementsMax = 1000
const quickTextBytesMax = 65_536

/** The body of a request; see `decode`. A version outside the API's range is a DecodeError. More than `elementsMax` elements are a DecodeError of the kind "elements". */
export const decodeRequest = <T extends AnyApi>(
  api: T,
  version: number,
  bytes: Uint8Array,
  at = 0,
  bounds?: DecodeBounds
): Either.Either<RequestOf<T>, DecodeError> =>
  Either.map(decodeAt(api.request as Schema<RequestOf<T>, never>, version, bytes, at, bounds), ({ value }) => value)

/** Reads a request that takes about 0.2 ms at most; a larger one is a DecodeError of the kind "elements", found at little cost. */
export const decodeQuickly = <T extends AnyApi>(
  api: T,
  version: number,
  bytes: Uint8Array,
  at: number,
  elementsMax: number
): Either.Either<Decoded<RequestOf<T>>, DecodeError> =>
  decodeAt(api.request as Schema<RequestOf<T>, never>, version, bytes, at, { elementsMax: Math.min(quickElementsMax, elementsMax), quickTextBytesMax })

/** Reads a request, with a `yield` about every 0.1 ms. */
export function* decodeInSlices<T extends AnyApi>(
  api: T,
  version: number,
  bytes: Uint8Array,
  at: number,
  elementsMax: number
): Generator<void, Either.Either<Decoded<RequestOf<T>>, DecodeError>> {
  const schema = api.request as Schema<RequestOf<T>, never>
  if (!hasVersion(schema, version)) return Either.left(new DecodeError(at, "", noVersion(schema, version)))
  const read = compile(schema).readInSlices(version) as ReadInSlices<RequestOf<T>>
  const from = new Reader(bytes, at, bytes.length, elementsMax)
  return Either.map(yield* readingInSlices(read(from)), (value) => ({ value, end: from.at, memoryBytes: from.decodedBytes }))
}

/** As encodeTo, with a `yield` about every 0.1 ms. Throws EncodeError. */
export function* encodeInSlicesTo<D>(to: Writer, schema: Schema<unknown, D>, version: number, draft: D): Generator<void, void> {
  if (!hasVersion(schema, version)) throw new EncodeError("", noVersion(schema, version))
  yield* writingInSlices(compile(schema).writeInSlices(version)(to, draft))
}

/** The body of a response; see `decode`. */
export const decodeResponse = <T extends AnyApi>(api: T, version: number, bytes: Uint8Array, at = 0): Either.Either<ResponseOf<T>, DecodeError> =>
  decode(api.response as Schema<ResponseOf<T>, never>, version, bytes, at)
/** The body of a request as chunks; see `encode`. Throws EncodeError. */
export const encodeRequest = <T extends AnyApi>(api: T, version: number, draft: RequestDraft<T>): ReadonlyArray<Uint8Array> =>
  encode(api.request as Schema<unknown, RequestDraft<T>>, version, draft)
/** The body of a response as chunks; see `encode`. Throws EncodeError. */
export const encodeResponse = <T extends AnyApi>(api: T, version: number, draft: ResponseDraft<T>): ReadonlyArray<Uint8Array> =>
  encode(api.response as Schema<unknown, ResponseDraft<T>>, version, draft)
