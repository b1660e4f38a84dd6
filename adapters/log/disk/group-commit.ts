import { Deferred, Effect, type Exit, FiberId } from "effect"
import type { LogFault } from "../../../src/ports/log-store.ts"

/**
 * One sync at a time, shared by all who wait: whoever asks while one runs is released by the next, since that one may not cover what was appended after its start.
 * A round belongs to nobody: when the first caller is interrupted, the others still get their answer.
 */
export class GroupCommit {
  private waiting: Deferred.Deferred<void, LogFault> | undefined
  private running: Deferred.Deferred<void> | undefined

  constructor(
    /** Makes durable what is there when it starts. */
    private readonly round: Effect.Effect<void, LogFault>,
    private readonly fork: (effect: Effect.Effect<void>) => void
  ) {}

  readonly wait: Effect.Effect<void, LogFault> = Effect.suspend(() => Deferred.await(this.join()))

  /** Asks for a round without waiting for it. */
  start(): void {
    this.join()
  }

  /** Returns when no round runs and nobody waits for one. */
  readonly idle: Effect.Effect<void> = Effect.suspend(() => (this.running === undefined ? Effect.void : Deferred.await(this.running)))

  private join(): Deferred.Deferred<void, LogFault> {
    this.waiting ??= Deferred.unsafeMake<void, LogFault>(FiberId.none)
    if (this.running === undefined) {
      this.running = Deferred.unsafeMake<void>(FiberId.none)
      this.fork(this.rounds)
    }
    return this.waiting
  }

  // The yield lets everybody who appends in this turn of the loop join the first round.
  private readonly rounds: Effect.Effect<void> = Effect.suspend(() => {
    const released = this.waiting
    if (released === undefined) return Effect.sync(() => this.finish())
    return Effect.yieldNow().pipe(
      Effect.andThen(
        Effect.suspend(() => {
          this.waiting = undefined
          return Effect.exit(this.round)
        })
      ),
      Effect.andThen((exit: Exit.Exit<void, LogFault>) => Deferred.unsafeDone(released, exit)),
      Effect.andThen(Effect.suspend(() => this.rounds))
    )
  }).pipe(Effect.uninterruptible)

  private finish(): void {
    const done = this.running
    this.running = undefined
    if (done !== undefined) Deferred.unsafeDone(done, Effect.void)
  }
}
