import type { Schema } from "effect"
import type { Decider } from "../../domain/kernel/decider.ts"

/** An event as the journal names it: its tag is the entry's type. */
export interface Tagged {
  readonly _tag: string
}

/** How a stream is folded into a state: the same for the leader, for the brokers that follow it and for tools that inspect its journal. */
export interface Foldable<State, Event extends Tagged> extends Pick<Decider<State, never, Event, never>, "initial" | "evolve"> {
  /** JSON of an event, with its version in it. */
  readonly event: Schema.Schema<Event, any>
  /** Returns the state after an entry that is no event. Absent where the state does not count the entries of its stream. */
  readonly pass?: (state: State) => State
}

/** A foldable whose state has a form in snapshots (M2). */
export interface Restorable<State, Event extends Tagged> extends Foldable<State, Event> {
  /** JSON of the whole state. */
  readonly state: Schema.Schema<State, any>
}

/** A decider with the JSON forms of its events and its state. A stream may hold many aggregates: then the state is a map by id, and each event names its aggregate. */
export interface Aggregate<State, Command, Event extends Tagged, Rejection> extends Restorable<State, Event>, Decider<State, Command, Event, Rejection> {
  /** Returns the answer to a command whose events are surely not in the journal, because the disk is full or read-only. The command may be sent again. */
  readonly unwritten: (message: string) => Rejection
}

/**
 * Types of entries that are no events: a replay passes over them. `Snapshot` is a part of a state that is written into its own stream. An entry of any other unknown type ends the replay (M3).
 */
export const entryTypesWithoutEvent: ReadonlySet<string> = new Set(["Snapshot"])
