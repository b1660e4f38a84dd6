import { Either } from "effect"
import type { KafkaError, Rejection } from "../kernel/error-code.ts"
import type { Event } from "./event.ts"
import { evolve } from "./evolve.ts"
import type { Group } from "./state.ts"

/** What a command comes to: the events, or why there are none. */
export type Decision = Either.Either<ReadonlyArray<Event>, Rejection>

/**
 * Events decided so far, and the group as it stands after them. A decision of several steps (a member leaves, so a round starts, so a generation starts)
 * looks at the group after each step; it lives within one `decide` and nobody else sees it change.
 */
export class Plan {
  readonly #events: Array<Event> = []
  constructor(public group: Group) {}
  /** The event happens. */
  happen(event: Event): this {
    this.group = evolve(this.group, event)
    this.#events.push(event)
    return this
  }
  get decision(): Decision {
    return Either.right(this.#events)
  }
}

export const nothing: Decision = Either.right([])
/** A group that would be new has a name that is too long to be kept. */
export const nameTooLong = (characters: number, max: number): Decision =>
  rejected("INVALID_GROUP_ID", `A group's name has at most ${max} characters, this one ${characters} (franz.group.name.max.bytes).`)
export const rejected = (error: KafkaError, message: string): Decision => Either.left({ error, message })
