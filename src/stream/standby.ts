import { Deferred, Effect, Either, Fiber, type Scope, Stream } from "effect"
import { Journal, type Taken } from "../ports/journal.ts"
import type { LogFault } from "../ports/log-store.ts"
import type { Restorable, Tagged } from "./aggregate.ts"
import type { UnreadableEvent } from "./fault.ts"
import { readOn, replay } from "./replay.ts"
import { foldOfSnapshot } from "./snapshot.ts"
import { StreamFold } from "./stream-fold.ts"

/** The pause after a read that failed. */
const againMs = 500

/** A stream that another process leads, folded as that one appends to it. */
export interface Standby<State, Event extends Tagged, Rejection> {
  /** The fold of all entries that were read. */
  readonly state: () => State
  /** The index of the next entry. */
  readonly end: () => number
  /** Fails where the stream cannot be folded: it holds what this version does not know, or is damaged. */
  readonly failed: Effect.Effect<never, LogFault | UnreadableEvent>
  /** Follows no more, reads what is left of the stream that this process has won, and returns its fold. */
  readonly handOver: (taken: Pick<Taken, "start" | "end">) => Effect.Effect<StreamFold<State, Event, Rejection>, LogFault | UnreadableEvent>
}

/** Folds a stream until it is handed over or the scope closes. It begins with the newest snapshot. */
export const standBy = <State, Event extends Tagged, Rejection>(
  stream: string,
  restorable: Restorable<State, Event>
): Effect.Effect<Standby<State, Event, Rejection>, LogFault | UnreadableEvent, Journal | Scope.Scope> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const failed = yield* Deferred.make<never, LogFault | UnreadableEvent>()
    let fold = new StreamFold<State, Event, Rejection>(stream, restorable)
    /** The leader trims what a snapshot covers, so that a standby that could not read for long begins with that. */
    const leap = Effect.gen(function* () {
      const snapshot = yield* journal.loadSnapshot(stream)
      if (snapshot !== undefined && snapshot.index > fold.end) fold = yield* foldOfSnapshot<State, Event, Rejection>(stream, restorable, snapshot)
    })
    const follow = Effect.suspend(() =>
      Stream.runForEachChunk(journal.follow(stream, fold.end), (entries) => {
        for (const entry of entries) {
          const taken = fold.take(entry)
          if (Either.isLeft(taken)) return Effect.fail(taken.left)
        }
        return Effect.void
      })
    )
    const isPassing = (fault: LogFault | UnreadableEvent): boolean => fault._tag === "LogFault" && fault.reason !== "corrupt"
    const attempt = Effect.catchIf(Effect.zipRight(leap, follow), isPassing, ({ message }) => Effect.logDebug(`${stream}: ${message}`))
    yield* leap
    const following = yield* Effect.forkScoped(
      Effect.catchAll(Effect.forever(Effect.zipRight(attempt, Effect.sleep(againMs))), (fault) => Deferred.fail(failed, fault))
    )
    return {
      state: () => fold.state,
      end: () => fold.end,
      failed: Deferred.await(failed),
      handOver: (taken) =>
        Effect.gen(function* () {
          yield* Fiber.interrupt(following)
          if (fold.end < taken.start) return yield* replay<State, Event, Rejection>(journal, stream, restorable, taken)
          yield* readOn(journal, fold, taken.end)
          return fold
        })
    }
  })
