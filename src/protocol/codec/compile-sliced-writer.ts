import type { AnyWire, NamedField } from "../type/wire.ts"
import { hasArray } from "./compile-sliced-reader.ts"
import { compileWrite, structWriter, type Write, writeCount } from "./compile-writer.ts"
import { type Form, stands } from "./place.ts"
import { Unwritable } from "./unwritable.ts"
import type { Writer } from "./writer.ts"

/** As Write; says by `yield` where it may pause, every few KiB of small elements. */
export type WriteInSlices<A = unknown> = (to: Writer, value: A) => Generator<void, void>
/** What has no array is written in one go: nothing of it takes long. */
type Parts = { readonly whole: Write } | { readonly slices: WriteInSlices }

/** A writer for `wire` that pauses. It writes the same bytes as `compileWrite`, and fails in the same way. */
export const compileWriteInSlices = (wire: AnyWire, form: Form): WriteInSlices => {
  const write = compileParts(wire, form, false)
  return "slices" in write
    ? write.slices
    : function* (to, value) {
        write.whole(to, value)
      }
}

const compileParts = (wire: AnyWire, form: Form, mayBeNull: boolean): Parts => {
  const { shape } = wire
  const whole = compileWrite(wire, form, mayBeNull)
  if (!hasArray(wire, form)) return { whole }
  switch (shape.kind) {
    case "nullable":
      return compileParts(shape.of, form, form.version >= shape.since)
    case "array":
      return { slices: orWhole(whole, writeArray(compileParts(shape.of, form, false), form) as WriteInSlices) }
    case "struct":
      return { slices: orWhole(whole, writeStruct(shape.fields, form, mayBeNull) as WriteInSlices) }
    default:
      return { whole }
  }
}

/** What is not there, allowed or not, is left to the writer that does not pause. */
const orWhole = (whole: Write, slices: WriteInSlices): WriteInSlices =>
  function* (to, value) {
    if (value === null || value === undefined) whole(to, value)
    else yield* slices(to, value)
  }

const writeArray = (element: Parts, form: Form): WriteInSlices<ReadonlyArray<unknown>> =>
  function* (to, values) {
    writeCount(to, values.length, form)
    let index = 0
    try {
      for (; index < values.length; index++) {
        if ("whole" in element) element.whole(to, values[index])
        else yield* element.slices(to, values[index])
        if (to.isPauseDue) yield
      }
    } catch (cause) {
      if (cause instanceof Unwritable) cause.path.push(`[${index}]`)
      throw cause
    }
  }

type Draft = Readonly<Record<string, unknown>>

const writeStruct = (fields: ReadonlyArray<NamedField>, form: Form, mayBeNull: boolean): WriteInSlices<Draft> => {
  const { steps, writeTags } = structWriter(fields, form)
  const slices = new Map(
    fields.flatMap((field) => {
      if (!stands(field, form)) return []
      const parts = compileParts(field.wire, form, false)
      return "slices" in parts ? [[field.name, parts.slices] as const] : []
    })
  )
  return function* (to, value) {
    if (mayBeNull) to.int8(1)
    let name = ""
    try {
      for (const step of steps) {
        name = step.name
        const inSlices = slices.get(name)
        if (inSlices !== undefined && value[name] !== undefined) yield* inSlices(to, value[name])
        else step.run(to, value)
      }
    } catch (cause) {
      if (cause instanceof Unwritable) cause.path.push(name)
      throw cause
    }
    if (writeTags !== undefined) writeTags(to, value)
  }
}
