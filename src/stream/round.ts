import { Either } from "effect"
import { type Steps, Stride } from "../../domain/kernel/steps.ts"
import type { Entry } from "../ports/journal.ts"
import type { Aggregate, Tagged } from "./aggregate.ts"
import type { Answers, Outcome } from "./answers.ts"

/** A command with what explains its events in the journal. */
export interface Submission<Command> {
  readonly command: Command
  /** A repetition of a command id that begins with `client:` gets the first answer (M4). */
  readonly commandId: string
  /** Who asked: a client id with its address, a node, or "leader". */
  readonly actor: string
  /** Why: the request or the timer behind the command. */
  readonly cause: string
}

/** Commands that were decided together and are not durable yet. */
export interface Round<State, Event, Rejection> {
  /** The index of the first of `events`. */
  readonly index: number
  readonly state: State
  readonly entries: ReadonlyArray<Entry>
  readonly events: ReadonlyArray<Event>
  readonly outcomes: ReadonlyArray<Outcome<Event, Rejection>>
  /** The ids of the commands that were decided in this round, not repeated from an earlier one. */
  readonly commandIds: ReadonlyArray<string>
}

/** Bytes of events that go to the journal at a time; one command may have more. */
const appendBytesMax = 4 * 1024 * 1024
/** Bytes that a remembered rejection is counted with: a code and a sentence. */
const rejectionBytes = 512
/** Commands and events that are decided, encoded and folded between two pauses. */
const eventsPerStep = 8

const utf8 = new TextEncoder()

interface RoundStart<State, Command> {
  readonly state: State
  readonly index: number
  readonly submissions: ReadonlyArray<Submission<Command>>
  /** The first of `submissions` that is decided. */
  readonly at: number
}

/** Decides commands in order, each on the state that the command before it left, until the events fill an append. Nothing is visible before the events are durable. */
export function* decideRound<State, Command, Event extends Tagged, Rejection>(
  aggregate: Aggregate<State, Command, Event, Rejection>,
  encode: (event: Event) => object,
  answers: Answers<Event, Rejection>,
  start: RoundStart<State, Command>
): Steps<Round<State, Event, Rejection>> {
  const stride = new Stride(eventsPerStep)
  let { state } = start
  let bytes = 0
  const entries: Array<Entry> = []
  const all: Array<Event> = []
  const outcomes: Array<Outcome<Event, Rejection>> = []
  const commandIds: Array<string> = []
  for (let next = start.at; next < start.submissions.length && bytes < appendBytesMax; next++) {
    const { command, commandId, actor, cause } = start.submissions[next] as Submission<Command>
    const repeated = answers.find(commandId)
    if (repeated !== undefined) {
      outcomes.push(repeated)
      continue
    }
    const decided = aggregate.decide(state, command)
    let own = 0
    const index = start.index + all.length
    for (const event of Either.isRight(decided) ? decided.right : []) {
      const value = utf8.encode(JSON.stringify({ _tag: event._tag, ...encode(event) }))
      own += value.length + commandId.length + actor.length + cause.length
      entries.push({ commandId, actor, cause, type: event._tag, value })
      all.push(event)
      state = aggregate.evolve(state, event)
      if (stride.takes()) yield
    }
    if (stride.takes()) yield
    const outcome = Either.map(decided, (events) => ({ index, events }))
    // Remembered before it is durable: a repetition later in this round must find it. When the append fails, this writer decides nothing more.
    answers.remember(commandId, outcome, Either.isRight(decided) ? own : rejectionBytes)
    bytes += own
    commandIds.push(commandId)
    outcomes.push(outcome)
  }
  return { index: start.index, state, entries, events: all, outcomes, commandIds }
}
