import fc from "fast-check"
import type { AnyWire, NamedField, Scalar, UnknownTag } from "../../../src/protocol/type/wire.ts"

/** Small numbers beside the whole range: both ends of a type and the values that messages really carry. */
const integer = (min: number, max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min, max }), fc.integer({ min: Math.max(min, -2), max: Math.min(max, 200) }))

const scalars: Record<Scalar, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  int8: integer(-0x80, 0x7f),
  int16: integer(-0x8000, 0x7fff),
  int32: integer(-0x80000000, 0x7fffffff),
  int64: fc.bigInt({ min: -0x8000000000000000n, max: 0x7fffffffffffffffn }),
  uint16: integer(0, 0xffff),
  uint32: integer(0, 0xffffffff),
  float64: fc.double({ noNaN: true }),
  uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytes.toBase64({ alphabet: "base64url", omitPadding: true })),
  text: fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 90 })).map((text) => text.toWellFormed()),
  // Around 1 KiB the writer stops copying.
  bytes: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 1020, maxLength: 1030 })),
  records: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 1020, maxLength: 1030 }))
}

const unknownTags: fc.Arbitrary<ReadonlyArray<UnknownTag>> = fc
  .uniqueArray(fc.record({ tag: fc.integer({ min: 100, max: 0x7fffffff }), data: fc.uint8Array({ maxLength: 8 }) }), {
    selector: ({ tag }) => tag,
    maxLength: 3
  })
  .map((tags) => tags.toSorted((left, right) => left.tag - right.tag))

/** Every value that `wire` can carry in this version, as a reader would see it. */
export const valueOf = (wire: AnyWire, version: number, flexible: boolean, mayBeNull = false): fc.Arbitrary<unknown> => {
  const { shape } = wire
  const orNull = (value: fc.Arbitrary<unknown>) => (mayBeNull ? fc.option(value, { freq: 4 }) : value)
  switch (shape.kind) {
    case "nullable":
      return valueOf(shape.of, version, flexible, version >= shape.since)
    case "array":
      return orNull(fc.array(valueOf(shape.of, version, flexible), { maxLength: 3 }))
    case "struct":
      return orNull(structOf(shape.fields, version, flexible))
    case "text":
    case "bytes":
    case "records":
      return orNull(scalars[shape.kind])
    default:
      return scalars[shape.kind]
  }
}

const structOf = (fields: ReadonlyArray<NamedField>, version: number, flexible: boolean): fc.Arbitrary<unknown> => {
  const carried = ({ since, until, tag }: NamedField) => version >= since && version <= until && (tag === undefined || flexible)
  const known = fc.record(
    Object.fromEntries(fields.map((field) => [field.name, carried(field) ? valueOf(field.wire, version, flexible) : fc.constant(field.absent)]))
  )
  if (!flexible) return known
  return fc
    .tuple(known, fc.option(unknownTags, { freq: 4 }))
    .map(([value, tags]) => (tags === null || tags.length === 0 ? value : { ...value, unknownTags: tags }))
}
