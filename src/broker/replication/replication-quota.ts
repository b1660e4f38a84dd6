import { entriesOf } from "../../../domain/kernel/config.ts"
import type { Replica } from "../partition/replica/replica.ts"

/** The rate that means none: the default of `follower.replication.throttled.rate`. */
const unbounded = Number.MAX_SAFE_INTEGER

/**
 * How fast this broker copies the replicas that catch up and that their topics name in
 * `follower.replication.throttled.replicas` (KIP-73): all of them together, on the average of a second. Kafka counts in
 * windows of a second, too. Replicas in sync are never throttled.
 */
export class ReplicationQuota {
  /** Bytes that may be copied now; below 0: a response was larger than what was left. */
  private bytesLeft = 0
  private atMs: number | undefined

  constructor(
    /** `follower.replication.throttled.rate`, bytes per second. */
    private readonly rate: () => number,
    /** ms by the monotonic clock. */
    private readonly nowMs: () => number
  ) {}

  /** Whether the replica waits. */
  holds(replica: Replica, broker: number): boolean {
    return this.rate() < unbounded && isThrottled(replica, broker) && this.left() <= 0
  }

  /** Bytes of the replica were copied. */
  took(replica: Replica, broker: number, bytes: number): void {
    if (bytes === 0 || this.rate() >= unbounded || !isThrottled(replica, broker)) return
    this.left()
    this.bytesLeft -= bytes
  }

  private left(): number {
    const now = this.nowMs()
    const rate = this.rate()
    const passedMs = this.atMs === undefined ? 1000 : now - this.atMs
    this.atMs = now
    this.bytesLeft = Math.min(rate, this.bytesLeft + (passedMs * rate) / 1000)
    return this.bytesLeft
  }
}

const isThrottled = ({ config, partition }: Replica, broker: number): boolean => {
  const listed = config["follower.replication.throttled.replicas"]
  return listed !== "" && entriesOf(listed).some((entry) => entry === "*" || entry === `${partition}:${broker}`)
}
