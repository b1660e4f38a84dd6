import { Either } from "effect"
import type { KafkaError, Rejection } from "../kernel/error-code.ts"
import type { Command } from "./command.ts"
import type { Event } from "./event.ts"

/** What a command comes to: its events, or why it has none. */
export type Decision = Either.Either<ReadonlyArray<Event>, Rejection>
/** The command of that name. */
export type CommandOf<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>

export const rejected = (error: KafkaError, message: string): Either.Either<never, Rejection> => Either.left({ error, message })
