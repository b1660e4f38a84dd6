import { Deferred, Effect, FiberId } from "effect"
import { type Disk, removeFile } from "./disk.ts"

/**
 * Files of a log that go after a while: readers with old descriptors have that long. What could not be removed, or was not by the time that the log was
 * closed, is left to the next start.
 */
export class LaterRemoval {
  private readonly closed = Deferred.unsafeMake<void>(FiberId.none)
  private readonly turn = Effect.unsafeMakeSemaphore(1)
  private isClosed = false

  constructor(private readonly disk: Disk) {}

  /** Removes the files in `delayMs`, one after the other, unless the log is closed by then or `isAllowed` says no. */
  after(delayMs: number, paths: ReadonlyArray<string>, isAllowed: () => boolean): Effect.Effect<void> {
    const remove = Effect.forEach(
      paths,
      (path) => Effect.suspend(() => (this.isClosed || !isAllowed() ? Effect.void : Effect.ignore(removeFile(this.disk, path)))),
      {
        discard: true
      }
    )
    return Effect.raceFirst(Effect.sleep(`${delayMs} millis`), Deferred.await(this.closed)).pipe(Effect.andThen(this.turn.withPermits(1)(remove)))
  }

  /** No file is removed any more when it returns: the next start may look at them. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.isClosed = true
    return Effect.andThen(Deferred.succeed(this.closed, undefined), this.turn.withPermits(1)(Effect.void))
  })
}
