import { Deferred, Exit, FiberId } from "effect"
import type { Epoch } from "../../domain/kernel/id.ts"
import { Fenced, type Taken } from "../../src/ports/journal.ts"
import type { LogFault } from "../../src/ports/log-store.ts"

/** Who holds a stream. */
interface Holder {
  readonly lost: Deferred.Deferred<never, Fenced | LogFault>
  isOver: boolean
}

const end = (holder: Holder, fault: Fenced | LogFault): void => {
  holder.isOver = true
  Deferred.unsafeDone(holder.lost, Exit.fail(fault))
}

/** The holders of a stream. Each learns why it does not hold the stream any more. */
export class StreamHolders {
  private readonly holders = new Map<Epoch, Holder>()

  get count(): number {
    return this.holders.size
  }

  /** Adds a holder under a new epoch, and fences those before it. Returns what tells the holder that it has to stop. */
  add(stream: string, epoch: Epoch): Pick<Taken, "lost" | "isHeld"> {
    this.fence(stream, epoch)
    const holder: Holder = { lost: Deferred.unsafeMake(FiberId.none), isOver: false }
    this.holders.set(epoch, holder)
    return { lost: Deferred.await(holder.lost), isHeld: () => !holder.isOver }
  }

  /** Fences all holders, because another has the stream under a newer epoch. */
  fence(stream: string, newerEpoch: Epoch): void {
    for (const [epoch, holder] of this.holders) end(holder, new Fenced({ stream, epoch, newerEpoch }))
  }

  /** Stops all holders because of damage. */
  stop(fault: LogFault): void {
    for (const holder of this.holders.values()) end(holder, fault)
  }

  remove(epoch: Epoch): void {
    const holder = this.holders.get(epoch)
    if (holder !== undefined) holder.isOver = true
    this.holders.delete(epoch)
  }
}
