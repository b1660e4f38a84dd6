import { Effect } from "effect"
import type { Calls } from "./calls.ts"
import { type Plain, plain } from "./outcome.ts"

/** A call of a service as a function that returns a promise. */
type PromisedCall<F> =
  F extends Effect.Effect<infer A, infer _E>
    ? () => Promise<Plain<A>>
    : F extends (...args: infer Args extends ReadonlyArray<unknown>) => Effect.Effect<infer A, infer _E>
      ? (...args: Args) => Promise<Plain<A>>
      : never

/** The calls of a service under their names. They return promises, which reject with the service's errors. */
export type Promised<S> = { readonly [Name in keyof S]: PromisedCall<S[Name]> }

/** Makes the calls of a service, except those that are left out. */
export const promised = <S extends object, Left extends keyof S = never>(
  service: S,
  calls: Calls,
  signal: AbortSignal | undefined,
  ...left: ReadonlyArray<Left>
): Promised<Omit<S, Left>> => {
  const call = (member: unknown) => {
    // An effect of the service, or a function that returns one.
    const effectOf = (args: ReadonlyArray<unknown>) =>
      (Effect.isEffect(member) ? member : (member as (...given: ReadonlyArray<unknown>) => unknown)(...args)) as Effect.Effect<unknown, unknown>
    return async (...args: ReadonlyArray<unknown>) =>
      plain(
        await calls.call(
          Effect.suspend(() => effectOf(args)),
          signal
        )
      )
  }
  const names = Object.keys(service).filter((name) => !left.includes(name as Left))
  return Object.fromEntries(names.map((name) => [name, call(service[name as keyof S])])) as Promised<Omit<S, Left>>
}
