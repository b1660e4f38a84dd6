import { Either } from "effect"

/** What a value may be while the node runs. Exported for declarations. */
export interface RunningBounds {
  readonly min?: number
  readonly max?: number
  /** What a value beyond them would do: the end of a sentence. */
  readonly why: string
}

/**
 * One setting: how its text is read, its bounds, and a sentence for the operator. Names, defaults and units are
 * Kafka's.
 */
export interface Setting<A> {
  readonly type: "int" | "short" | "long" | "double" | "boolean" | "string" | "list" | "class" | "password"
  readonly default: A
  readonly min?: number
  readonly max?: number
  /** One value outside of `min` to `max` that has a meaning of its own. */
  readonly also?: number
  /** What a text, or each entry of a list, may be. */
  readonly oneOf?: ReadonlyArray<string>
  /** What a text that is not one of a few looks like. */
  readonly form?: { readonly pattern: RegExp; readonly expected: string }
  /** Values of Kafka's that are refused here, since an operator would rely on their effect; and why: a sentence. */
  readonly notBuilt?: { readonly refuses: (value: A) => boolean; readonly why: string }
  /** The end of a refusal, after the values that are possible. */
  readonly expectedWhy?: string
  readonly doc: string
  /** Can be changed while the node runs. */
  readonly dynamic?: true
  /**
   * Narrower bounds for values that are set while the node runs, and why: beyond them it is of no use, or the change
   * cannot be undone.
   */
  readonly running?: RunningBounds
  /** Can be set for single nodes only. */
  readonly perBroker?: true
  /** It is accepted and has no effect; a warning at the start names it. */
  readonly noEffect?: true
  /** DescribeConfigs leaves it out while it is not set. */
  readonly hidden?: true
  /** Unset it has no value in DescribeConfigs, as in Kafka; `default` is what holds all the same. */
  readonly noDefault?: true
  /**
   * Settings of greater units whose value it has where it is absent, the finest first, with their length in its unit.
   */
  readonly coarser?: ReadonlyArray<readonly [name: string, factor: number]>
}
export type AnySetting = Setting<number> | Setting<boolean> | Setting<string>
export type SettingValue = number | boolean | string

const intMax = 2_147_483_647
/** No bound: Java's largest long in texts. */
export const unbounded = Number.MAX_SAFE_INTEGER
const longMaxText = "9223372036854775807"

export const int = (at: number, min: number, doc: string, max = intMax): Setting<number> => ({ type: "int", default: at, min, max, doc })
export const long = (at: number, min: number, doc: string): Setting<number> => ({ type: "long", default: at, min, max: unbounded, doc })
export const double = (at: number, min: number, doc: string, max = Number.MAX_VALUE): Setting<number> => ({ type: "double", default: at, min, max, doc })
export const bool = (at: boolean, doc: string): Setting<boolean> => ({ type: "boolean", default: at, doc })
export const text = (at: string, doc: string, oneOf?: ReadonlyArray<string>): Setting<string> => ({
  type: "string",
  default: at,
  doc,
  ...(oneOf ? { oneOf } : {})
})
export const list = (at: string, doc: string, more: Pick<Setting<string>, "oneOf" | "form" | "notBuilt"> = {}): Setting<string> => ({
  type: "list",
  default: at,
  doc,
  ...more
})
/** The same setting, and it can be changed while the node runs. */
export const dynamic = <A>(setting: Setting<A>, running?: RunningBounds): Setting<A> => ({ ...setting, dynamic: true, ...(running ? { running } : {}) })
/** The same setting with the bounds for values that are set while the node runs. */
export const whileRunning = (setting: AnySetting): AnySetting =>
  setting.running === undefined || !isNumeric(setting)
    ? setting
    : {
        ...setting,
        min: Math.max(setting.min ?? Number.MIN_SAFE_INTEGER, setting.running.min ?? Number.MIN_SAFE_INTEGER),
        max: Math.min(setting.max ?? unbounded, setting.running.max ?? unbounded),
        expectedWhy: `, while the node runs: ${setting.running.why}`
      }
