import { Cause, Deferred, Effect, Either, FiberId, Queue } from "effect"
import { loopTurn, sliceNs } from "../../../ports/event-loop.ts"
import type { LogFault, LogMove, LogMoves } from "../../../ports/log-store.ts"
import { keyOf, type TopicIdPartition } from "../topic-id-partition.ts"

/** A move of a replica's log to another data directory, as DescribeLogDirs shows it. */
interface FutureLog extends TopicIdPartition {
  readonly topic: string
  /** Bytes of the segments that the copy has. */
  readonly sizeInBytes: number
  /** The end of what the copy has. */
  readonly copiedEnd: number
}

/** A partition, and the name of its topic for log lines. */
interface Named extends TopicIdPartition {
  readonly topic: string
}

/** "ready": the log may be closed for it; "closing": it is being closed; "placing": it was. */
type Stage = "waiting" | "copying" | "ready" | "closing" | "placing"

/** What ends a move whose log stays where it was. */
type Reason = "cancelled" | "stopped"

/** One request to move a log. A later request for the same log ends it. */
interface Wish {
  readonly of: Named
  /** The path of the directory. */
  readonly to: string
  /** The move that this one replaces, until it is over: this one begins then. */
  before: Wish | undefined
  stage: Stage
  move: LogMove | undefined
  /** What ends it: a later request, the removal of the log, or the end of the broker, which keeps the copy for the next start. */
  readonly ended: Deferred.Deferred<Reason>
  /** What came of `finish`, once the log was closed for it and opened again. */
  readonly placed: Deferred.Deferred<Either.Either<void, LogFault>>
  /** Nothing of it is under way any more. */
  readonly over: Deferred.Deferred<void>
}

interface DirectoryMovesOptions {
  readonly moves: LogMoves
  /** `replica.alter.log.dirs.io.max.bytes.per.second`. */
  readonly bytesPerSecondMax: () => number
  /** The copy of the log is nearly whole: the log is to be closed, and `place` to be called. Repeated until it is, or the move has ended. */
  readonly ready: (of: TopicIdPartition) => void
  /** Warns the operator. */
  readonly warn: (line: string) => void
}

/** Logs that are moved at a time, from their first byte to their opening. The others wait in the order of their requests. */
const movesMax = 3

/** How often a log that cannot be closed now is asked for again, ms. What it has grown by is copied before. */
const askMs = 100

const nameOf = ({ partition, topic }: Named): string => `${topic}-${partition}`

/** Wishes in the order of their requests, each served by one of so many lanes. */
class WishLine {
  private readonly waiting = new Map<string, Wish>()
  private readonly signal: Queue.Queue<void>

  constructor(private readonly lanes: number) {
    this.signal = Effect.runSync(Queue.dropping<void>(lanes))
  }

  add(wish: Wish): void {
    this.waiting.set(keyOf(wish.of), wish)
    this.signal.unsafeOffer(undefined)
  }

  /** Takes a wish out; false where it is not there any more. */
  delete(wish: Wish): boolean {
    const key = keyOf(wish.of)
    return this.waiting.get(key) === wish && this.waiting.delete(key)
  }

  /** Serves all, until it is interrupted: a turn of the loop after each slice, since what is done to the directories of thousands of logs is not waited for. */
  serve(each: (wish: Wish) => Effect.Effect<void>): Effect.Effect<void> {
    const lane = (sinceNs: bigint): Effect.Effect<void> =>
      Effect.clockWith((clock) => {
        const [next] = this.waiting.values()
        if (next === undefined) return Effect.void
        if (clock.unsafeCurrentTimeNanos() - sinceNs >= sliceNs)
          return Effect.zipRight(
            loopTurn,
            Effect.suspend(() => lane(clock.unsafeCurrentTimeNanos()))
          )
        this.delete(next)
        return Effect.zipRight(each(next), lane(sinceNs))
      })
    const served = Effect.clockWith((clock) => lane(clock.unsafeCurrentTimeNanos()))
    return Effect.forEach(
      Array.from({ length: this.lanes }, () => Effect.forever(Effect.zipRight(Queue.take(this.signal), served))),
      (each) => each,
      { concurrency: "unbounded", discard: true }
    )
  }
}

/**
 * Moves of replicas between the data directories of this broker (KIP-113). A log is copied while it is used; then its replica
 * is closed for a moment, the rest is copied, and the replica is opened from its new directory (`HostedLogs`).
 */
export class DirectoryMoves {
  private readonly wishes = new Map<string, Wish>()
  /** Wishes whose moves are to be begun, and those that are begun and wait for their turn: a request names thousands. */
  private readonly requested = new WishLine(1)
  private readonly begun = new WishLine(movesMax)
  /** No request is served any more. */
  private isOver = false

