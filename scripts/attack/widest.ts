import { type AnyApi, type AnyWire, type NamedField, zeroUuid } from "../../src/protocol/type/wire.ts"

/** A request in which one array is as wide as told, and every other part as small as its type allows. */
interface Wide {
  /** Where the wide array is, as "topics[].partitions[]". */
  readonly path: string
  readonly draft: (count: number, distinct: boolean) => unknown
}

const carried = (field: NamedField, version: number): boolean => version >= field.since && version <= field.until

/** The smallest value of a type; texts and numbers tell elements of a wide array apart where they shall differ. */
const smallest = (wire: AnyWire, version: number, nth: number): unknown => {
  const { shape } = wire
  switch (shape.kind) {
    case "nullable":
      return smallest(shape.of, version, nth)
    case "array":
      return []
    case "struct":
      return Object.fromEntries(
        shape.fields.map((field) => [field.name, carried(field, version) && field.tag === undefined ? smallest(field.wire, version, nth) : field.absent])
      )
    case "text":
      return `n${nth}`
    case "int8":
    case "int16":
    case "int32":
      return shape.kind === "int32" ? nth : 0
    case "uuid":
      return nth === 0 ? zeroUuid : new Uint8Array(new BigUint64Array([BigInt(nth), BigInt(nth)]).buffer).toBase64({ alphabet: "base64url", omitPadding: true })
    default:
      return wire.zero
  }
}

type Fill = (count: number, distinct: boolean) => unknown
const many =
  (of: AnyWire, version: number): Fill =>
  (count, distinct) =>
    Array.from({ length: count }, (_, nth) => smallest(of, version, distinct ? nth : 0))

/** Every array of a type, with a value of the type in which it is wide and the arrays around it have one element. */
const arraysIn = (wire: AnyWire, version: number, path: string): ReadonlyArray<{ readonly path: string; readonly fill: Fill }> => {
  const { shape } = wire
  if (shape.kind === "nullable") return arraysIn(shape.of, version, path)
  if (shape.kind === "array") {
    const inner = arraysIn(shape.of, version, `${path}[]`).map(({ fill, path: at }) => ({
      path: at,
      fill: (count: number, distinct: boolean) => [fill(count, distinct)]
    }))
    return [{ path: `${path}[]`, fill: many(shape.of, version) }, ...inner]
  }
  if (shape.kind !== "struct") return []
  return shape.fields.flatMap((field) =>
    carried(field, version) && field.tag === undefined
      ? arraysIn(field.wire, version, path === "" ? field.name : `${path}.${field.name}`).map(({ fill, path: at }) => ({
          path: at,
          fill: (count: number, distinct: boolean) => ({ ...(smallest(wire, version, 0) as object), [field.name]: fill(count, distinct) })
        }))
      : []
  )
}

/** The wide requests of an API in a version: one for each of its arrays, also those inside of others. */
export const widest = (api: AnyApi, version: number): ReadonlyArray<Wide> =>
  arraysIn(api.request.body, version, "").map(({ fill, path }) => ({ path, draft: fill }))
