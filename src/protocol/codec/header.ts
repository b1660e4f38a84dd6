import { struct, type UnknownTag } from "../type/wire.ts"
import { compileRead, type Read } from "./compile-reader.ts"
import { compileWrite } from "./compile-writer.ts"
import type { Reader } from "./reader.ts"
import type { Writer } from "./writer.ts"

/** The header before the body of every request. */
export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  /** Chosen by the client; the response carries it back. */
  readonly correlationId: number
  readonly clientId: string | null
  /** From header version 2 alone; empty for the others. Copies, since the frame may be gone before they are looked at; those over `tagBytesMax` are left out. */
  readonly unknownTags: ReadonlyArray<UnknownTag>
}
/** The header before the body of every response. */
export interface ResponseHeader {
  readonly correlationId: number
  readonly unknownTags: ReadonlyArray<UnknownTag>
}
/** 0 without client id, 1 with it, 2 with tagged fields too. */
export type RequestHeaderVersion = 0 | 1 | 2
/** 0 is the correlation id alone, 1 has tagged fields too. */
export type ResponseHeaderVersion = 0 | 1

const noTags: ReadonlyArray<UnknownTag> = []
/** A struct without fields is nothing but its tag section. */
const tagSection = compileRead(struct({}), { version: 0, flexible: true }) as Read<{ readonly unknownTags?: ReadonlyArray<UnknownTag> }>
const readTags = (from: Reader): ReadonlyArray<UnknownTag> => tagSection(from).unknownTags ?? noTags
/** A tagged field of a request's header is kept up to this length: the only one that is known has 128 bytes at most. */
const tagBytesMax = 1024
const kept = (tags: ReadonlyArray<UnknownTag>): ReadonlyArray<UnknownTag> =>
  tags.length === 0 ? noTags : tags.filter(({ data }) => data.length <= tagBytesMax).map(({ data, tag }) => ({ tag, data: new Uint8Array(data) }))
const writeTags = compileWrite(struct({}), { version: 0, flexible: true })

/** `versionOf` chooses the header's version from the key and version of the API, with which it begins in every version. */
export const readRequestHeader = (from: Reader, versionOf: (apiKey: number, apiVersion: number) => RequestHeaderVersion): RequestHeader => {
  const apiKey = from.int16()
  const apiVersion = from.int16()
  const correlationId = from.int32()
  const version = versionOf(apiKey, apiVersion)
  const clientId = version === 0 ? null : readClientId(from)
  return { apiKey, apiVersion, correlationId, clientId, unknownTags: version === 2 ? kept(readTags(from)) : noTags }
}
/** Two bytes of length in every version, even the flexible one: a broker must be able to read the header of any ApiVersions request. */
const readClientId = (from: Reader): string | null => {
  const length = from.length16()
  return length < 0 ? null : from.text(length)
}
export const writeRequestHeader = (to: Writer, version: RequestHeaderVersion, header: RequestHeader): void => {
  to.int16(header.apiKey)
  to.int16(header.apiVersion)
  to.int32(header.correlationId)
  if (version === 0) return
  if (header.clientId === null) to.int16(-1)
  else to.text(header.clientId, false)
  if (version === 2) writeTags(to, header)
}

export const readResponseHeader = (from: Reader, version: ResponseHeaderVersion): ResponseHeader => {
  const correlationId = from.int32()
  return { correlationId, unknownTags: version === 1 ? readTags(from) : noTags }
}
export const writeResponseHeader = (to: Writer, version: ResponseHeaderVersion, header: ResponseHeader): void => {
  to.int32(header.correlationId)
  if (version === 1) writeTags(to, header)
}
