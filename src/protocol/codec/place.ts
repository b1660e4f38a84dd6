import type { AnyField, AnyWire, Scalar } from "../type/wire.ts"

/** One version of one schema: what a descriptor is compiled for. */
export interface Form {
  readonly version: number
  readonly flexible: boolean
}

/** Whether the version carries the field at all, tagged or not. */
const carries = (field: AnyField, form: Form): boolean => form.version >= field.since && form.version <= field.until
/** Whether the field has its fixed place in the version. */
export const stands = (field: AnyField, form: Form): boolean => field.tag === undefined && carries(field, form)
/** The tagged fields of a version, which has them only when it is flexible. */
export const isTagged = (field: AnyField, form: Form): boolean => field.tag !== undefined && form.flexible && carries(field, form)

const fixedBytes: Record<Scalar, number> = {
  bool: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint16: 2,
  uint32: 4,
  float64: 8,
  uuid: 16,
  text: 2,
  bytes: 4,
  records: 4
}

/** The fewest bytes that a value takes: what bounds the count of an array before any memory is taken for it. */
export const minimumBytes = (wire: AnyWire, form: Form): number => {
  const { shape } = wire
  switch (shape.kind) {
    case "nullable":
      return shape.of.shape.kind === "struct" ? 1 : minimumBytes(shape.of, form)
    case "array":
      return form.flexible ? 1 : 4
    case "struct":
      return shape.fields.reduce((sum, field) => (stands(field, form) ? sum + minimumBytes(field.wire, form) : sum), form.flexible ? 1 : 0)
    case "text":
    case "bytes":
    case "records":
      return form.flexible ? 1 : fixedBytes[shape.kind]
    default:
      return fixedBytes[shape.kind]
  }
}
