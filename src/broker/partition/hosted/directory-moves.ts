import { Deferred, Effect, Either, FiberId, Queue } from "effect"
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

/** Logs that are copied at a time. The others wait in the order of their requests. */
const copiesMax = 3

/** How often a log that cannot be closed now is asked for again, ms. What it has grown by is copied before. */
const askMs = 100

const nameOf = ({ partition, topic }: Named): string => `${topic}-${partition}`

/**
 * Moves of replicas between the data directories of this broker (KIP-113). A log is copied while it is used; then its replica
 * is closed for a moment, the rest is copied, and the replica is opened from its new directory (`HostedLogs`).
 */
export class DirectoryMoves {
  private readonly wishes = new Map<string, Wish>()
  private readonly requests = Effect.runSync(Queue.unbounded<{ readonly wish: Wish; readonly before: Wish | undefined }>())
  private readonly copies = Effect.unsafeMakeSemaphore(copiesMax)
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
    const wish: Wish = { of, to, stage: "waiting", move: undefined, ended: unsafe(), placed: unsafe(), over: unsafe() }
    this.wishes.set(key, wish)
    if (before !== undefined) Deferred.unsafeDone(before.ended, Effect.succeed("cancelled"))
    this.requests.unsafeOffer({ wish, before })
  }

  /** The moves to the directory of this path that are not over. */
  *into(path: string): Iterable<FutureLog> {
    for (const { move, of, to } of this.wishes.values())
      if (to === path && this.options.moves.directoryOf(of.topicId, of.partition) !== path)
        yield { ...of, sizeInBytes: move?.copiedBytes() ?? 0, copiedEnd: move?.copiedEnd() ?? 0 }
  }

  /** Moves logs as they are requested, until it is interrupted. */
  readonly run: Effect.Effect<never> = Effect.scopedWith((scope) =>
    Effect.forever(Effect.flatMap(Queue.take(this.requests), ({ before, wish }) => Effect.forkIn(this.serve(wish, before), scope)))
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
    return wish === undefined ? Effect.void : Effect.zipRight(Deferred.succeed(wish.ended, why), Deferred.await(wish.over))
  }

  private serve(wish: Wish, before: Wish | undefined): Effect.Effect<void> {
    const over = Effect.suspend(() => {
      if (this.wishes.get(keyOf(wish.of)) === wish) this.wishes.delete(keyOf(wish.of))
      return Deferred.succeed(wish.over, undefined)
    })
    const turn = before === undefined ? Effect.void : Deferred.await(before.over)
    return Effect.ensuring(
      Effect.zipRight(
        turn,
        Effect.suspend(() => (this.options.moves.directoryOf(wish.of.topicId, wish.of.partition) === wish.to ? Effect.void : this.move(wish)))
      ),
      over
    )
  }

  private move(wish: Wish): Effect.Effect<void> {
    const { bytesPerSecondMax, moves, warn } = this.options
    const { of, to } = wish
    const steps = Effect.gen(this, function* () {
      const ended = yield* Deferred.poll(wish.ended)
      if (ended._tag === "Some") return
      const move = yield* moves.begin({ topicId: of.topicId, partition: of.partition, path: to }, bytesPerSecondMax)
      wish.move = move
      const outcome = yield* this.placing(wish, move)
      wish.stage = "waiting"
      if (Either.isLeft(outcome) || outcome.right !== undefined) return yield* this.stop(move, outcome)
      yield* Effect.logInfo(`${nameOf(of)} was moved to ${to}.`)
      yield* Effect.catchAll(move.removeOld, ({ message }) =>
        Effect.sync(() => warn(`${nameOf(of)} was moved to ${to}; what is left in its old directory is removed when the log is opened next: ${message}`))
      )
    })
    return Effect.catchAll(steps, ({ message }) =>
      Effect.sync(() => warn(`${nameOf(of)} stays in its directory, and is not moved to ${to}: ${message} Repeat the request when that is repaired.`))
    )
  }

  /** Copies the log until it was closed for the move. Returns what came of that, or what ended the move before. */
  private placing(wish: Wish, move: LogMove): Effect.Effect<Either.Either<Reason | void, LogFault>> {
    const ended = Deferred.await(wish.ended)
    const isReady = (): boolean => wish.stage === "ready"
    return Effect.gen(this, function* () {
      for (let copy = this.copies.withPermits(1)(move.copy); ; copy = move.copy) {
        wish.stage = "copying"
        const copied = yield* Effect.either(Effect.raceFirst(ended, copy))
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

  /** Ends a move whose log stays where it was. Fails with what ended it, if that is for the operator. */
  private stop(move: LogMove, why: Either.Either<Reason | void, LogFault>): Effect.Effect<void, LogFault> {
    if (Either.isRight(why) && why.right === "stopped") return Effect.void
    const removed = Effect.catchAll(move.cancel, ({ message }) =>
      Effect.sync(() => this.options.warn(`The copy of a log is removed by the next start: ${message}`))
    )
    return Effect.zipRight(removed, Either.isLeft(why) ? why : Effect.void)
  }
}
