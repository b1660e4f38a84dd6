import type { Clock } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"

/** How far a broker has read the leader's journal, by its heartbeats. Timestamps are ms since 1970. */
interface Observer {
  /** The event that it reads next. */
  readonly endOffset: number
  readonly heartbeatAt: number
  /** When it last had every event of that time; -1: not yet. */
  readonly caughtUpAt: number
}

/** The brokers that read the leader's journal. Not journalled: a new leader gets a heartbeat of each within its interval. */
export class Observers {
  private readonly byBroker = new Map<BrokerId, Observer>()

  constructor(
    private readonly clock: Clock.Clock,
    private readonly cluster: () => Cluster
  ) {}

  /** Records a heartbeat of a registered broker that has read up to and with `metadataOffset`. */
  record(broker: BrokerId, metadataOffset: number): void {
    const now = this.clock.unsafeCurrentTimeMillis()
    const { index } = this.cluster()
    const endOffset = Math.min(index, Math.max(0, metadataOffset + 1))
    const caughtUpAt = endOffset === index ? now : (this.byBroker.get(broker)?.caughtUpAt ?? -1)
    this.byBroker.set(broker, { endOffset, heartbeatAt: now, caughtUpAt })
  }

  /** The broker is registered no longer. */
  forget(broker: BrokerId): void {
    this.byBroker.delete(broker)
  }

  /** Returns the last heartbeat of the broker; undefined without one since this leader started. */
  of(broker: BrokerId): Observer | undefined {
    return this.byBroker.get(broker)
  }
}
