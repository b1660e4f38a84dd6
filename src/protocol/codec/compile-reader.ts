import type { AnyWire, NamedField, Scalar, UnknownTag } from "../type/wire.ts"
import { Malformed } from "./malformed.ts"
import { type Form, isTagged, minimumBytes, stands } from "./place.ts"
import type { Reader } from "./reader.ts"

/** Reads one value in one version; throws Malformed. */
export type Read<A = unknown> = (from: Reader) => A

const scalars: Record<Exclude<Scalar, "text" | "bytes" | "records">, Read> = {
  bool: (from) => from.bool(),
  int8: (from) => from.int8(),
  int16: (from) => from.int16(),
  int32: (from) => from.int32(),
  int64: (from) => from.int64(),
  uint16: (from) => from.uint16(),
  uint32: (from) => from.uint32(),
  float64: (from) => from.float64(),
  uuid: (from) => from.uuid()
}
const compactLength: Read<number> = (from) => from.compactLength()
const length16: Read<number> = (from) => from.length16()
const length32: Read<number> = (from) => from.length32()
/** Tagged fields of one struct at most; the protocol's largest struct has nine. */
export const structTagsMax = 10_000

/** A reader for `wire` in the version of `form`. Descriptors end, so this does too; it recurses as deep as they are. */
export const compileRead = (wire: AnyWire, form: Form, mayBeNull = false): Read => {
  const { shape } = wire
  switch (shape.kind) {
    case "nullable":
      return compileRead(shape.of, form, form.version >= shape.since)
    case "array":
      return readArray(compileRead(shape.of, form), compileCount(shape.of, form, mayBeNull))
    case "struct":
      return mayBeNull ? readNullableStruct(readStruct(shape.fields, form)) : readStruct(shape.fields, form)
    case "text":
      return readText(form.flexible ? compactLength : length16, mayBeNull)
    case "bytes":
    case "records":
      return readBytes(form.flexible ? compactLength : length32, mayBeNull)
    default:
      return scalars[shape.kind]
  }
}

const nullOr = (mayBeNull: boolean, from: Reader): null => (mayBeNull ? null : from.fail("null where this version allows none"))

const readText =
  (readLength: Read<number>, mayBeNull: boolean): Read =>
  (from) => {
    const length = readLength(from)
    return length < 0 ? nullOr(mayBeNull, from) : from.text(length)
  }

const readBytes =
  (readLength: Read<number>, mayBeNull: boolean): Read =>
  (from) => {
    const length = readLength(from)
    return length < 0 ? nullOr(mayBeNull, from) : from.raw(length)
  }

/** A reader for the count of an array of `wire`: checked against the bytes that are left and against the elements that the message may have. Null for a null array. */
export const compileCount = (wire: AnyWire, form: Form, mayBeNull: boolean): Read<number | null> => {
  const elementBytesMin = Math.max(1, minimumBytes(wire, form))
  const readCount = form.flexible ? compactLength : length32
  return (from) => {
    const count = readCount(from)
    if (count < 0) return nullOr(mayBeNull, from)
    const left = from.end - from.at
    // A count is a claim: without this check 2^31 elements would be reserved on the word of four bytes.
    if (count * elementBytesMin > left) from.fail(`${count} elements of at least ${elementBytesMin} bytes announced, ${left} bytes left`)
    from.claim(count)
    return count
  }
}

const readArray =
  (readElement: Read, readCount: Read<number | null>): Read =>
  (from) => {
    const count = readCount(from)
    if (count === null) return null
    const values: Array<unknown> = []
    let index = 0
    try {
      for (; index < count; index++) values.push(readElement(from))
    } catch (cause) {
      if (cause instanceof Malformed) cause.path.push(`[${index}]`)
      throw cause
    }
    return values
  }

/** Whether a struct that may be null follows. */
export const isPresent: Read<boolean> = (from) => {
  const mark = from.int8()
  return mark === 1 || (mark === -1 ? false : from.fail(`${mark} where 1 announces a struct and -1 none`, from.at - 1))
}

const readNullableStruct =
  (read: Read): Read =>
  (from) =>
    isPresent(from) ? read(from) : null

/** What a struct of one version consists of. All of them have the same fields in the same order, so that the engine sees one shape; what the version lacks is in the template. */
export const structParts = (fields: ReadonlyArray<NamedField>, form: Form) => {
  const template: Readonly<Record<string, unknown>> = Object.fromEntries(fields.map(({ name, absent }) => [name, absent]))
  const placed = fields.filter((field) => stands(field, form))
  return { template, placed, names: placed.map(({ name }) => name), readTags: form.flexible ? tagSection(fields, form) : undefined }
}

const readStruct = (fields: ReadonlyArray<NamedField>, form: Form): Read => {
  const { names, placed, readTags, template } = structParts(fields, form)
  const reads = placed.map(({ wire }) => compileRead(wire, form))
  return (from) => {
    const value: Record<string, unknown> = { ...template }
    let index = 0
    try {
      for (; index < reads.length; index++) value[names[index] as string] = (reads[index] as Read)(from)
    } catch (cause) {
      if (cause instanceof Malformed) cause.path.push(names[index] as string)
      throw cause
    }
    if (readTags !== undefined) readTags(from, value)
    return value
  }
}

type ReadInto = (from: Reader, value: Record<string, unknown>) => void

const tagSection = (fields: ReadonlyArray<NamedField>, form: Form): ReadInto => {
  const known = new Map(
    fields.filter((field) => isTagged(field, form)).map((field) => [field.tag, { name: field.name, read: compileRead(field.wire, form) }] as const)
  )
  return (from, value) => {
    const count = from.varint()
    if (count === 0) return
    if (count * 2 > from.end - from.at) from.fail(`${count} tagged fields announced, ${from.end - from.at} bytes left`)
    if (count > structTagsMax) from.fail(`${count} tagged fields, at most ${structTagsMax} allowed in one struct`)
    from.claim(count)
    const unknownTags: Array<UnknownTag> = []
    for (let index = 0; index < count; index++) {
      const tag = from.varint()
      const size = from.varint()
      const field = known.get(tag)
      if (field === undefined) unknownTags.push({ tag, data: from.raw(size) })
      else readTagged(from, value, field, size)
    }
    if (unknownTags.length > 0) value["unknownTags"] = unknownTags
  }
}

/** A tagged value ends where its size says: it can neither reach into what follows nor leave bytes behind. */
const readTagged = (from: Reader, value: Record<string, unknown>, field: { readonly name: string; readonly read: Read }, size: number): void => {
  const outerEnd = from.end
  const start = from.at
  try {
    if (size > outerEnd - start) from.fail(`${size} bytes expected, ${outerEnd - start} left`)
    from.end = start + size
    value[field.name] = field.read(from)
    if (from.at !== from.end) from.fail(`tagged field of ${size} bytes, ${from.at - start} of them read`)
    from.end = outerEnd
  } catch (cause) {
    if (cause instanceof Malformed) cause.path.push(field.name)
    throw cause
  }
}
