import { type Clock, HashMap } from "effect"
import { idleBrokerMs } from "../../../domain/cluster/bounds.ts"
import { type Broker, type Cluster, isIdle, liveBrokers } from "../../../domain/cluster/state.ts"
import type { BrokerId, Epoch } from "../../../domain/kernel/id.ts"

const nanosPerMs = 1_000_000n
/** The longest pause between two looks, in shortest ones. */
const looksMax = 4

/**
 * When each broker sent its last heartbeat, by the monotonic clock. Not journalled: a new leader gives every broker a new session, since the broker's silence may have
 * been the old leader's. A timer gives suspicion only; the epoch in the command makes sure that it fences the process that was meant.
 */
export class Sessions {
  private readonly lastNs = new Map<BrokerId, { readonly epoch: Epoch; readonly at: bigint }>()
  private lookedNs: bigint | undefined
  private plannedMs = 0

  constructor(
    private readonly clock: Clock.Clock,
    private readonly timeoutMs: number
  ) {}

  record(broker: BrokerId, epoch: Epoch): void {
    this.lastNs.set(broker, { epoch, at: this.clock.unsafeCurrentTimeNanos() })
  }

  /**
   * Whether the process that has registered under this epoch sent no heartbeat for the whole session. It does not hold its id any more, even where its connections are still open: nothing
   * closes them when a machine or its network is lost.
   */
  isSilent(broker: BrokerId, epoch: Epoch): boolean {
    const last = this.lastNs.get(broker)
    return last?.epoch === epoch && this.clock.unsafeCurrentTimeNanos() - last.at >= BigInt(this.timeoutMs) * nanosPerMs
  }

  /** The broker is registered no longer. */
  forget(broker: BrokerId): void {
    this.lastNs.delete(broker)
  }

  /**
   * When this process itself was stopped for a while, heartbeats wait unread in its sockets: that time does not count as the brokers' silence.
   */
  private forgiveOwnPause(now: bigint): void {
    const usualNs = BigInt(this.lookEveryMs) * nanosPerMs
    const sinceNs = this.lookedNs === undefined ? 0n : now - this.lookedNs
    this.lookedNs = now
    if (sinceNs - BigInt(this.plannedMs) * nanosPerMs <= usualNs) return
    // The pause may have begun right after the last look.
    const pauseNs = sinceNs - usualNs
    for (const [broker, { at, epoch }] of this.lastNs) this.lastNs.set(broker, { epoch, at: at + pauseNs > now ? now : at + pauseNs })
  }

  /** Returns the unfenced brokers without a heartbeat for the whole session. The session of a broker without any heartbeat under its epoch begins now. */
  expired(cluster: Cluster): ReadonlyArray<Broker> {
    const now = this.clock.unsafeCurrentTimeNanos()
    this.forgiveOwnPause(now)
    const silent: Array<Broker> = []
    let next = now + BigInt(this.timeoutMs) * nanosPerMs
    for (const broker of liveBrokers(cluster)) {
      const last = this.lastNs.get(broker.id)
      if (last === undefined || last.epoch !== broker.epoch) {
        this.record(broker.id, broker.epoch)
        continue
      }
      const end = last.at + BigInt(this.timeoutMs) * nanosPerMs
      if (now >= end) silent.push(broker)
      if (end < next) next = end
    }
    this.plannedMs = Math.min(looksMax * this.lookEveryMs, Math.max(this.lookEveryMs, Math.ceil(Number(next - now) / Number(nanosPerMs))))
    return silent
  }

  /** Returns the fenced brokers that hold no partition and sent no heartbeat for long: their registrations are of no use. */
  forgettable(cluster: Cluster): ReadonlyArray<Broker> {
    const now = this.clock.unsafeCurrentTimeNanos()
    const idle: Array<Broker> = []
    for (const broker of HashMap.values(cluster.brokers)) {
      if (!broker.fenced || !isIdle(cluster, broker.id)) continue
      const last = this.lastNs.get(broker.id)
      if (last === undefined || last.epoch !== broker.epoch) this.record(broker.id, broker.epoch)
      else if (now - last.at >= BigInt(idleBrokerMs) * nanosPerMs) idle.push(broker)
    }
    return idle
  }

  /**
   * The pause before the next look, ms: until a session can end, but short beside a session, so that a pause of this process is noticed. A broker that registers meanwhile has a whole
   * session, which is longer.
   */
  get nextLookMs(): number {
    return Math.max(this.lookEveryMs, this.plannedMs)
  }
  /** The shortest pause between two looks, ms: a silent broker is fenced at most this much late. */
  get lookEveryMs(): number {
    return Math.min(500, Math.max(1, Math.floor(this.timeoutMs / 8)))
  }
}
