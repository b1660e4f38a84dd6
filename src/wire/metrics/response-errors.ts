import type { AnyApi, AnyWire } from "../../protocol/type/wire.ts"

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

const walks = new WeakMap<AnyApi, ResponseErrors>()

/**
 * The walk over the error codes of an API's responses, made when it is first asked for. For a response of one partition
 * it takes some 30 ns.
 */
export const responseErrors = (api: AnyApi): ResponseErrors => {
  const known = walks.get(api)
  if (known !== undefined) return known
  const walk = walkOf(api.response.body) ?? none
  walks.set(api, walk)
  return walk
}
