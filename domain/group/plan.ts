import { Either } from "effect"
import type { KafkaError, Rejection } from "../kernel/error-code.ts"
import type { Event } from "./event.ts"
import { evolve } from "./evolve.ts"
import type { Group } from "./state.ts"

/** What a command comes to: its events, or why it has none. */
export type Decision = Either.Either<ReadonlyArray<Event>, Rejection>

/**
 * The events decided so far, and the group after them. A decision of several steps (a member leaves, so a rebalance
 * starts, so a generation starts) looks at the group after each step. A plan lives within one `decide`.
 */
export class Plan {
  readonly #events: Array<Event> = []
  constructor(public group: Group) {}
  /** Adds the event to the decision. */
  emit(event: Event): this {
    this.group = evolve(this.group, event)
    this.#events.push(event)
    return this
  }
  get decision(): Decision {
    return Either.right(this.#events)
  }
}

export const nothing: Decision = Either.right([])
/** Refuses to create a group whose name is too long. */
export const nameTooLong = (characters: number, max: number): Decision =>
  rejected("INVALID_GROUP_ID", `A group's name has at most ${max} characters, this one ${characters} (franz.group.name.max.bytes).`)
export const rejected = (error: KafkaError, message: string): Decision => Either.left({ error, message })
