import type { Schema } from "effect"
import type { Decider } from "../../domain/kernel/decider.ts"

/** What a journal can say about an event: its name. */
export interface Named {
  readonly _tag: string
}

/** A decider with the forms that its events and its state have in the journal. One stream may hold many aggregates: their state is then a map by id, and each event names its own. */
export interface Aggregate<State, Command, Event extends Named, Rejection> extends Decider<State, Command, Event, Rejection> {
  /** JSON of an event, with its version in it. */
  readonly event: Schema.Schema<Event, any>
  /** JSON of the whole state, for snapshots (M2). */
  readonly state: Schema.Schema<State, any>
  /** The answer to a command whose events surely did not get into the journal, because the disk is full or read-only: it may be tried again. */
  readonly unwritten: (message: string) => Rejection
}
