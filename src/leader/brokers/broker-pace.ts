import { brokerChangesOf, idleBrokerChanges } from "../../../domain/cluster/bounds.ts"
import { brokerOf, type Cluster, isIdle, replicasOn } from "../../../domain/cluster/state.ts"
import { type Allowance, refilled, used } from "../../../domain/kernel/allowance.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"

/** Brokers whose allowance is remembered; beyond, those that have used nothing lately are forgotten. */
const rememberedMax = 2000

const rateOf = (cluster: Cluster, id: number) => brokerChangesOf(replicasOn(cluster, id as BrokerId))

/** How a broker changes: its process registers anew, or the leader unfences it. */
type BrokerChange = "registers" | "enters"

/**
 * Holds back brokers that come and go: each restart of a broker is events that the journal keeps for good, whatever client sent the requests. A broker has its own allowance of restarts; to be
 * unfenced for the first time belongs to the registration, and is never held back. Brokers that carry no partition share one allowance besides for registrations, since any client may invent
 * them, and another for being unfenced again.
 */
export class BrokerPace {
  private readonly own = new Map<number, Allowance>()
  private readonly shared = new Map<BrokerChange, Allowance>()
  /** The epoch under which each broker has entered. */
  private readonly entered = new Map<number, number>()

  constructor(private readonly nowMs: () => number) {}

  /** One change of the broker happens, and undefined is answered; or it has to wait so many ms. */
  take(cluster: Cluster, id: number, change: BrokerChange): number | undefined {
    const epoch = brokerOf(cluster, id)?.epoch ?? -1
    if (change === "enters" && this.entered.get(id) !== epoch) {
      this.noteEntered(id, epoch)
      return undefined
    }
    const now = this.nowMs()
    const own = used(rateOf(cluster, id), this.own.get(id), now)
    if ("waitMs" in own) return own.waitMs
    if (isIdle(cluster, id as BrokerId)) {
      const shared = used(idleBrokerChanges, this.shared.get(change), now)
      if ("waitMs" in shared) return shared.waitMs
      this.shared.set(change, shared)
    }
    this.own.set(id, own)
    if (this.own.size > rememberedMax) this.forgetUnused(cluster, now)
    return undefined
  }

  private noteEntered(id: number, epoch: number): void {
    // Those that entered longest ago come first.
    this.entered.delete(id)
    this.entered.set(id, epoch)
    for (const known of this.entered.keys()) {
      if (this.entered.size <= rememberedMax) break
      this.entered.delete(known)
    }
  }

  private forgetUnused(cluster: Cluster, now: number): void {
    for (const [id, allowance] of this.own) {
      const rate = rateOf(cluster, id)
      if (refilled(rate, allowance, now).left >= rate.burst) this.own.delete(id)
    }
    // Whatever is left then belongs to brokers that came lately: the oldest of them begin anew.
    for (const id of this.own.keys()) {
      if (this.own.size <= rememberedMax) return
      this.own.delete(id)
    }
  }
}