  constructor(private readonly options: DirectoryMovesOptions) {}

  /**
   * Moves a log to the directory `to`, and ends the move that it has to another one. Nothing is done where the log is in `to`
   * and has no move, or is being moved there, and once `run` has ended.
   */
  request({ partition, topic, topicId }: Named, to: string): void {
    const of = { topic, topicId, partition }
    const key = keyOf(of)
    const before = this.wishes.get(key)
    if (this.isOver || before?.to === to || (before === undefined && this.options.moves.directoryOf(of.topicId, of.partition) === to)) return
    const unsafe = <A>() => Deferred.unsafeMake<A>(FiberId.none)
    if (before !== undefined) Deferred.unsafeDone(before.ended, Effect.succeed("cancelled"))
    // Of one that was not begun nothing is left.
    const isReplaced = before !== undefined && this.requested.delete(before)
    if (isReplaced) Deferred.unsafeDone(before.over, Effect.void)
    const replaces = isReplaced ? before.before : before
    const wish: Wish = { of, to, before: replaces, stage: "waiting", move: undefined, ended: unsafe(), placed: unsafe(), over: unsafe() }
    this.wishes.set(key, wish)
    this.requested.add(wish)
  }

  /** The moves to the directory of this path that are not over. */
  *into(path: string): Iterable<FutureLog> {
    for (const { move, of, to } of this.wishes.values())
      if (to === path && this.options.moves.directoryOf(of.topicId, of.partition) !== path)
        yield { ...of, sizeInBytes: move?.copiedBytes() ?? 0, copiedEnd: move?.copiedEnd() ?? 0 }
  }

  /** Moves logs as they are requested, until it is interrupted. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.zipRight(
      Effect.all([this.requested.serve((wish) => this.orEnded(wish, this.begin(wish))), this.begun.serve((wish) => this.orEnded(wish, this.move(wish)))], {
        concurrency: 2
      }),
      Effect.never
    )
  ).pipe(
    Effect.ensuring(
      Effect.sync(() => {
        this.isOver = true
        // Who waits for the end of a request that was never served would wait for ever.
        for (const { over } of this.wishes.values()) Deferred.unsafeDone(over, Effect.void)
        this.wishes.clear()
      })
    )
  )

  /** Whether the log is to be closed for its move. */
  isReady(of: TopicIdPartition): boolean {
    return this.wishes.get(keyOf(of))?.stage === "ready"
  }

  /** Whether the log is to be closed for its move now: `place` follows then, and nothing more is copied before. */
  close(of: TopicIdPartition): boolean {
    const wish = this.wishes.get(keyOf(of))
    if (wish?.stage !== "ready") return false
    wish.stage = "closing"
    return true
  }

