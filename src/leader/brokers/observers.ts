import { type Clock, HashMap } from "effect"
import type { Cluster } from "../../../domain/cluster/state.ts"
import type { BrokerId } from "../../../domain/kernel/id.ts"

/** How far a broker has read the leader's journal, by its heartbeats. Timestamps are ms since 1970. */
interface Observer {
  /** The event that it reads next. */
  readonly endOffset: number
  readonly heardAt: number
  /** When it last had every event that there was; -1: not yet. */
  readonly caughtUpAt: number
}

/** The brokers that read the leader's journal. Not journalled: a new leader hears from each within a heartbeat. */
export class Observers {
  private readonly byBroker = new Map<BrokerId, Observer>()

  constructor(
    private readonly clock: Clock.Clock,
    private readonly cluster: () => Cluster
  ) {}

  /** A heartbeat of a registered broker says that it has read up to and with `metadataOffset`. */
  heard(broker: BrokerId, metadataOffset: number): void {
    const now = this.clock.unsafeCurrentTimeMillis()
    const { brokers, index } = this.cluster()
    const endOffset = Math.min(index, Math.max(0, metadataOffset + 1))
    const caughtUpAt = endOffset === index ? now : (this.byBroker.get(broker)?.caughtUpAt ?? -1)
    this.byBroker.set(broker, { endOffset, heardAt: now, caughtUpAt })
    if (this.byBroker.size <= HashMap.size(brokers)) return
    for (const id of this.byBroker.keys()) if (!HashMap.has(brokers, id)) this.byBroker.delete(id)
  }

  /** What the broker said last; undefined for one that was not heard since this leader started. */
  of(broker: BrokerId): Observer | undefined {
    return this.byBroker.get(broker)
  }
}
