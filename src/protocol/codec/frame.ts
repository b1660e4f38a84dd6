import { Either } from "effect"
import { apiByKey } from "../message/registry.ts"
import type { AnyApi, RequestDraft, ResponseDraft, ResponseOf, Schema, UnknownTag } from "../type/wire.ts"
import { decodeResponse, encodeInSlicesTo, encodeTo } from "./compile.ts"
import type { DecodeError } from "./decode-error.ts"
import {
  type RequestHeader,
  type RequestHeaderVersion,
  type ResponseHeader,
  type ResponseHeaderVersion,
  readRequestHeader,
  readResponseHeader,
  writeRequestHeader,
  writeResponseHeader
} from "./header.ts"
import { reading } from "./malformed.ts"
import { Reader } from "./reader.ts"
import { writing } from "./unwritable.ts"
import { readInt32, writeInt32 } from "./words.ts"
import { Writer } from "./writer.ts"

export type { RequestHeader } from "./header.ts"

const apiVersionsKey = 18
const controlledShutdownKey = 7
const noTags: ReadonlyArray<UnknownTag> = []
/** Tagged fields that a request's header may have: the protocol knows none, we know one. */
const headerTagsMax = 1000

/**
 * 2 for flexible versions, 1 for the others. A version beyond the API's range counts as flexible, as it would be; version 0 of ControlledShutdown alone has a
 * header without client id. An API that we do not know is read as version 1, so that a response finds its correlation id.
 */
const requestHeaderVersion = (apiKey: number, apiVersion: number): RequestHeaderVersion => {
  if (apiKey === controlledShutdownKey && apiVersion === 0) return 0
  return apiVersion >= (apiByKey(apiKey)?.flexible ?? Number.POSITIVE_INFINITY) ? 2 : 1
}
/** 1 for flexible versions, 0 for the others, and always 0 for ApiVersions: its client does not know yet what we understand (KIP-511). */
const responseHeaderVersion = ({ key, flexible }: AnyApi, version: number): ResponseHeaderVersion => (key !== apiVersionsKey && version >= flexible ? 1 : 0)

/** The header of `frame`, which begins behind the length prefix, and where the body begins. */
export const decodeRequestHeader = (frame: Uint8Array): Either.Either<{ readonly header: RequestHeader; readonly bodyAt: number }, DecodeError> =>
  reading(() => {
    const from = new Reader(frame, 0, frame.length, headerTagsMax)
    return { header: readRequestHeader(from, requestHeaderVersion), bodyAt: from.at }
  }, "header")

/** What a client chooses for a request. */
interface RequestHead {
  readonly correlationId: number
  readonly clientId: string | null
  /** Tagged fields for the flexible header; a version with another header drops them. */
  readonly tags?: ReadonlyArray<UnknownTag>
}

/** A whole request as chunks, length prefix first. Throws EncodeError. */
export const requestFrame = <T extends AnyApi>(api: T, version: number, head: RequestHead, draft: RequestDraft<T>): ReadonlyArray<Uint8Array> =>
  framed((to) => {
    const { correlationId, clientId, tags: unknownTags = noTags } = head
    const header = { apiKey: api.key, apiVersion: version, correlationId, clientId, unknownTags }
    writing(() => writeRequestHeader(to, requestHeaderVersion(api.key, version), header), "header")
    encodeTo(to, api.request as Schema<unknown, RequestDraft<T>>, version, draft)
  })

/** A whole response as chunks, length prefix first. Throws EncodeError. */
export const responseFrame = <T extends AnyApi>(api: T, version: number, correlationId: number, draft: ResponseDraft<T>): ReadonlyArray<Uint8Array> =>
  framed((to) => {
    writing(() => writeResponseHeader(to, responseHeaderVersion(api, version), { correlationId, unknownTags: noTags }), "header")
    encodeTo(to, api.response as Schema<unknown, ResponseDraft<T>>, version, draft)
  })

/** As responseFrame, with a `yield` about every 0.1 ms. Throws EncodeError. */
export function* responseFrameInSlices<T extends AnyApi>(
  api: T,
  version: number,
  correlationId: number,
  draft: ResponseDraft<T>
): Generator<void, ReadonlyArray<Uint8Array>> {
  const to = new Writer()
  to.int32(0)
  writing(() => writeResponseHeader(to, responseHeaderVersion(api, version), { correlationId, unknownTags: noTags }), "header")
  yield* encodeInSlicesTo(to, api.response as Schema<unknown, ResponseDraft<T>>, version, draft)
  return finished(to)
}

const framed = (write: (to: Writer) => void): ReadonlyArray<Uint8Array> => {
  const to = new Writer()
  to.int32(0)
  write(to)
  return finished(to)
}

/** The length of a frame is known only at its end: four bytes are kept at the front of the first chunk, which always is the writer's own. */
const finished = (to: Writer): ReadonlyArray<Uint8Array> => {
  const size = to.size - 4
  const chunks = to.finish()
  writeInt32(chunks[0] as Uint8Array, 0, size)
  return chunks
}

/**
 * The correlation id of a whole response as `responseFrame` gives it: the writer's own first chunk holds the header. Byte by byte: a DataView would ask the small array for its buffer,
 * which the engine then makes, fills and collects for every response.
 */
export const correlationIdOf = (chunks: ReadonlyArray<Uint8Array>): number => {
  const first = chunks[0]
  return first === undefined || first.length < 8 ? -1 : readInt32(first, 4)
}

/** The correlation id of a response frame without its length prefix: what tells the request, and with it API and version. */
export const decodeCorrelationId = (frame: Uint8Array): Either.Either<number, DecodeError> =>
  reading(() => new Reader(frame, 0, frame.length).int32(), "header.correlationId")

/** A response frame without its length prefix, by the API and version of its request. */
export const decodeResponseFrame = <T extends AnyApi>(
  api: T,
  version: number,
  frame: Uint8Array
): Either.Either<{ readonly correlationId: number; readonly value: ResponseOf<T> }, DecodeError> =>
  Either.flatMap(readFrameHeader(frame, responseHeaderVersion(api, version)), ({ header: { correlationId }, bodyAt }) =>
    Either.map(decodeResponse(api, version, frame, bodyAt), (value) => ({ correlationId, value }))
  )

const readFrameHeader = (
  frame: Uint8Array,
  version: ResponseHeaderVersion
): Either.Either<{ readonly header: ResponseHeader; readonly bodyAt: number }, DecodeError> =>
  reading(() => {
    const from = new Reader(frame, 0, frame.length)
    return { header: readResponseHeader(from, version), bodyAt: from.at }
  }, "header")
