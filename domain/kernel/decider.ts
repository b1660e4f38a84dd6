import type { Either } from "effect"

/** A decision procedure over one event-sourced aggregate: pure, total, without clock or chance. */
export interface Decider<State, Command, Event, Rejection> {
  readonly initial: State
  /** What happens because of `command`, or why nothing does. */
  readonly decide: (state: State, command: Command) => Either.Either<ReadonlyArray<Event>, Rejection>
  /** The state after `event`. Total: every event ever journalled can be folded, by leader, broker and test alike. */
  readonly evolve: (state: State, event: Event) => State
}

/** The state after all `events`, in order. */
export const fold = <State, Event>(evolve: (state: State, event: Event) => State, from: State, events: Iterable<Event>): State => {
  let state = from
  for (const event of events) state = evolve(state, event)
  return state
}
