import type { AnyWire } from "../../src/protocol/type/wire.ts"

/** A value as Kafka's own JSON converters print it: 64-bit and unsigned 32-bit integers are decimal strings, bytes base64, records empty, and fields with their default may be missing. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [name: string]: Json }

const isObject = (json: Json): json is { readonly [name: string]: Json } => typeof json === "object" && json !== null && !Array.isArray(json)

/**
 * The value of `json`, as a draft of `wire`. Kafka prints all records as an empty string, whatever they hold: those are taken from `read`,
 * the same value as it was decoded.
 */
export const fromKafkaJson = (wire: AnyWire, json: Json, read: unknown): unknown => {
  const { shape } = wire
  switch (shape.kind) {
    case "nullable":
      return json === null ? null : fromKafkaJson(shape.of, json, read)
    case "array":
      return (json as ReadonlyArray<Json>).map((element, index) => fromKafkaJson(shape.of, element, (read as ReadonlyArray<unknown>)[index]))
    case "struct": {
      const object = json as { readonly [name: string]: Json }
      const fields = read as Readonly<Record<string, unknown>>
      return Object.fromEntries(
        shape.fields.map(({ name, wire: of, absent }) => [name, object[name] === undefined ? absent : fromKafkaJson(of, object[name], fields[name])] as const)
      )
    }
    case "int64":
      return BigInt(json as string)
    case "uint32":
      return Number(json)
    case "bytes":
      return Uint8Array.fromBase64(json as string)
    case "records":
      return json === "" ? read : Uint8Array.fromBase64(json as string)
    default:
      return json
  }
}

/** The path of the first place where `value` is not what `json` says; undefined where they agree. A name in the JSON that the descriptor lacks is a difference too. */
export const differenceFrom = (wire: AnyWire, value: unknown, json: Json, path = ""): string | undefined => {
  const { shape } = wire
  if (value === null || json === null) return value === json ? undefined : path
  switch (shape.kind) {
    case "nullable":
      return differenceFrom(shape.of, value, json, path)
    case "array": {
      const values = value as ReadonlyArray<unknown>
      if (!Array.isArray(json) || json.length !== values.length) return path
      return first(values.map((element, index) => () => differenceFrom(shape.of, element, json[index] as Json, `${path}[${index}]`)))
    }
    case "struct": {
      if (!isObject(json)) return path
      const unknown = Object.keys(json).find((name) => !shape.fields.some((field) => field.name === name))
      if (unknown !== undefined) return within(path, unknown)
      const fields = value as Readonly<Record<string, unknown>>
      return first(
        shape.fields.map(
          ({ name, wire: of, absent }) =>
            () =>
              differenceFrom(of, fields[name], json[name] === undefined ? toKafkaJson(of, absent) : json[name], within(path, name))
        )
      )
    }
    case "records":
      return json === "" || toKafkaJson(wire, value) === json ? undefined : path
    default:
      return toKafkaJson(wire, value) === json ? undefined : path
  }
}

const within = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`)
const first = (checks: ReadonlyArray<() => string | undefined>): string | undefined => {
  for (const check of checks) {
    const difference = check()
    if (difference !== undefined) return difference
  }
  return undefined
}

/** `value` as Kafka prints it, defaults included. */
const toKafkaJson = (wire: AnyWire, value: unknown): Json => {
  const { shape } = wire
  if (value === null) return null
  switch (shape.kind) {
    case "nullable":
      return toKafkaJson(shape.of, value)
    case "array":
      return (value as ReadonlyArray<unknown>).map((element) => toKafkaJson(shape.of, element))
    case "struct": {
      const fields = value as Readonly<Record<string, unknown>>
      return Object.fromEntries(shape.fields.map(({ name, wire: of }) => [name, toKafkaJson(of, fields[name])]))
    }
    case "int64":
    case "uint32":
      return String(value)
    case "bytes":
    case "records":
      return (value as Uint8Array).toBase64()
    default:
      return value as Json
  }
}
