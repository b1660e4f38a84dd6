import { Effect } from "effect"
import type { Offset } from "../../../../domain/kernel/id.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"

/** Called once: when the records are on disk, or with what went wrong. Must not throw. */
type Synced = (fault: LogFault | undefined) => void
interface Waiter {
  readonly offset: Offset
  synced: Synced | undefined
}

/** Who waits for a partition's records to be on disk. One fiber asks the log for all of them; a request that waits costs a place in a list. */
export class SyncWaiters {
  private waiting: Array<Waiter> = []
  private running = false

  constructor(
    private readonly log: PartitionLog,
    private readonly fork: (effect: Effect.Effect<void>) => void
  ) {}

  /** Calls `synced` when everything up to and with `offset` survives a power cut; at once if it does already. Answers how to give up. */
  add(offset: Offset, synced: Synced): () => void {
    const waiter: Waiter = { offset, synced }
    if (this.log.syncedEnd() > offset) {
      synced(undefined)
      return () => {}
    }
    this.waiting.push(waiter)
    if (!this.running) {
      this.running = true
      this.fork(this.rounds)
    }
    return () => {
      waiter.synced = undefined
    }
  }

  private readonly rounds: Effect.Effect<void> = Effect.suspend(() =>
    Effect.matchEffect(this.log.sync, {
      onFailure: (fault) => this.release(Number.POSITIVE_INFINITY, fault),
      onSuccess: () => this.release(this.log.syncedEnd(), undefined)
    })
  )

  /** Releases those below `end`. Whoever came while the sync ran needs the next one. */
  private release(end: Offset, fault: LogFault | undefined): Effect.Effect<void> {
    const all = this.waiting
    this.waiting = []
    const later = all.filter(({ offset, synced }) => {
      if (offset >= end) return synced !== undefined
      synced?.(fault)
      return false
    })
    this.waiting = [...later, ...this.waiting]
    if (this.waiting.length > 0) return this.rounds
    this.running = false
    return Effect.void
  }
}
