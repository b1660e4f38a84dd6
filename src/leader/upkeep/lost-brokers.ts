import { type Clock, HashMap } from "effect"
import { brokerOf, type Cluster } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"

const nanosPerMs = 1_000_000n

/**
 * Since when each broker that has partitions is fenced or unregistered, by the monotonic clock. Not journalled: a new leader counts from its start, since brokers may have
 * been fenced because they could not reach the old one.
 */
export class LostBrokers {
  private readonly sinceNs = new Map<BrokerId, bigint>()
  private lookedNs: bigint | undefined

  constructor(
    private readonly clock: Clock.Clock,
    private readonly delayMs: number,
    /** How often the caller looks, ms. */
    private readonly lookEveryMs: number
  ) {}

  /** Whether the last look found a lost broker. */
  get hasAny(): boolean {
    return this.sinceNs.size > 0
  }

  /** While this process itself was stopped, no broker could return: that time does not count. */
  private forgiveOwnPause(now: bigint): void {
    const usualNs = BigInt(this.lookEveryMs) * nanosPerMs
    const pauseNs = this.lookedNs === undefined ? 0n : now - this.lookedNs - usualNs
    this.lookedNs = now
    if (pauseNs <= usualNs) return
    for (const [id, since] of this.sinceNs) this.sinceNs.set(id, since + pauseNs)
  }

  /** Returns the brokers that have been lost for the whole delay, by rising id. Calls note which brokers are lost, so that it is called again and again. */
  look(cluster: Cluster): ReadonlyArray<BrokerId> {
    const now = this.clock.unsafeCurrentTimeNanos()
    this.forgiveOwnPause(now)
    const lost = [...HashMap.entries(cluster.load)].flatMap(([id, load]) => (load > 0 && brokerOf(cluster, id)?.fenced !== false ? [id] : []))
    for (const id of this.sinceNs.keys()) if (!lost.includes(id)) this.sinceNs.delete(id)
    const due: Array<BrokerId> = []
    for (const id of lost) {
      const since = this.sinceNs.get(id)
      if (since === undefined) this.sinceNs.set(id, now)
      else if (now - since >= BigInt(this.delayMs) * nanosPerMs) due.push(id)
    }
    return due.sort((one, other) => one - other)
  }
}
