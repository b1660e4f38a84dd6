import type { Produce } from "../../protocol/message/00-produce.ts"
import type { Fetch } from "../../protocol/message/01-fetch.ts"
import type { AnyApi, AnyWire, ResponseDraft } from "../../protocol/type/wire.ts"

/** Calls `found` with every error code of a response, or of a part of it, that is not 0. */
type ResponseErrors = (response: unknown, found: (code: number) => void) => void

const none: ResponseErrors = () => {}
/** Kafka names these fields ErrorCode, some with a word before it. */
const isErrorCode = (name: string, { shape }: AnyWire): boolean => shape.kind === "int16" && /^errorCode$|ErrorCode$/.test(name)

const walkOf = ({ shape }: AnyWire): ResponseErrors | undefined => {
  switch (shape.kind) {
    case "nullable":
      return walkOf(shape.of)
    case "array": {
      const walk = walkOf(shape.of)
      return walk === undefined
        ? undefined
        : (elements, found) => {
            for (const element of elements as ReadonlyArray<unknown>) walk(element, found)
          }
    }
    case "struct":
      return structWalk(shape.fields.map(({ name, wire }) => ({ name, wire })))
    default:
      return undefined
  }
}

const structWalk = (fields: ReadonlyArray<{ readonly name: string; readonly wire: AnyWire }>): ResponseErrors | undefined => {
  const codes = fields.filter(({ name, wire }) => isErrorCode(name, wire)).map(({ name }) => name)
  const parts = fields.flatMap(({ name, wire }) => {
    const walk = walkOf(wire)
    return walk === undefined ? [] : [{ name, walk }]
  })
  if (codes.length === 0 && parts.length === 0) return undefined
  return (value, found) => {
    const struct = value as Readonly<Record<string, unknown>>
    for (const name of codes) {
      const code = struct[name]
      if (code !== 0 && code !== undefined) found(code as number)
    }
    for (const { name, walk } of parts) {
      const part = struct[name]
      if (part !== undefined && part !== null) walk(part, found)
    }
  }
}

/**
 * Produce and Fetch have their walks by hand: with the names of the fields in the code the engine reads each in 1 ns, in
 * the general walk in 10.
 */
const produceErrors: ResponseErrors = (response, found) => {
  const { responses } = response as ResponseDraft<typeof Produce>
  for (let topic = 0; topic < responses.length; topic++) {
    const partitions = (responses[topic] as (typeof responses)[number]).partitionResponses
    for (let at = 0; at < partitions.length; at++) {
      const { errorCode } = partitions[at] as (typeof partitions)[number]
      if (errorCode !== 0) found(errorCode)
    }
  }
}
const fetchErrors: ResponseErrors = (response, found) => {
  const { errorCode: ofAll = 0, responses } = response as ResponseDraft<typeof Fetch>
  if (ofAll !== 0) found(ofAll)
  for (let topic = 0; topic < responses.length; topic++) {
    const { partitions } = responses[topic] as (typeof responses)[number]
    for (let at = 0; at < partitions.length; at++) {
      const { errorCode } = partitions[at] as (typeof partitions)[number]
      if (errorCode !== 0) found(errorCode)
    }
  }
}

/** The walks by API key. */
const walks: Array<ResponseErrors | undefined> = [produceErrors, fetchErrors]

/** The walk over the error codes of an API's responses, made when it is first asked for. */
export const responseErrors = (api: AnyApi): ResponseErrors => (walks[api.key] ??= walkOf(api.response.body) ?? none)
