import { Either } from "effect"

/** The result of a command. */
export interface Applied<Event> {
  /** Index of the first of `events` in the stream; where the stream ended, if there are none. */
  readonly index: number
  readonly events: ReadonlyArray<Event>
}
export type Outcome<Event, Rejection> = Either.Either<Applied<Event>, Rejection>

/** Command ids that are remembered, and events and bytes that they may have together. A client repeats a command for minutes at most. */
const answersMax = 4096
const answerEventsMax = 65_536
const answerBytesMax = 4 * 1024 * 1024

/** The prefix of ids of commands that a client may send again, as opposed to ids that the leader makes for one use. */
export const clientCommandPrefix = "client:"

/**
 * The first answers to commands that may be repeated (M4), bounded: the oldest are forgotten first. Answers with events are restored from the journal at a
 * restart. A rejection is not, and its command is then decided again.
 */
export class Answers<Event, Rejection> {
  private readonly byCommand = new Map<string, { outcome: Outcome<Event, Rejection>; bytes: number }>()
  private events = 0
  private bytes = 0

  find(commandId: string): Outcome<Event, Rejection> | undefined {
    return this.byCommand.get(commandId)?.outcome
  }

  /** `bytes` is what the events have in the journal. */
  remember(commandId: string, outcome: Outcome<Event, Rejection>, bytes: number): void {
    if (!commandId.startsWith(clientCommandPrefix)) return
    this.forget(commandId)
    const remembered = { outcome, bytes: bytes + commandId.length }
    this.byCommand.set(commandId, remembered)
    this.events += eventsOf(outcome)
    this.bytes += remembered.bytes
    for (const oldest of this.byCommand.keys()) {
      if (this.byCommand.size <= answersMax && this.events <= answerEventsMax && this.bytes <= answerBytesMax) break
      this.forget(oldest)
    }
  }

  /** One more event of a command, as a replay meets them. */
  extend(commandId: string, index: number, event: Event, bytes: number): void {
    if (!commandId.startsWith(clientCommandPrefix)) return
    const before = this.byCommand.get(commandId)
    if (before === undefined || Either.isLeft(before.outcome))
      return this.remember(commandId, Either.right({ index, events: [event] }), bytes)
      // The list belongs to this replay alone until the replay is over.
    ;(before.outcome.right.events as Array<Event>).push(event)
    this.events++
    before.bytes += bytes
    this.bytes += bytes
  }

  /** Those with events, the oldest first, for a snapshot. */
  applied(): ReadonlyArray<readonly [commandId: string, applied: Applied<Event>]> {
    const all: Array<readonly [string, Applied<Event>]> = []
    for (const [commandId, { outcome }] of this.byCommand) if (Either.isRight(outcome) && outcome.right.events.length > 0) all.push([commandId, outcome.right])
    return all
  }

  /** Forgets the answer to a command whose events are not in the journal. */
  forget(commandId: string): void {
    const known = this.byCommand.get(commandId)
    if (known === undefined) return
    this.byCommand.delete(commandId)
    this.events -= eventsOf(known.outcome)
    this.bytes -= known.bytes
  }
}

const eventsOf = <Event, Rejection>(outcome: Outcome<Event, Rejection>): number => (Either.isRight(outcome) ? outcome.right.events.length : 0)
