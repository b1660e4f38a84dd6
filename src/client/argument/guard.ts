import { Effect } from "effect"
import { printableJson } from "../../../domain/kernel/printable.ts"
import { InvalidArgument } from "../error.ts"
import type { Wrong } from "./check.ts"

const shownMax = 64
/** Control characters and direction marks are escaped: the error may be printed on a terminal. */
const escaped = (text: string): string => printableJson(JSON.stringify(text))

/** Describes any value. */
export const shown = (value: unknown): string => {
  switch (typeof value) {
    case "undefined":
    case "boolean":
    case "number":
      return Object.is(value, -0) ? "-0" : String(value)
    case "bigint":
      return "a bigint"
    case "string":
      return value.length <= shownMax ? escaped(value) : `${escaped(value.slice(0, shownMax))}… (${value.length} characters)`
    case "symbol":
      return "a symbol"
    case "function":
      return "a function"
    case "object":
      return value === null ? "null" : objectShown(value)
  }
}
const objectShown = (value: object): string => {
  try {
    if (Array.isArray(value)) return `a list of ${value.length}`
    const of: unknown = value.constructor?.name
    return typeof of === "string" && of !== "" && of !== "Object" ? `an object of ${escaped(of.slice(0, shownMax))}` : "an object"
  } catch {
    return "an object that cannot be read"
  }
}

export const invalid = (call: string, { allowed, field, given }: Wrong): InvalidArgument => new InvalidArgument({ call, field, given: shown(given), allowed })

/**
 * Runs a check; undefined where the arguments are valid. A proxy or a getter of the caller that throws makes the
 * argument invalid, too.
 */
export const faultOf = (call: string, check: () => Wrong | undefined): InvalidArgument | undefined => {
  try {
    const wrong = check()
    return wrong === undefined ? undefined : invalid(call, wrong)
  } catch (cause) {
    return unreadable(call, cause)
  }
}
export const unreadable = (call: string, cause: unknown): InvalidArgument =>
  new InvalidArgument({
    call,
    field: "an argument",
    given: `unreadable (${cause instanceof Error ? escaped(cause.message.slice(0, shownMax)) : "it throws"})`,
    allowed: "values that can be read"
  })

/**
 * Runs the effect if the arguments are valid, else fails with InvalidArgument. An effect that reads the arguments when
 * it is made must be suspended.
 */
export const guarded = <A, E, R>(call: string, check: () => Wrong | undefined, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | InvalidArgument, R> =>
  Effect.suspend((): Effect.Effect<A, E | InvalidArgument, R> => {
    const fault = faultOf(call, check)
    return fault === undefined ? effect : Effect.fail(fault)
  })
