import { Either } from "effect"
import { decodeRequest, decodeResponse } from "../../protocol/codec/compile.ts"
import { decodeRequestHeader, responseFrame } from "../../protocol/codec/frame.ts"
import { Metadata } from "../../protocol/message/03-metadata.ts"
import type { AnyApi, AnyWire, NamedField } from "../../protocol/type/wire.ts"
import { joined } from "./joined.ts"

type Struct = Readonly<Record<string, unknown>>
const isErrorCode = ({ name, wire }: Pick<NamedField, "name" | "wire">): boolean => wire.shape.kind === "int16" && /^errorCode$|ErrorCode$/.test(name)
const isIndex = (name: string): boolean => name === "index" || name === "partition" || name === "partitionIndex"

const fieldsOf = (wire: AnyWire): ReadonlyArray<NamedField> => {
  const { shape } = wire
  if (shape.kind === "struct") return shape.fields
  return shape.kind === "array" || shape.kind === "nullable" ? fieldsOf(shape.of) : []
}
const isList = ({ shape }: AnyWire): boolean => shape.kind === "array" || (shape.kind === "nullable" && isList(shape.of))
const carriesErrors = (wire: AnyWire): boolean => fieldsOf(wire).some((field) => isErrorCode(field) || carriesErrors(field.wire))

/** Whether responses of the API carry an error at all. */
export const canAnswer = ({ response }: AnyApi): boolean => carriesErrors(response.body)

/** The field of an element that a request names by its value alone: a topic's name, a partition's index. */
const named = (fields: ReadonlyArray<NamedField>, value: unknown): Struct => {
  const kind = typeof value === "number" ? "int32" : "text"
  const field = fields.find(({ wire: { shape } }) => (shape.kind === "nullable" ? shape.of.shape.kind : shape.kind) === kind)
  return field === undefined ? {} : { [field.name]: value }
}

/** Fills a response's struct, by the part of the request that it answers, with the error in its innermost elements. Undefined where no field can carry it. */
const answered = (wire: AnyWire, request: Struct, code: number, version: number): Struct | undefined => {
  const fields = fieldsOf(wire).filter(({ since, until }) => version >= since && version <= until)
  const asked = Object.values(request).find((value): value is ReadonlyArray<unknown> => Array.isArray(value) && value.length > 0)
  const value: Record<string, unknown> = { ...((wire.shape.kind === "struct" ? wire.zero : {}) as object) }
  for (const { absent, name } of fieldsOf(wire)) value[name] ??= absent
  for (const { name } of fields) {
    const same = Object.keys(request).find((each) => each === name || (isIndex(each) && isIndex(name)))
    if (same !== undefined && typeof request[same] === typeof value[name] && !Array.isArray(request[same])) value[name] = request[same]
  }
  let told = false
  for (const { name, wire: of } of asked === undefined ? [] : fields.filter((field) => isList(field.wire) && carriesErrors(field.wire))) {
    const elements = (asked ?? []).map((each) =>
      answered(of, typeof each === "object" && each !== null ? (each as Struct) : named(fieldsOf(of), each), code, version)
    )
    if (elements.includes(undefined)) continue
    value[name] = elements
    told = true
  }
  const own = told ? undefined : fields.find(isErrorCode)
  if (own !== undefined) value[own.name] = code
  return told || own !== undefined ? value : undefined
}

/**
 * The response to a request, given without its length, that carries an error and no success: a whole frame. Undefined
 * where the request cannot be read, or its response has no place for an error.
 */
export const errorAnswer = (api: AnyApi, frame: Uint8Array, code: number): Uint8Array | undefined => {
  const read = decodeRequestHeader(frame)
  if (Either.isLeft(read)) return undefined
  const { bodyAt, header } = read.right
  const request = decodeRequest(api, header.apiVersion, frame, bodyAt)
  if (Either.isLeft(request)) return undefined
  const response = answered(api.response.body, request.right as Struct, code, header.apiVersion)
  return response === undefined ? undefined : joined(responseFrame(api, header.apiVersion, header.correlationId, response as never))
}

/** A response of Metadata, given as a frame, with the error in each of its topics. The nodes stay, since a client needs them. */
export const metadataWithError = (frame: Uint8Array, version: number, correlationId: number, code: number): Uint8Array => {
  const body = frame.subarray(version >= Metadata.flexible ? 9 : 8)
  const read = decodeResponse(Metadata, version, body)
  if (Either.isLeft(read)) return frame
  const topics = read.right.topics.map((topic) => ({ ...topic, errorCode: code, partitions: [] }))
  return joined(responseFrame(Metadata, version, correlationId, { ...read.right, topics }))
}