/** The same setting; DescribeConfigs shows no value while it is not set. */
export const withoutDefault = <A>(setting: Setting<A>): Setting<A> => ({ ...setting, noDefault: true })
/** A setting that is accepted without effect must be documented as such. */
export const withoutEffect = <A>(setting: Setting<A>, why: string): Setting<A> => ({
  ...setting,
  noEffect: true,
  doc: `${setting.doc} It has no effect here: ${why}`
})

/** A value's text did not fit its setting. The message names the setting, the text and what would fit. */
export interface ConfigFault {
  readonly name: string
  readonly message: string
}

/** The entries of a list's text: without blanks, each once. */
export const entriesOf = (listed: string): ReadonlyArray<string> => [
  ...new Set(
    listed
      .split(",")
      .map((entry) => entry.trim())
      .filter((entry) => entry !== "")
  )
]

/** As Java writes it: always with a point, and from ten million on, or below a thousandth, with an exponent. */
const doubleText = (value: number): string => {
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) {
    const [mantissa = "", exponent = ""] = value.toExponential().split("e")
    return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}E${Number(exponent)}`
  }
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

/** A value as Kafka writes it: no bound as Java's largest long, a double with its point. */
export const textOf = ({ type }: AnySetting, value: SettingValue): string => {
  if (type === "long" && value === unbounded) return longMaxText
  return type === "double" && typeof value === "number" ? doubleText(value) : String(value)
}

const wholeNumber = /^[+-]?\d{1,19}$/
const decimalNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i

const numberOf = ({ type }: Setting<number>, value: string): number => {
  if (type === "double") return decimalNumber.test(value) ? Number(value) : Number.NaN
  // Java's Long.MAX_VALUE means "no bound" in many properties files.
  if (type === "long" && value === longMaxText) return unbounded
  return wholeNumber.test(value) ? Number(value) : Number.NaN
}
const isNumeric = (setting: AnySetting): setting is Setting<number> =>
  setting.type === "int" || setting.type === "short" || setting.type === "long" || setting.type === "double"
const isBoolean = (setting: AnySetting): setting is Setting<boolean> => setting.type === "boolean"

/** What would fit, or undefined for what fits. */
const expectedNumber = (setting: Setting<number>, number: number): string | undefined => {
  const { also, max = unbounded, min = Number.MIN_SAFE_INTEGER, type } = setting
  if (number === also || (number >= min && number <= max)) return undefined
  const kind = type === "double" ? "a number" : "a whole number"
  return `${kind} from ${min} to ${max}${also === undefined ? "" : `, or ${also}`}${setting.expectedWhy ?? ""}`
}
const expectedText = ({ form, oneOf, type }: Setting<string>, value: string): string | undefined => {
  const entries = type === "list" ? entriesOf(value) : [value]
  if (oneOf !== undefined && !entries.every((entry) => oneOf.includes(entry))) return type === "list" ? `a list of ${oneOf.join(", ")}` : oneOf.join(" or ")
  return form === undefined || form.pattern.test(entries.join(",")) ? undefined : form.expected
}

/** Reads the text of one setting. */
export const parseSetting = (name: string, setting: AnySetting, input: string): Either.Either<SettingValue, ConfigFault> => {
  const value = input.trim()
  const judged = <A extends SettingValue>({ notBuilt }: Setting<A>, read: A, expected: string | undefined): Either.Either<SettingValue, ConfigFault> => {
    const said = `${name}=${input.slice(0, 200)}`
    if (expected !== undefined) return Either.left({ name, message: `${said}: expected ${expected}.` })
    return notBuilt?.refuses(read) === true ? Either.left({ name, message: `${said}: ${notBuilt.why}` }) : Either.right(read)
  }
  if (isNumeric(setting)) {
    const number = numberOf(setting, value)
    return judged(setting, number, expectedNumber(setting, number))
  }
  if (isBoolean(setting)) return judged(setting, /^true$/i.test(value), /^(true|false)$/i.test(value) ? undefined : "true or false")
  return judged(setting, setting.type === "list" ? entriesOf(value).join(",") : value, expectedText(setting, value))
}
