import { brokerChanges, idleBrokerChanges } from "../../domain/cluster/bounds.ts"
import { type Cluster, isIdle } from "../../domain/cluster/state.ts"
import { type Allowance, type Rate, refilled, used } from "../../domain/kernel/allowance.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"

/** Brokers whose allowance is remembered; beyond, those that have used nothing lately are forgotten. */
const rememberedMax = 2000

/**
 * Holds back brokers that come and go: each change of a broker is an event that the journal keeps for good, whoever sent the request. A broker has its own allowance; those
 * that carry no partition share one besides, since anybody may invent them.
 */
export class BrokerPace {
  private readonly own = new Map<number, Allowance>()
  private shared: Allowance | undefined

  constructor(private readonly nowMs: () => number) {}

  /** One change of the broker happens, and undefined is answered; or it has to wait so many ms. */
  take(cluster: Cluster, id: number): number | undefined {
    const now = this.nowMs()
    const own = used(brokerChanges, this.own.get(id), now)
    if ("waitMs" in own) return own.waitMs
    if (isIdle(cluster, id as BrokerId)) {
      const shared = used(idleBrokerChanges, this.shared, now)
      if ("waitMs" in shared) return shared.waitMs
      this.shared = shared
    }
    this.own.set(id, own)
    if (this.own.size > rememberedMax) this.forgetUnused(brokerChanges, now)
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
