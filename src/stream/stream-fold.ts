import { Either } from "effect"
import { bug } from "../../domain/kernel/bug.ts"
import { decodeEvents } from "../../domain/kernel/decode-events.ts"
import type { StoredEntry } from "../ports/journal.ts"
import { entryTypesWithoutEvent, type Foldable, type Tagged } from "./aggregate.ts"
import { Answers } from "./answers.ts"
import { UnreadableEvent } from "./fault.ts"
import { parseJson } from "./json.ts"

/** What a fold reads of an entry. */
export type FoldedEntry = Pick<StoredEntry, "index" | "type" | "value" | "commandId">

/** Where a fold begins: a state that is the fold of all entries before `index`. */
interface FoldStart<State, Event, Rejection> {
  readonly state: State
  readonly index: number
  readonly answers?: Answers<Event, Rejection>
}

/** Returns the event that an entry holds; undefined for an entry that is no event; or why this version cannot read it. */
export type ReadEntry<Event> = (entry: Pick<FoldedEntry, "type" | "value">) => Either.Either<Event | undefined, string>

const noEvent = Either.right(undefined)

/** Reads the entries of a stream whose events have the schema. The reader is made once for many entries. */
export const entryReader = <Event extends Tagged>({ event }: Pick<Foldable<never, Event>, "event">): ReadEntry<Event> => {
  const decode = decodeEvents(event)
  return ({ type, value }) => {
    if (entryTypesWithoutEvent.has(type)) return noEvent
    const json = parseJson(value)
    if (Either.isLeft(json)) return Either.left(json.left)
    const decoded = decode(json.right)
    return Either.isRight(decoded) ? Either.right(decoded.right) : Either.left(decoded.left.message)
  }
}

/**
 * A stream, folded entry by entry. The leader, a broker that follows the leader, and the inspection of a journal fold with this class alone, so that they come to the same state and stop at
 * the same entry. A fold of a standby is handed to its writer as it is.
 */
export class StreamFold<State, Event extends Tagged, Rejection = never> {
  private current: State
  private next: number
  private readonly read: ReadEntry<Event>
  /** The index of the snapshot that the fold began with; 0 without one. */
  readonly snapshotIndex: number
  /** The answers to commands that clients may send again (M4). */
  readonly answers: Answers<Event, Rejection>

  constructor(
    readonly stream: string,
    private readonly foldable: Foldable<State, Event>,
    { answers = new Answers<Event, Rejection>(), index, state }: FoldStart<State, Event, Rejection> = { state: foldable.initial, index: 0 }
  ) {
    if (index < 0) bug(`${stream}: a fold begins at index ${index}`)
    this.current = state
    this.next = this.snapshotIndex = index
    this.answers = answers
    this.read = entryReader(foldable)
  }

  /** The fold of all entries before `end`. */
  get state(): State {
    return this.current
  }
  /** The index of the next entry. */
  get end(): number {
    return this.next
  }

  /**
   * Folds the next entry, and returns its event; undefined for an entry that is no event. UnreadableEvent, and nothing is folded, where this version does not know the entry, or where it is
   * not the next one (M1, M3).
   */
  take(entry: FoldedEntry): Either.Either<Event | undefined, UnreadableEvent> {
    if (entry.index !== this.next) return Either.left(this.unreadable(entry, `the entry before it is ${this.next - 1}`))
    const read = this.read(entry)
    if (Either.isLeft(read)) return Either.left(this.unreadable(entry, read.left))
    const event = read.right
    if (event === undefined) this.current = this.foldable.pass?.(this.current) ?? this.current
    else {
      this.current = this.foldable.evolve(this.current, event)
      this.answers.extend(entry.commandId, entry.index, event, entry.value.length)
    }
    this.next++
    return Either.right(event)
  }

  private unreadable({ index, type }: FoldedEntry, reason: string): UnreadableEvent {
    const message = `${this.stream}: entry ${index} of type ${type} cannot be read by this version: ${reason}. Nothing is skipped; start a version that knows it.`
    return new UnreadableEvent({ stream: this.stream, index, type, message })
  }
}
