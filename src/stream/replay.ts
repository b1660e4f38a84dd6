import { type Context, Effect, Either, Stream } from "effect"
import { loopTurn } from "../ports/event-loop.ts"
import type { Journal, StoredEntry } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { Restorable, Tagged } from "./aggregate.ts"
import { UnreadableEvent } from "./fault.ts"
import { foldOfSnapshot } from "./snapshot.ts"
import { StreamFold } from "./stream-fold.ts"

/** Returns the entries from `from` to before `end`, an index that the stream has reached. */
export const entriesTo = (journal: Context.Tag.Service<typeof Journal>, stream: string, from: number, end: number): Stream.Stream<StoredEntry, LogFault> =>
  from >= end ? Stream.empty : Stream.takeUntil(journal.follow(stream, from), ({ index }) => index >= end - 1)

/** How long a replay keeps the event loop to itself, beside the fold of one read of the journal (1 MiB). A turn takes about 1 ms of it. */
const turnNs = 50_000_000n

/**
 * Folds the entries from the end of `fold` up to `end`, an index that the stream has reached. Between two reads of a long
 * journal the event loop has its turn: a leader that has won on an engine renews its lease meanwhile.
 */
export const readOn = <State, Event extends Tagged, Rejection>(
  journal: Context.Tag.Service<typeof Journal>,
  fold: StreamFold<State, Event, Rejection>,
  end: number
): Effect.Effect<void, LogFault | UnreadableEvent> =>
  Effect.clockWith((clock) => {
    let turnedAt = clock.unsafeCurrentTimeNanos()
    const turn = Effect.map(loopTurn, () => {
      turnedAt = clock.unsafeCurrentTimeNanos()
    })
    return Stream.runForEachChunk(entriesTo(journal, fold.stream, fold.end, end), (entries) => {
      for (const entry of entries) {
        const taken = fold.take(entry)
        if (Either.isLeft(taken)) return Effect.fail(taken.left)
      }
      return clock.unsafeCurrentTimeNanos() - turnedAt < turnNs ? Effect.void : turn
    })
  })

/**
 * Reads a stream up to `end`: the newest snapshot, then every entry after it. UnreadableEvent where `start`, the index of
 * the first entry in the journal, is behind the snapshot.
 */
export const replay = <State, Event extends Tagged, Rejection>(
  journal: Context.Tag.Service<typeof Journal>,
  stream: string,
  restorable: Restorable<State, Event>,
  { end, start }: { readonly start: number; readonly end: number }
): Effect.Effect<StreamFold<State, Event, Rejection>, LogFault | UnreadableEvent> =>
  Effect.gen(function* () {
    const snapshot = yield* journal.loadSnapshot(stream)
    const fold =
      snapshot === undefined
        ? new StreamFold<State, Event, Rejection>(stream, restorable)
        : yield* foldOfSnapshot<State, Event, Rejection>(stream, restorable, snapshot)
    if (fold.end < start)
      return yield* new UnreadableEvent({
        stream,
        index: fold.end,
        type: "nothing",
        message: `${stream}: the journal begins at ${start}, but there is no snapshot from there on: the entries from ${fold.end} are missing.`
      })
    yield* readOn(journal, fold, end)
    return fold
  })