  /**
   * Takes the copy of a log for the log, which the caller has closed, and opens it again by `open`. `moved` is called before, where
   * the log has another directory.
   */
  place(of: TopicIdPartition, moved: () => void, open: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const wish = this.wishes.get(keyOf(of))
      if (wish?.stage !== "closing" || wish.move === undefined) return open
      wish.stage = "placing"
      return Effect.flatMap(Effect.either(wish.move.finish), (placed) => {
        if (Either.isRight(placed)) moved()
        // The next move of the log may begin then: it has to be open.
        return Effect.zipRight(open, Deferred.succeed(wish.placed, placed))
      })
    })
  }

  /** The log is removed, or made anew: its move ends. Returns when nothing of it is under way. */
  cancel(of: TopicIdPartition): Effect.Effect<void> {
    return this.endOf(this.wishes.get(keyOf(of)), "cancelled")
  }

  /** The broker ends. The next start begins the moves anew. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.wishes.values()], (wish) => this.endOf(wish, "stopped"), { concurrency: "unbounded", discard: true })
  )

  /** Begins the moves anew that the end of the process before interrupted. `topicOf` names the topic of a replica that is open. */
  again(topicOf: (of: TopicIdPartition) => string | undefined): Effect.Effect<void> {
    return Effect.match(this.options.moves.interrupted, {
      onFailure: ({ message }) => this.options.warn(`Moves of logs that were interrupted are not continued: ${message}`),
      onSuccess: (found) => {
        for (const { partition, path, topicId } of found) {
          const topic = topicOf({ topicId, partition })
          if (topic !== undefined) this.request({ topic, topicId, partition }, path)
        }
      }
    })
  }

  private endOf(wish: Wish | undefined, why: Reason): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (wish === undefined) return Effect.void
      Deferred.unsafeDone(wish.ended, Effect.succeed(why))
      if (this.requested.delete(wish)) return Effect.zipRight(this.endOf(wish.before, why), this.over(wish))
      return this.begun.delete(wish) ? Effect.ensuring(this.stopped(wish, Either.right(why)), this.over(wish)) : Deferred.await(wish.over)
    })
  }

  private over(wish: Wish): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.wishes.get(keyOf(wish.of)) === wish) this.wishes.delete(keyOf(wish.of))
      return Deferred.succeed(wish.over, undefined)
    })
  }

  /** A defect ends its own move, and not those that wait behind it. */
  private orEnded(wish: Wish, work: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.catchAllCause(work, (cause) =>
      Cause.isInterrupted(cause)
        ? Effect.failCause(cause)
        : Effect.zipRight(
            Effect.sync(() => this.options.warn(`${nameOf(wish.of)} is not moved to ${wish.to} because of a bug: ${Cause.pretty(cause)}`)),
            this.over(wish)
          )
    )
  }

  /** Begins the copy at once, however many are before it: its directory tells the next start of the wish. */
  private begin(wish: Wish): Effect.Effect<void> {
    const { of, to } = wish
    const { moves } = this.options
    return Effect.gen(this, function* () {
      yield* this.endOf(wish.before, "cancelled")
      wish.before = undefined
      if ((yield* Deferred.isDone(wish.ended)) || moves.directoryOf(of.topicId, of.partition) === to) return yield* this.over(wish)
      wish.move = yield* moves.begin({ topicId: of.topicId, partition: of.partition, path: to }, this.options.bytesPerSecondMax)
      // Who has ended it meanwhile does not wait for the moves before it.
      const ended = yield* Deferred.poll(wish.ended)
      if (ended._tag === "None") return this.begun.add(wish)
      yield* this.stopped(wish, Either.right(yield* ended.value))
      yield* this.over(wish)
    }).pipe(
      Effect.catchAll((fault) => Effect.zipRight(this.stays(wish, fault), this.over(wish))),
      Effect.onInterrupt(() => this.over(wish))
    )
  }

  private move(wish: Wish): Effect.Effect<void> {
    const { move, of, to } = wish
    if (move === undefined) return this.over(wish)
    return Effect.gen(this, function* () {
      const outcome = yield* this.placing(wish, move)
      wish.stage = "waiting"
      if (Either.isLeft(outcome) || outcome.right !== undefined) return yield* this.stopped(wish, outcome)
      yield* Effect.logInfo(`${nameOf(of)} was moved to ${to}.`)
      yield* Effect.catchAll(move.removeOld, ({ message }) =>
        Effect.sync(() =>
          this.options.warn(`${nameOf(of)} was moved to ${to}; what is left in its old directory is removed when the log is opened next: ${message}`)
        )
      )
    }).pipe(Effect.ensuring(this.over(wish)))
  }

  private stays({ of, to }: Wish, { message }: LogFault): Effect.Effect<void> {
    return Effect.sync(() =>
      this.options.warn(`${nameOf(of)} stays in its directory, and is not moved to ${to}: ${message} Repeat the request when that is repaired.`)
    )
  }

  /** Copies the log until it was closed for the move. Returns what came of that, or what ended the move before. */
  private placing(wish: Wish, move: LogMove): Effect.Effect<Either.Either<Reason | void, LogFault>> {
    const ended = Deferred.await(wish.ended)
    const isReady = (): boolean => wish.stage === "ready"
    return Effect.gen(this, function* () {
      for (;;) {
        wish.stage = "copying"
        const copied = yield* Effect.either(Effect.raceFirst(ended, move.copy))
        if (Either.isLeft(copied) || copied.right !== undefined) return copied
        wish.stage = "ready"
        this.options.ready(wish.of)
        const over = Effect.raceFirst(Effect.map(ended, Either.right), Deferred.await(wish.placed))
        const soon = yield* Effect.raceFirst(over, Effect.as(Effect.sleep(askMs), undefined))
        // A log that cannot be closed yet has grown: the partition is not to wait for all of that.
        if (soon === undefined && isReady()) continue
        const outcome = soon ?? (yield* over)
        // Once the log is closed for it, the move ends in its own way.
        return (wish.stage as Stage) === "placing" ? yield* Deferred.await(wish.placed) : outcome
      }
    })
  }

  /** Ends a move whose log stays where it was, and tells the operator of the fault that ended it. */
  private stopped(wish: Wish, why: Either.Either<Reason | void, LogFault>): Effect.Effect<void> {
    const { move } = wish
    if (move === undefined || (Either.isRight(why) && why.right === "stopped")) return Effect.void
    const removed = Effect.catchAll(move.cancel, ({ message }) =>
      Effect.sync(() => this.options.warn(`The copy of a log is removed by the next start: ${message}`))
    )
    return Effect.zipRight(removed, Either.isLeft(why) ? this.stays(wish, why.left) : Effect.void)
  }
}
