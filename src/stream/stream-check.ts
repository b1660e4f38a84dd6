import { Either, Schema } from "effect"
import type { Snapshot, StoredEntry } from "../ports/journal.ts"
import type { Restorable, Tagged } from "./aggregate.ts"
import { foldOfSnapshot } from "./snapshot.ts"
import { entryReader, type ReadEntry, StreamFold } from "./stream-fold.ts"

/** The part of a stream that its log holds: the indexes of the first entry and of the next one. */
interface StreamBounds {
  readonly stream: string
  readonly start: number
  readonly end: number
}

/** Why a leader would not start with a stream: a sentence, and the index that it is about. */
interface StreamProblem {
  readonly index: number
  readonly meaning: string
}

/** What a stream comes to. */
interface CheckedStream<State> {
  /** The fold of the entries before the first problem. */
  readonly state: State
  /** Entries that were read and known. */
  readonly events: number
  readonly problems: ReadonlyArray<StreamProblem>
}

/**
 * Folds a stream from its start, or from its snapshot where its start was trimmed, and compares the fold with the
 * snapshot (M1, M2).
 */
class StreamCheck<State, Event extends Tagged> {
  readonly problems: Array<StreamProblem> = []
  events = 0
  private folded: StreamFold<State, Event>
  private snapshot: StreamFold<State, Event> | undefined
  private next: number
  private readonly read: ReadEntry<Event>

  constructor(
    private readonly restorable: Restorable<State, Event>,
    { end, start, stream }: StreamBounds,
    stored: Snapshot | undefined
  ) {
    this.folded = new StreamFold(stream, restorable)
    this.next = start
    this.read = entryReader(restorable)
    if (stored !== undefined) this.load(stream, stored, end)
    if (start === 0 || this.problems.length > 0) return
    if (this.snapshot === undefined || this.snapshot.end < start)
      this.report(start, `The journal begins with entry ${start}, and no snapshot covers the entries before it: its state cannot be known.`)
    else this.folded = this.snapshot
  }

  get state(): State {
    return this.folded.state
  }

  private report(index: number, meaning: string): void {
    this.problems.push({ index, meaning })
  }

  private load(stream: string, stored: Snapshot, end: number): void {
    const { index } = stored
    const read = foldOfSnapshot(stream, this.restorable, stored)
    if (Either.isLeft(read)) this.report(index, read.left.message)
    else if (index > end) this.report(end, `The journal ends with ${end - 1}, before its own snapshot at ${index}: entries that were durable are gone.`)
    else this.snapshot = read.right
  }

  private compare(): void {
    if (this.snapshot?.end !== this.next) return
    const textOf = (state: State): string => JSON.stringify(Schema.encodeSync(this.restorable.state)(state))
    if (textOf(this.state) !== textOf(this.snapshot.state))
      this.report(this.next, `The snapshot at ${this.next} is not the fold of the entries before it: one of them was changed.`)
  }

  /** Takes the entries in order; the first that is wrong ends it. */
  fold(entries: Iterable<StoredEntry>): void {
    // A fold that begins with the snapshot has nothing to compare, and only reads the entries before it.
    const compares = this.folded !== this.snapshot
    if (compares) this.compare()
    for (const entry of entries) {
      if (entry.index !== this.next) return this.report(this.next, `Entry ${this.next} is missing: ${entry.index} comes next.`)
      if (entry.index < this.folded.end) {
        const event = this.read(entry)
        if (Either.isLeft(event)) return this.report(entry.index, `Entry ${entry.index} of type ${entry.type} cannot be read by this version: ${event.left}`)
      } else {
        const event = this.folded.take(entry)
        if (Either.isLeft(event)) return this.report(entry.index, event.left.message)
      }
      this.events++
      this.next++
      if (compares) this.compare()
    }
  }
}

/**
 * Reads a stream as its leader would, and returns what would keep the leader from starting. Takes `entries` up to the
 * first problem.
 */
export const checkStream = <State, Event extends Tagged>(
  restorable: Restorable<State, Event>,
  bounds: StreamBounds,
  stored: Snapshot | undefined,
  entries: Iterable<StoredEntry>
): CheckedStream<State> => {
  const check = new StreamCheck(restorable, bounds, stored)
  if (check.problems.length === 0) check.fold(entries)
  return { state: check.state, events: check.events, problems: check.problems }
}
