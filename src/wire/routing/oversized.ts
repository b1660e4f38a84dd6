import { errorCode } from "../../../domain/kernel/error-code.ts"
import type { AnyApi, NamedField } from "../../protocol/type/wire.ts"

const carries = (fields: ReadonlyArray<NamedField>, name: string, version: number): boolean =>
  fields.some((field) => field.name === name && version >= field.since && version <= field.until)

/**
 * The answer to a request of more elements than its API may have: INVALID_REQUEST, with the reason where the version has a place for it. Undefined where the version has no error for
 * the request as a whole: its connection is closed.
 */
export const oversizedAnswer = ({ response }: AnyApi, version: number, reason: string): object | undefined => {
  const { shape, zero } = response.body
  if (shape.kind !== "struct" || !carries(shape.fields, "errorCode", version)) return undefined
  return { ...(zero as object), errorCode: errorCode("INVALID_REQUEST"), ...(carries(shape.fields, "errorMessage", version) ? { errorMessage: reason } : {}) }
}
