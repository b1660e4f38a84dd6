import { Either } from "effect"
import type { ItemError, ItemResult } from "../admin/batch/items.ts"

/** What became of one thing of a call over several, in the form of `Promise.allSettled`. */
export type Outcome<A, E> = { readonly status: "fulfilled"; readonly value: A } | { readonly status: "rejected"; readonly reason: E }

/** One item of a call of the admin, with its own outcome. */
export interface ItemOutcome<K, A> {
  readonly item: K
  readonly result: Outcome<A, ItemError>
}

/** A result of the library without Effect's data types. */
export type Plain<A> =
  A extends ReadonlyArray<ItemResult<infer K, infer B>>
    ? ReadonlyArray<ItemOutcome<K, B>>
    : A extends ReadonlyArray<Either.Either<infer B, infer E>>
      ? ReadonlyArray<Outcome<B, E>>
      : A

export const outcomeOf = <A, E>(result: Either.Either<A, E>): Outcome<A, E> =>
  Either.isRight(result) ? { status: "fulfilled", value: result.right } : { status: "rejected", reason: result.left }

const plainItem = (item: unknown): unknown => {
  if (Either.isEither(item)) return outcomeOf(item)
  const { result } = (item ?? {}) as { readonly result?: unknown }
  return Either.isEither(result) ? { ...(item as object), result: outcomeOf(result) } : item
}
/** Replaces the Eithers of a list by outcomes; other results stay as they are. */
export const plain = <A>(result: A): Plain<A> => (Array.isArray(result) ? result.map(plainItem) : result) as Plain<A>
