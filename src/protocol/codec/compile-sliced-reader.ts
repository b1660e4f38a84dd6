import type { AnyWire, NamedField } from "../type/wire.ts"
import { compileCount, compileRead, isPresent, type Read, structParts } from "./compile-reader.ts"
import { Malformed } from "./malformed.ts"
import { type Form, stands } from "./place.ts"
import type { Reader } from "./reader.ts"

/** As Read; says by `yield` where it may pause, every few KiB of small elements. */
export type ReadInSlices<A = unknown> = (from: Reader) => Generator<void, A>
/** What has no array is read in one go: nothing of it takes long. */
type Parts = { readonly whole: Read } | { readonly slices: ReadInSlices }

/** Whether a value may have many parts in this version. */
export const hasArray = ({ shape }: AnyWire, form: Form): boolean => {
  switch (shape.kind) {
    case "array":
      return true
    case "nullable":
      return hasArray(shape.of, form)
    case "struct":
      return shape.fields.some((field) => stands(field, form) && hasArray(field.wire, form))
    default:
      return false
  }
}

/** A reader for `wire` that pauses. It reads the same values as `compileRead`, and fails in the same way, at two to three times the cost. */
export const compileReadInSlices = (wire: AnyWire, form: Form): ReadInSlices => {
  const read = compileEither(wire, form, false)
  return "slices" in read
    ? read.slices
    : function* (from) {
        return read.whole(from)
      }
}

const compileEither = (wire: AnyWire, form: Form, mayBeNull: boolean): Parts => {
  const { shape } = wire
  if (!hasArray(wire, form)) return { whole: compileRead(wire, form, mayBeNull) }
  switch (shape.kind) {
    case "nullable":
      return compileEither(shape.of, form, form.version >= shape.since)
    case "array":
      return { slices: readArray(compileEither(shape.of, form, false), compileCount(shape.of, form, mayBeNull)) }
    case "struct": {
      const slices = readStruct(shape.fields, form)
      return { slices: mayBeNull ? readNullableStruct(slices) : slices }
    }
    default:
      return { whole: compileRead(wire, form, mayBeNull) }
  }
}

const readArray = (element: Parts, readCount: Read<number | null>): ReadInSlices =>
  function* (from) {
    const count = readCount(from)
    if (count === null) return null
    const values: Array<unknown> = []
    let index = 0
    try {
      for (; index < count; index++) {
        values.push("whole" in element ? element.whole(from) : yield* element.slices(from))
        if (from.isPauseDue) yield
      }
    } catch (cause) {
      if (cause instanceof Malformed) cause.path.push(`[${index}]`)
      throw cause
    }
    return values
  }

const readNullableStruct = (slices: ReadInSlices): ReadInSlices =>
  function* (from) {
    return isPresent(from) ? yield* slices(from) : null
  }

const readStruct = (fields: ReadonlyArray<NamedField>, form: Form): ReadInSlices => {
  const { names, placed, readTags, template } = structParts(fields, form)
  const reads = placed.map(({ wire }) => compileEither(wire, form, false))
  return function* (from) {
    const value: Record<string, unknown> = { ...template }
    let index = 0
    try {
      for (; index < reads.length; index++) {
        const read = reads[index] as Parts
        value[names[index] as string] = "whole" in read ? read.whole(from) : yield* read.slices(from)
      }
    } catch (cause) {
      if (cause instanceof Malformed) cause.path.push(names[index] as string)
      throw cause
    }
    if (readTags !== undefined) readTags(from, value)
    return value
  }
}
