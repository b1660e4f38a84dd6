import { Cause, Exit, Option } from "effect"
import type { Outcome } from "../history.ts"

/** What became of a call, as a history has it: an interruption leaves it open. `isUnknown`: whether the error says that it may have happened all the same. */
export const outcomeOf = <A, E extends { readonly _tag: string }, B>(
  exit: Exit.Exit<A, E>,
  value: (a: A) => B,
  isUnknown: (error: E) => boolean
): Outcome<B> => {
  if (Exit.isSuccess(exit)) return { _tag: "ok", value: value(exit.value) }
  const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
  if (error === undefined) return { _tag: "unknown", error: Cause.pretty(exit.cause) }
  return isUnknown(error) ? { _tag: "unknown", error: error._tag } : { _tag: "fail", error: error._tag }
}
