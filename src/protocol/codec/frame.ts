import { Either } from "effect"
import { apiByKey } from "../message/registry.ts"
import { type AnyApi, type RequestDraft, type ResponseDraft, type ResponseOf, type Schema, struct, type UnknownTag } from "../type/wire.ts"
import { decodeResponse, encodeTo } from "./compile.ts"
import { compileRead, type Read } from "./compile-reader.ts"
import { compileWrite } from "./compile-writer.ts"
import { DecodeError } from "./decode-error.ts"
import { EncodeError } from "./encode-error.ts"
import { Malformed, pathText } from "./malformed.ts"
import { Reader } from "./reader.ts"
import { Unwritable } from "./unwritable.ts"
import { Writer } from "./writer.ts"

/** What stands before the body of every request. */
export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  /** Chosen by the client; the response carries it back. */
  readonly correlationId: number
  readonly clientId: string | null
  /** From the flexible header (version 2) alone; empty for the others. */
  readonly unknownTags: ReadonlyArray<UnknownTag>
}

const apiVersionsKey = 18
const controlledShutdownKey = 7
const noTags: ReadonlyArray<UnknownTag> = []
/** A struct without fields is nothing but its tag section. */
const readTags = compileRead(struct({}), { version: 0, flexible: true }) as Read<{ readonly unknownTags?: ReadonlyArray<UnknownTag> }>
const writeTags = compileWrite(struct({}), { version: 0, flexible: true })

/**
 * 2 for flexible versions, 1 for the others. A version beyond the API's range counts as flexible, as it would be; version 0 of ControlledShutdown alone has a
 * header without client id. An API that we do not know is read as version 1, so that an answer finds its correlation id.
 */
export const requestHeaderVersion = (apiKey: number, apiVersion: number): 0 | 1 | 2 => {
  if (apiKey === controlledShutdownKey && apiVersion === 0) return 0
  return apiVersion >= (apiByKey(apiKey)?.flexible ?? Number.POSITIVE_INFINITY) ? 2 : 1
}
/** 1 for flexible versions, 0 for the others, and always 0 for ApiVersions: its client does not know yet what we understand (KIP-511). */
export const responseHeaderVersion = ({ key, flexible }: AnyApi, version: number): 0 | 1 => (key !== apiVersionsKey && version >= flexible ? 1 : 0)

const attempt = <A>(path: string, read: () => A): Either.Either<A, DecodeError> => {
  try {
    return Either.right(read())
  } catch (cause) {
    if (cause instanceof Malformed) return Either.left(new DecodeError(cause.position, pathText([...cause.path, path]), cause.reason))
    throw cause
  }
}

/** The header of `frame`, which begins behind the length prefix, and where the body begins. */
export const decodeRequestHeader = (frame: Uint8Array): Either.Either<{ readonly header: RequestHeader; readonly bodyAt: number }, DecodeError> =>
  attempt("header", () => {
    const from = new Reader(frame, 0, frame.length)
    const apiKey = from.int16()
    const apiVersion = from.int16()
    const correlationId = from.int32()
    const headerVersion = requestHeaderVersion(apiKey, apiVersion)
    const clientId = headerVersion === 0 ? null : readClientId(from)
    const unknownTags = headerVersion === 2 ? (readTags(from).unknownTags ?? noTags) : noTags
    return { header: { apiKey, apiVersion, correlationId, clientId, unknownTags }, bodyAt: from.at }
  })

/** Two bytes of length in every version, even the flexible one: a broker must be able to read the header of any ApiVersions request. */
const readClientId = (from: Reader): string | null => {
  const length = from.length16()
  return length < 0 ? null : from.text(length)
}

/** What a client chooses for a request. */
export interface RequestHead {
  readonly correlationId: number
  readonly clientId: string | null
  /** Tagged fields for the flexible header; a header that is not flexible cannot carry them. */
  readonly tags?: ReadonlyArray<UnknownTag>
}

/** A whole request as chunks, length prefix first. @throws EncodeError */
export const requestFrame = <T extends AnyApi>(api: T, version: number, head: RequestHead, draft: RequestDraft<T>): ReadonlyArray<Uint8Array> =>
  framed((to) => {
    writeRequestHeader(to, {
      apiKey: api.key,
      apiVersion: version,
      correlationId: head.correlationId,
      clientId: head.clientId,
      unknownTags: head.tags ?? noTags
    })
    encodeTo(to, api.request as Schema<unknown, RequestDraft<T>>, version, draft)
  })

/** The header alone, for a relay that hands on a body it has not read. @throws EncodeError */
export const writeRequestHeader = (to: Writer, header: RequestHeader): void =>
  writingHeader(() => {
    const headerVersion = requestHeaderVersion(header.apiKey, header.apiVersion)
    to.int16(header.apiKey)
    to.int16(header.apiVersion)
    to.int32(header.correlationId)
    if (headerVersion > 0) {
      if (header.clientId === null) to.int16(-1)
      else to.text(header.clientId, false)
    }
    if (headerVersion === 2) writeTags(to, header)
  })

const writingHeader = (write: () => void): void => {
  try {
    write()
  } catch (cause) {
    if (cause instanceof Unwritable) throw new EncodeError(pathText([...cause.path, "header"]), cause.reason)
    throw cause
  }
}

/** A whole response as chunks, length prefix first. @throws EncodeError */
export const responseFrame = <T extends AnyApi>(api: T, version: number, correlationId: number, draft: ResponseDraft<T>): ReadonlyArray<Uint8Array> =>
  framed((to) => {
    writingHeader(() => to.int32(correlationId))
    if (responseHeaderVersion(api, version) === 1) to.varint(0)
    encodeTo(to, api.response as Schema<unknown, ResponseDraft<T>>, version, draft)
  })

/** The length of a frame can only be known at its end: four bytes are kept at the front of the first chunk, which always is the writer's own. */
const framed = (write: (to: Writer) => void): ReadonlyArray<Uint8Array> => {
  const to = new Writer()
  to.int32(0)
  write(to)
  const size = to.size - 4
  const chunks = to.finish()
  const first = chunks[0] as Uint8Array
  new DataView(first.buffer, first.byteOffset).setInt32(0, size)
  return chunks
}

/** The correlation id of a response frame without its length prefix, before anything is known of the body. */
export const decodeCorrelationId = (frame: Uint8Array): Either.Either<number, DecodeError> =>
  attempt("header.correlationId", () => new Reader(frame, 0, frame.length).int32())

/** A response frame without its length prefix, for the API and version of the request with that correlation id. */
export const decodeResponseFrame = <T extends AnyApi>(
  api: T,
  version: number,
  frame: Uint8Array
): Either.Either<{ readonly correlationId: number; readonly value: ResponseOf<T> }, DecodeError> =>
  Either.flatMap(
    attempt("header", () => {
      const from = new Reader(frame, 0, frame.length)
      const correlationId = from.int32()
      if (responseHeaderVersion(api, version) === 1) readTags(from)
      return { correlationId, bodyAt: from.at }
    }),
    ({ correlationId, bodyAt }) => Either.map(decodeResponse(api, version, frame, bodyAt), (value) => ({ correlationId, value }))
  )
