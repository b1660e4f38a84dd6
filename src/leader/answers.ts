import { Either } from "effect"

/** What became of a command. */
export interface Applied<Event> {
  /** Index of the first of `events` in the stream; where the stream ended, if there are none. */
  readonly index: number
  readonly events: ReadonlyArray<Event>
}
export type Outcome<Event, Rejection> = Either.Either<Applied<Event>, Rejection>

/** Command ids that are remembered, and events that they may have together. A client repeats a command for minutes at most. */
export const answersMax = 4096
export const answerEventsMax = 65_536

/** What a client may send again, as opposed to ids that the leader makes for one use. */
export const clientCommandPrefix = "client:"

/**
 * The first answers to commands that may be repeated (M4), bounded: the oldest are forgotten first. Those with events come back from the journal after a
 * restart; a rejection does not, and is then decided again.
 */
export class Answers<Event, Rejection> {
  private readonly byCommand = new Map<string, Outcome<Event, Rejection>>()
  private events = 0

  find(commandId: string): Outcome<Event, Rejection> | undefined {
    return this.byCommand.get(commandId)
  }

  remember(commandId: string, outcome: Outcome<Event, Rejection>): void {
    if (!commandId.startsWith(clientCommandPrefix)) return
    this.forget(commandId)
    this.byCommand.set(commandId, outcome)
    this.events += eventsOf(outcome)
    for (const oldest of this.byCommand.keys()) {
      if (this.byCommand.size <= answersMax && this.events <= answerEventsMax) break
      this.forget(oldest)
    }
  }

  /** One more event of a command, as a replay meets them. */
  extend(commandId: string, index: number, event: Event): void {
    if (!commandId.startsWith(clientCommandPrefix)) return
    const before = this.byCommand.get(commandId)
    if (before === undefined || Either.isLeft(before))
      return this.remember(commandId, Either.right({ index, events: [event] }))
      // The list belongs to this replay alone until the replay is over.
    ;(before.right.events as Array<Event>).push(event)
    this.events++
  }

  /** Those with events, the oldest first, for a snapshot. */
  applied(): ReadonlyArray<readonly [commandId: string, applied: Applied<Event>]> {
    const all: Array<readonly [string, Applied<Event>]> = []
    for (const [commandId, outcome] of this.byCommand) if (Either.isRight(outcome) && outcome.right.events.length > 0) all.push([commandId, outcome.right])
    return all
  }

  /** What was remembered and did not come true. */
  forget(commandId: string): void {
    const outcome = this.byCommand.get(commandId)
    if (outcome === undefined) return
    this.byCommand.delete(commandId)
    this.events -= eventsOf(outcome)
  }
}

const eventsOf = <Event, Rejection>(outcome: Outcome<Event, Rejection>): number => (Either.isRight(outcome) ? outcome.right.events.length : 0)
