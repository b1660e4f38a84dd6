import { Either } from "effect"
import { decodeAt, encode } from "../../src/protocol/codec/compile.ts"
import type { DecodeError } from "../../src/protocol/codec/decode-error.ts"
import {
  type RequestHeaderVersion,
  type ResponseHeaderVersion,
  readRequestHeader,
  readResponseHeader,
  writeRequestHeader,
  writeResponseHeader
} from "../../src/protocol/codec/header.ts"
import { joined } from "../../src/protocol/codec/joined.ts"
import { reading } from "../../src/protocol/codec/malformed.ts"
import { Reader } from "../../src/protocol/codec/reader.ts"
import { Writer } from "../../src/protocol/codec/writer.ts"
import { apiByKey } from "../../src/protocol/message/registry.ts"
import { type AnyWire, int16, int32, nullable, type Schema, struct, text } from "../../src/protocol/type/wire.ts"
import { differenceFrom, fromKafkaJson, type Json } from "./kafka-json.ts"

/** A message as Kafka 4.4's own codec wrote it. */
export interface MessageVector {
  readonly name: string
  /** Missing for the two headers. */
  readonly apiKey?: number
  readonly kind: "request" | "response" | "header"
  readonly version: number
  readonly flexible: boolean
  readonly json: Json
  readonly hex: string
}

/** One message's codec in one version, whatever it is. */
interface Subject {
  readonly wire: AnyWire
  readonly read: (bytes: Uint8Array) => Either.Either<{ readonly value: unknown; readonly end: number }, DecodeError>
  readonly write: (draft: unknown) => Uint8Array
}

/** What is wrong with our codec by this vector, field path first where there is one; undefined where it reads and writes the same as Kafka. */
export const checkMessage = (vector: MessageVector): string | undefined => {
  const subject = subjectOf(vector)
  if (subject === undefined) return "no such message"
  const bytes = Uint8Array.fromHex(vector.hex)
  const read = subject.read(bytes)
  if (Either.isLeft(read)) return read.left.message
  const { value, end } = read.right
  if (end !== bytes.length) return `${bytes.length - end} bytes are left behind the last field`
  const difference = differenceFrom(subject.wire, value, vector.json)
  if (difference !== undefined) return `${difference}: read with another value`
  return (
    writtenDifference(subject, value, bytes, "what was read") ?? writtenDifference(subject, fromKafkaJson(subject.wire, vector.json, value), bytes, "the JSON")
  )
}

const writtenDifference = (subject: Subject, draft: unknown, bytes: Uint8Array, source: string): string | undefined => {
  try {
    const written = subject.write(draft)
    const at = written.findIndex((byte, index) => byte !== bytes[index])
    return at < 0 && written.length === bytes.length ? undefined : `written from ${source}, it differs at byte ${at < 0 ? written.length : at}`
  } catch (cause) {
    return `${String(cause)} (writing ${source})`
  }
}

const subjectOf = ({ name, apiKey, kind, version, flexible }: MessageVector): Subject | undefined => {
  if (kind === "header") return headers[name]?.(version)
  const schema = apiByKey(apiKey ?? -1)?.[kind]
  if (schema?.name !== name || flexible !== version >= schema.flexible) return undefined
  return {
    wire: schema.body,
    read: (bytes) => decodeAt(schema, version, bytes),
    write: (draft) => joined(encode(schema as Schema<unknown, unknown>, version, draft))
  }
}

const cursor = (bytes: Uint8Array) => new Reader(bytes, 0, bytes.length)
const written = (write: (to: Writer) => void): Uint8Array => {
  const to = new Writer()
  write(to)
  return joined(to.finish())
}
interface NamedHeader {
  readonly requestApiKey: number
  readonly requestApiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}
const headers: { readonly [name: string]: (version: number) => Subject } = {
  RequestHeader: (version) => ({
    wire: struct({ requestApiKey: int16, requestApiVersion: int16, correlationId: int32, clientId: nullable(text) }),
    read: (bytes) =>
      reading(() => {
        const from = cursor(bytes)
        const { apiKey: requestApiKey, apiVersion: requestApiVersion, ...rest } = readRequestHeader(from, () => version as RequestHeaderVersion)
        return { value: { requestApiKey, requestApiVersion, ...rest }, end: from.at }
      }),
    write: (draft) => {
      const { requestApiKey: apiKey, requestApiVersion: apiVersion, correlationId, clientId } = draft as NamedHeader
      return written((to) => writeRequestHeader(to, version as RequestHeaderVersion, { apiKey, apiVersion, correlationId, clientId, unknownTags: [] }))
    }
  }),
  ResponseHeader: (version) => ({
    wire: struct({ correlationId: int32 }),
    read: (bytes) =>
      reading(() => {
        const from = cursor(bytes)
        return { value: readResponseHeader(from, version as ResponseHeaderVersion), end: from.at }
      }),
    write: (draft) => {
      const { correlationId } = draft as NamedHeader
      return written((to) => writeResponseHeader(to, version as ResponseHeaderVersion, { correlationId, unknownTags: [] }))
    }
  })
}
