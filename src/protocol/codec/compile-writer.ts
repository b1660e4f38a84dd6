import type { AnyWire, NamedField, Scalar, UnknownTag } from "../type/wire.ts"
import { type Form, isTagged, stands } from "./place.ts"
import { isSame } from "./same.ts"
import { Unwritable, unwritable } from "./unwritable.ts"
import { Writer } from "./writer.ts"

/** Writes one value in one version; throws Unwritable. The types of the descriptors promise that the value fits. */
export type Write<A = unknown> = (to: Writer, value: A) => void

const scalars: Record<Exclude<Scalar, "text" | "bytes" | "records">, Write<never>> = {
  bool: (to, value: boolean) => to.bool(value),
  int8: (to, value: number) => to.int8(value),
  int16: (to, value: number) => to.int16(value),
  int32: (to, value: number) => to.int32(value),
  int64: (to, value: bigint) => to.int64(value),
  uint16: (to, value: number) => to.uint16(value),
  uint32: (to, value: number) => to.uint32(value),
  float64: (to, value: number) => to.float64(value),
  uuid: (to, value: string) => to.uuid(value)
}

/** A writer for `wire` in the version of `form`. */
export const compileWrite = (wire: AnyWire, form: Form, mayBeNull = false): Write => {
  const { shape } = wire
  switch (shape.kind) {
    case "nullable":
      return compileWrite(shape.of, form, form.version >= shape.since)
    case "array":
      return orNull(writeArray(compileWrite(shape.of, form), form) as Write, writeNullLength(form, 4), mayBeNull)
    case "struct": {
      const write = writeStruct(shape.fields, form) as Write
      return orNull(mayBeNull ? writePresent(write) : write, (to) => to.int8(-1), mayBeNull)
    }
    case "text":
      return orNull(writeText(form) as Write, writeNullLength(form, 2), mayBeNull)
    case "bytes":
      return orNull(writeBytes(form) as Write, writeNullLength(form, 4), mayBeNull)
    case "records":
      return orNull(writeRecords(form) as Write, writeNullLength(form, 4), mayBeNull)
    default:
      return scalars[shape.kind] as Write
  }
}

const orNull =
  (write: Write, writeNull: (to: Writer) => void, mayBeNull: boolean): Write =>
  (to, value) => {
    if (value !== null && value !== undefined) write(to, value)
    else if (value === null && mayBeNull) writeNull(to)
    else unwritable(value === null ? "null where this version allows none" : "no value")
  }

const writeNullLength = (form: Form, lengthBytes: 2 | 4): ((to: Writer) => void) => {
  if (form.flexible) return (to) => to.varint(0)
  return lengthBytes === 2 ? (to) => to.int16(-1) : (to) => to.int32(-1)
}

const writeText =
  ({ flexible }: Form): Write<string> =>
  (to, value) =>
    to.text(value, flexible)

const writeBytes = ({ flexible }: Form): Write<Uint8Array> =>
  flexible
    ? (to, value) => {
        to.varint(value.length + 1)
        to.raw(value)
      }
    : (to, value) => {
        to.int32(value.length)
        to.raw(value)
      }

/** Bytes, or the views that make them up: those are handed on one by one, so that nothing is copied together. */
const writeRecords = (form: Form): Write<Uint8Array | ReadonlyArray<Uint8Array>> => {
  const writeOne = writeBytes(form)
  return (to, value) => {
    if (value instanceof Uint8Array) return writeOne(to, value)
    let size = 0
    for (const view of value) size += view.length
    if (form.flexible) to.varint(size + 1)
    else to.int32(size)
    for (const view of value) to.raw(view)
  }
}

/** Writes the length of an array, which precedes its elements. */
export const writeCount = (to: Writer, count: number, { flexible }: Form): void => {
  if (flexible) to.varint(count + 1)
  else to.int32(count)
}

const writeArray =
  (writeElement: Write, form: Form): Write<ReadonlyArray<unknown>> =>
  (to, values) => {
    writeCount(to, values.length, form)
    let index = 0
    try {
      for (; index < values.length; index++) writeElement(to, values[index])
    } catch (cause) {
      if (cause instanceof Unwritable) cause.path.push(`[${index}]`)
      throw cause
    }
  }

const writePresent =
  (write: Write): Write =>
  (to, value) => {
    to.int8(1)
    write(to, value)
  }

type Draft = Readonly<Record<string, unknown>>
type Step = { readonly name: string; readonly run: Write<Draft> }

/** What writes a struct of one version: fields in their order, then the tag section. A value that the version cannot carry stops the writer unless it may be lost. */
export const structWriter = (fields: ReadonlyArray<NamedField>, form: Form) => ({
  steps: fields.flatMap((field) => step(field, form)),
  writeTags: form.flexible ? tagSection(fields, form) : undefined
})

const writeStruct = (fields: ReadonlyArray<NamedField>, form: Form): Write<Draft> => {
  const { steps, writeTags } = structWriter(fields, form)
  return (to, value) => {
    let index = 0
    try {
      for (; index < steps.length; index++) (steps[index] as Step).run(to, value)
    } catch (cause) {
      if (cause instanceof Unwritable) cause.path.push((steps[index] as Step).name)
      throw cause
    }
    if (writeTags !== undefined) writeTags(to, value)
  }
}

const step = (field: NamedField, form: Form): ReadonlyArray<Step> => {
  const { name, absent } = field
  if (stands(field, form)) {
    const write = compileWrite(field.wire, form)
    if (!field.optional) return [{ name, run: (to, draft) => write(to, draft[name]) }]
    return [{ name, run: (to, draft) => write(to, draft[name] === undefined ? absent : draft[name]) }]
  }
  if (field.ignorable || isTagged(field, form)) return []
  const refuse: Write<Draft> = (_to, draft) => {
    if (draft[name] !== undefined && !isSame(draft[name], absent))
      unwritable(`version ${form.version} does not carry this field, and its value must not be lost`)
  }
  return [{ name, run: refuse }]
}

const tagSection = (fields: ReadonlyArray<NamedField>, form: Form): Write<Draft> => {
  const known = fields.filter((field) => isTagged(field, form)).map((field) => ({ ...field, write: compileWrite(field.wire, form) }))
  return (to, draft) => {
    const unknownTags = draft["unknownTags"] as ReadonlyArray<UnknownTag> | undefined
    if (known.length === 0 && unknownTags === undefined) return to.varint(0)
    const present: Array<{ readonly tag: number; readonly size: number; readonly chunks: ReadonlyArray<Uint8Array> }> = []
    for (const { name, tag = 0, absent, write } of known) {
      const value = draft[name]
      if (value !== undefined && !isSame(value, absent)) present.push({ tag, ...apart(name, write, value) })
    }
    for (const { tag, data } of unknownTags ?? []) present.push({ tag, size: data.length, chunks: [data] })
    present.sort((left, right) => left.tag - right.tag)
    to.varint(present.length)
    for (const { tag, size, chunks } of present) {
      to.varint(tag)
      to.varint(size)
      for (const chunk of chunks) to.raw(chunk)
    }
  }
}

/** The size of a tagged value precedes it, so the value is encoded apart first. */
const apart = (name: string, write: Write, value: unknown) => {
  const to = new Writer()
  try {
    write(to, value)
  } catch (cause) {
    if (cause instanceof Unwritable) cause.path.push(name)
    throw cause
  }
  return { size: to.size, chunks: to.finish() }
}
