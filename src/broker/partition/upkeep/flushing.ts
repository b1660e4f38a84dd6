import { type Clock, Effect } from "effect"
import type { Offset } from "../../../../domain/kernel/id.ts"
import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"
import type { PartitionOwner } from "../replica/owner.ts"

/** What `flush.messages` and `flush.ms` mean when nobody has set them: never. */
const unbounded = Number.MAX_SAFE_INTEGER
/** How often logs are looked through for records that are due, ms; they are synced that much later at most. */
export const flushCheckMs = 1000
/** How long records may be unsynced under log.flush.policy=interval where flush.ms does not say, ms. */
const unsyncedMsMost = 1000

/** Syncs a log in the background, for nobody: one sync at a time. What was asked for meanwhile is done by another one, since the one that runs may not cover it. */
export class BackgroundSync {
  private running = false
  private isAsked = false

  constructor(
    private readonly log: PartitionLog,
    private readonly failed: (fault: LogFault) => void
  ) {}

  /** Records that a power cut may take now. */
  get unsynced(): number {
    return this.log.end() - this.log.syncedEnd()
  }

  start(): void {
    this.isAsked = this.running
    if (this.running) return
    this.running = true
    this.log.whenSynced(this.log.end() - 1, (fault) => {
      this.running = false
      if (fault !== undefined) this.failed(fault)
      else if (this.isAsked) this.start()
    })
  }
}

interface FlushingOptions {
  /** log.flush.policy: under "interval" every log is synced within a bound, since acks=all does not wait for it. */
  readonly policy: string
  /** The partitions that this broker holds. */
  readonly owners: () => Iterable<PartitionOwner>
  readonly clock: Clock.Clock
}

/** Syncs logs whose records are older than `flush.ms`. Number (`flush.messages`) is judged where records are appended. */
export class Flushing {
  /** Logs that had something unsynced at the last look: since when, and up to which offset. */
  private since = new Map<PartitionOwner, { readonly at: number; readonly end: Offset }>()

  constructor(private readonly options: FlushingOptions) {}

  private boundOf(owner: PartitionOwner): number {
    const own = owner.flushMs
    return own === unbounded && this.options.policy === "interval" ? unsyncedMsMost : own
  }

  readonly look: Effect.Effect<void> = Effect.sync(() => {
    const now = this.options.clock.unsafeCurrentTimeMillis()
    const since: typeof this.since = new Map()
    for (const owner of this.options.owners()) {
      const bound = this.boundOf(owner)
      if (bound === unbounded) continue
      const end = owner.end()
      if (owner.isSynced(end - 1)) continue
      const before = this.since.get(owner)
      // What was noted then may be on the disk by now, and other records be there: their time begins with this look.
      const noted = before === undefined || owner.isSynced(before.end - 1) ? { at: now, end } : before
      if (now - noted.at >= bound) owner.flush()
      since.set(owner, noted)
    }
    this.since = since
  })
}
