import { brokerChanges, idleBrokerChanges } from "../../../domain/cluster/bounds.ts"
import { brokerOf, type Cluster, isIdle } from "../../../domain/cluster/state.ts"
import { type Allowance, type Rate, refilled, used } from "../../../domain/kernel/allowance.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"

/** Brokers whose allowance is remembered; beyond, those that have used nothing lately are forgotten. */
const rememberedMax = 2000

/** How a broker changes: its process registers anew, or the leader unfences it. */
type BrokerChange = "registers" | "enters"

/**
 * Holds back brokers that come and go: each change of a broker is an event that the journal keeps for good, whatever client sent the request. A broker has its own allowance. Those that carry
 * no partition share one besides for registrations, since any client may invent them, and another for entering again; entering for the first time comes with the registration, so that
 * brokers that flap do not keep a new one out.
 */
export class BrokerPace {
  private readonly own = new Map<number, Allowance>()
  private readonly shared = new Map<BrokerChange, Allowance>()
  /** The epoch under which each broker has entered. */
  private readonly entered = new Map<number, number>()

  constructor(private readonly nowMs: () => number) {}

  /** One change of the broker happens, and undefined is answered; or it has to wait so many ms. */
  take(cluster: Cluster, id: number, change: BrokerChange): number | undefined {
    const now = this.nowMs()
    const own = used(brokerChanges, this.own.get(id), now)
    if ("waitMs" in own) return own.waitMs
    const epoch = brokerOf(cluster, id)?.epoch ?? -1
    const isFirst = change === "enters" && this.entered.get(id) !== epoch
    if (isIdle(cluster, id as BrokerId) && !isFirst) {
      const shared = used(idleBrokerChanges, this.shared.get(change), now)
      if ("waitMs" in shared) return shared.waitMs
      this.shared.set(change, shared)
    }
    if (isFirst) this.entered.set(id, epoch)
    this.own.set(id, own)
    if (this.own.size > rememberedMax) this.forgetUnused(brokerChanges, now)
    for (const known of this.entered.keys()) {
      if (this.entered.size <= rememberedMax) break
      this.entered.delete(known)
    }
    return undefined
  }

  private forgetUnused(rate: Rate, now: number): void {
    for (const [id, allowance] of this.own) if (refilled(rate, allowance, now).left >= rate.burst) this.own.delete(id)
    // Whatever is left then belongs to brokers that came lately: the oldest of them begin anew.
    for (const id of this.own.keys()) {
      if (this.own.size <= rememberedMax) return
      this.own.delete(id)
    }
  }
}
