import { isTopicName } from "../../../domain/kernel/id.ts"
import { nearest } from "../../../domain/kernel/nearest.ts"

/** An argument that a call cannot use. */
export interface Wrong {
  /** Path of the argument, as `options.lingerMs` or `places[3].partition`. */
  readonly field: string
  readonly given: unknown
  /** The values that the call takes. */
  readonly allowed: string
}

/** Checks one argument: undefined for a valid value. Takes `unknown`, since JavaScript callers have no compiler. */
export type Check = (value: unknown, field: string) => Wrong | undefined

/**
 * The checks of an object's fields. The type requires one for each field, so that a new option cannot stay unchecked.
 */
export type Fields<T> = { readonly [K in keyof Required<T>]: Check }

const int32Max = 0x7fff_ffff

/** A whole number from `least` to `most`. */
export const whole =
  (least: number, most: number = int32Max, unit = ""): Check =>
  (value, field) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most
      ? undefined
      : { field, given: value, allowed: `a whole number${unit === "" ? "" : ` of ${unit}`} from ${least} to ${most}` }

export const durationMs = whole(0, int32Max, "ms")
export const timeoutMs = whole(1, int32Max, "ms")
export const bytesMax = whole(1, int32Max, "bytes")
export const partitionIndex = whole(0)
export const offset = whole(0, Number.MAX_SAFE_INTEGER)
export const timestamp = whole(0, Number.MAX_SAFE_INTEGER, "ms since 1970 (date.getTime())")

export const yesOrNo: Check = (value, field) => (typeof value === "boolean" ? undefined : { field, given: value, allowed: "true or false" })
export const aFunction: Check = (value, field) => (typeof value === "function" ? undefined : { field, given: value, allowed: "a function" })

export const oneOf =
  (...values: ReadonlyArray<unknown>): Check =>
  (value, field) =>
    values.includes(value) ? undefined : { field, given: value, allowed: values.map((one) => JSON.stringify(one)).join(", ") }

/** A text of 1 to `most` characters that UTF-8 can encode. */
export const text =
  (most: number): Check =>
  (value, field) =>
    typeof value === "string" && value !== "" && value.length <= most && value.isWellFormed()
      ? undefined
      : { field, given: value, allowed: `a text of 1 to ${most} characters without lone surrogates` }

/** The last name that was right: a caller uses few topics, and the check costs as much as the rest of a call. */
let lastName: unknown
const isName = (value: unknown): boolean => {
  if (value === lastName && value !== undefined) return true
  if (typeof value !== "string" || !isTopicName(value)) return false
  lastName = value
  return true
}
/** A name of a topic or, by Kafka's rule, of a static member. */
export const name: Check = (value, field) =>
  isName(value) ? undefined : { field, given: value, allowed: "1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-', and neither '.' nor '..'" }

/** A group's id: Kafka writes its length as an int16. */
export const groupName = text(10_000)

export const either =
  (...checks: ReadonlyArray<Check>): Check =>
  (value, field) => {
    const wrongs: Array<Wrong> = []
    for (const check of checks) {
      const wrong = check(value, field)
      if (wrong === undefined) return undefined
      wrongs.push(wrong)
    }
    return { field, given: value, allowed: wrongs.map(({ allowed }) => allowed).join(", or ") }
  }

/** Undefined is the same as a missing field. */
export const optional =
  (check: Check): Check =>
  (value, field) =>
    value === undefined ? undefined : check(value, field)

export const listOf =
  (check: Check, what: string, least = 0): Check =>
  (value, field) => {
    if (!Array.isArray(value) || value.length < least) return { field, given: value, allowed: `a list of ${what}${least > 0 ? `, at least ${least}` : ""}` }
    for (let at = 0; at < value.length; at++) {
      const wrong = check(value[at], `${field}[${at}]`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

/** A list of which no two elements have the same key. `what` names the elements. */
export const eachOnce =
  (what: string, keyOf: (element: never) => string): Check =>
  (value, field) => {
    const seen = new Set<string>()
    for (const [index, element] of (value as ReadonlyArray<never>).entries()) {
      const key = keyOf(element)
      if (seen.has(key)) return { field: `${field}[${index}]`, given: element, allowed: `${what}, each once` }
      seen.add(key)
    }
    return undefined
  }

/** An object literal. A Map, a Date or a list has no fields of its own, and would pass as an empty object. */
export const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

/** An object with these fields and no others: a misspelt field would be ignored silently. */
export const fields =
  <T>(checks: Fields<T>, what = "an object"): Check =>
  (value, field) => {
    const table: Readonly<Record<string, Check>> = checks
    if (!isPlain(value)) return { field, given: value, allowed: what }
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(table, key)) continue
      const near = nearest(key, Object.keys(table))
      const allowed = near === undefined ? `the fields ${Object.keys(table).join(", ")}` : `${near}, among other fields`
      return { field: `${field}.${key}`, given: value[key], allowed }
    }
    for (const [key, check] of Object.entries(table)) {
      const wrong = check(value[key], `${field}.${key}`)
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

/** The value of a setting may be empty, as Kafka's lists may. */
const settingValue: Check = (value, field) =>
  typeof value === "string" && value.length <= 65_536 && value.isWellFormed()
    ? undefined
    : { field, given: value, allowed: "a text of at most 65536 characters" }
export const plainObject: Check = (value, field) => (isPlain(value) ? undefined : { field, given: value, allowed: "an object" })

/** Settings by their names. */
export const settings: Check = (value, field) => {
  if (!isPlain(value)) return { field, given: value, allowed: "an object of settings, each a text" }
  return first(...Object.entries(value).map(([key, one]) => settingValue(one, `${field}[${JSON.stringify(key.slice(0, 64))}]`)))
}
/** Returns the first fault. */
export const first = (...faults: ReadonlyArray<Wrong | undefined>): Wrong | undefined => faults.find((wrong) => wrong !== undefined)
