import { errorCode, type KafkaError } from "../../../domain/kernel/error-code.ts"
import type { AnyApi, NamedField } from "../../protocol/type/wire.ts"

const carries = (fields: ReadonlyArray<NamedField>, name: string, version: number): boolean =>
  fields.some((field) => field.name === name && version >= field.since && version <= field.until)

/**
 * A response with one error for the whole request, and the message where the version carries one. Undefined where the version has no such field: the server closes the connection instead.
 */
export const errorResponse = ({ response }: AnyApi, version: number, error: KafkaError, message?: string): object | undefined => {
  const { shape, zero } = response.body
  if (shape.kind !== "struct" || !carries(shape.fields, "errorCode", version)) return undefined
  const explained = message !== undefined && carries(shape.fields, "errorMessage", version)
  return { ...(zero as object), errorCode: errorCode(error), ...(explained ? { errorMessage: message } : {}) }
}
