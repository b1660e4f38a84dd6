import { type Clock, Effect } from "effect"
import type { Offset } from "../../../../domain/kernel/id.ts"
import type { Replica } from "../replica/replica.ts"

/** The default of `flush.messages` and `flush.ms`: never. */
const unbounded = Number.MAX_SAFE_INTEGER
/** How often logs are checked for records that are due, ms; they are synced that much later at most. */
export const flushCheckMs = 1000
/** How long records may be unsynced under log.flush.policy=interval where flush.ms is not set, ms. */
const unsyncedMsMax = 1000

interface FlushingOptions {
  /** log.flush.policy: under "interval" every log is synced within a bound, since acks=all does not wait for it. */
  readonly policy: string
  /** The replicas on this broker. */
  readonly replicas: () => Iterable<Replica>
  readonly clock: Clock.Clock
}

/** Syncs logs whose records are older than `flush.ms`. Their number (`flush.messages`) is compared where records are appended. */
export class Flushing {
  /** Logs that had unsynced records at the last look: since when, and up to which offset. */
  private since = new Map<Replica, { readonly at: number; readonly end: Offset }>()

  constructor(private readonly options: FlushingOptions) {}

  private boundOf(replica: Replica): number {
    const own = replica.config["flush.ms"]
    return own === unbounded && this.options.policy === "interval" ? unsyncedMsMax : own
  }

  /** Returns whether any log has a bound: without one there is nothing to look for until a setting changes. */
  readonly look: Effect.Effect<boolean> = Effect.sync(() => {
    const now = this.options.clock.unsafeCurrentTimeMillis()
    const since: typeof this.since = new Map()
    let hasBounds = false
    for (const replica of this.options.replicas()) {
      const bound = this.boundOf(replica)
      if (bound === unbounded) continue
      hasBounds = true
      const end = replica.end()
      if (replica.isSynced(end - 1)) continue
      const before = this.since.get(replica)
      // The records of the last look may be durable, and later ones unsynced: the time of those begins with this look.
      const noted = before === undefined || replica.isSynced(before.end - 1) ? { at: now, end } : before
      if (now - noted.at >= bound) replica.flush()
      since.set(replica, noted)
    }
    this.since = since
    return hasBounds
  })
}
