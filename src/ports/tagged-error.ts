import type { Data } from "effect"

/**
 * The type of `Data.TaggedError(tag)`. A public error extends a constant of this type, so that its declaration needs no inference: JSR refuses a public class whose
 * superclass is a call.
 */
export type TaggedErrorClass<Tag extends string> = ReturnType<typeof Data.TaggedError<Tag>>
