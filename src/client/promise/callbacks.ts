import { Effect, type Scope } from "effect"
import type { TopicPartition } from "../cluster/topic-partition.ts"

/** What a callback gets beside its argument. */
export interface CallbackContext {
  /** Aborts when the result of the callback is not awaited any longer: its partition was given away, or the consumer closes. */
  readonly signal: AbortSignal
}

/** Runs a function of the caller. It may return a promise or a value, reject, or throw. */
export const effectOf = <A>(run: (context: CallbackContext) => A | PromiseLike<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: async (signal) => run({ signal }), catch: (error) => error })

/** Releases what a partition's callback acquired. */
type Release = () => unknown
/**
 * Runs for a partition before its first message. The function that it returns runs before the partition is given away,
 * after the last handler and before the last commit.
 */
export type OnAssigned = (
  partition: TopicPartition & { readonly offset: number },
  context: CallbackContext
) => Release | undefined | void | PromiseLike<Release | undefined | void>

/** The callback as the library's own, in the scope of its partition. What is no function stays, and is refused by the call. */
export const onAssignedOf = (callback: OnAssigned): ((partition: Parameters<OnAssigned>[0]) => Effect.Effect<void, unknown, Scope.Scope>) | undefined =>
  typeof callback !== "function"
    ? callback
    : (partition) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(restore(effectOf((context) => callback(partition, context))), (release) =>
            typeof release === "function" ? Effect.addFinalizer(() => Effect.ignoreLogged(effectOf(release))) : Effect.void
          )
        )

/** Replaces a field of options. Options that are no object, or have no such field, stay as they are. */
export const withField = <A, R>(options: unknown, field: string, replace: (value: A) => unknown): R => {
  const value = typeof options === "object" && options !== null ? (options as Readonly<Record<string, unknown>>)[field] : undefined
  return (value === undefined ? options : { ...(options as object), [field]: replace(value as A) }) as R
}
