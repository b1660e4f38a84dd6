import type { Clock } from "effect"
import { brokersMax } from "../../../domain/cluster/bounds.ts"
import { spareId } from "../../../domain/cluster/broker/spare-id.ts"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"

/** How long an id is kept for the broker that it was given to, until the broker registers with it, ms. */
const reservedMs = 60_000
const nanosPerMs = 1_000_000n

/** The ids that new brokers were given and have not registered with yet. Not journalled: a registration is what counts. */
export class SpareIds {
  private readonly untilNs = new Map<number, bigint>()

  constructor(private readonly clock: Clock.Clock) {}

  /** Returns an id that no other broker has or was given in the last minute; undefined where as many were given as a cluster has brokers. */
  give(cluster: Cluster): BrokerId | undefined {
    const now = this.clock.unsafeCurrentTimeNanos()
    for (const [id, until] of this.untilNs) if (until <= now) this.untilNs.delete(id)
    if (this.untilNs.size >= brokersMax) return undefined
    const id = spareId(cluster, this.untilNs.keys())
    this.untilNs.set(id, now + BigInt(reservedMs) * nanosPerMs)
    return id
  }
}
