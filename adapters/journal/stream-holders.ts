import { Deferred, Effect, Exit, FiberId } from "effect"
import type { Epoch } from "../../domain/kernel/id.ts"
import { Fenced } from "../../src/ports/journal.ts"
import type { LogFault } from "../../src/ports/log-store.ts"

/** The holders of a stream. Each learns why it does not hold the stream any more. */
export class StreamHolders {
  private readonly lost = new Map<Epoch, Deferred.Deferred<never, Fenced | LogFault>>()

  get count(): number {
    return this.lost.size
  }

  /** Adds a holder under a new epoch, and fences those before it. Returns what fails when the holder has to stop. */
  add(stream: string, epoch: Epoch): Effect.Effect<never, Fenced | LogFault> {
    this.fence(stream, epoch)
    const lost = Deferred.unsafeMake<never, Fenced | LogFault>(FiberId.none)
    this.lost.set(epoch, lost)
    return Deferred.await(lost)
  }

  /** Fences all holders, because another has the stream under a newer epoch. */
  fence(stream: string, newerEpoch: Epoch): void {
    for (const [epoch, lost] of this.lost) Deferred.unsafeDone(lost, Exit.fail(new Fenced({ stream, epoch, newerEpoch })))
  }

  /** Stops all holders because of damage. */
  stop(fault: LogFault): void {
    for (const lost of this.lost.values()) Deferred.unsafeDone(lost, Exit.fail(fault))
  }

  remove(epoch: Epoch): void {
    this.lost.delete(epoch)
  }
}
