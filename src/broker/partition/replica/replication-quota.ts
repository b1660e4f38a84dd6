import { entriesOf, type TopicConfig } from "../../../../domain/kernel/config.ts"

/** The rate that means none: the default of both settings. */
const unbounded = Number.MAX_SAFE_INTEGER

/** The list of a topic that names what is throttled: on the broker that copies, or on that from which is copied. */
type ThrottledReplicas = "follower.replication.throttled.replicas" | "leader.replication.throttled.replicas"

/** A replica on this broker. */
interface Throttled {
  readonly config: Pick<TopicConfig, ThrottledReplicas>
  readonly partition: number
}

/**
 * How fast this broker copies, or lets others copy, the replicas that catch up and that their topics name (KIP-73): all of
 * them together, on the average of a second. Kafka counts in windows of a second, too. Replicas in sync are never
 * throttled.
 */
export class ReplicationQuota {
  /** Bytes that may be copied now; below 0: a response was larger than what was left. */
  private bytesLeft = 0
  private atMs: number | undefined

  constructor(
    /** The setting of the topic that names the replicas. */
    private readonly list: ThrottledReplicas,
    /** `follower.` or `leader.replication.throttled.rate`, bytes per second. */
    private readonly rate: () => number,
    /** ms by the monotonic clock. */
    private readonly nowMs: () => number
  ) {}

  /** Whether the replica waits. */
  holds(replica: Throttled, broker: number): boolean {
    return this.rate() < unbounded && this.names(replica, broker) && this.left() <= 0
  }

  /** Bytes of the replica were copied. */
  took(replica: Throttled, broker: number, bytes: number): void {
    if (bytes === 0 || this.rate() >= unbounded || !this.names(replica, broker)) return
    this.left()
    this.bytesLeft -= bytes
  }

  private names({ config, partition }: Throttled, broker: number): boolean {
    const listed = config[this.list]
    return listed !== "" && entriesOf(listed).some((entry) => entry === "*" || entry === `${partition}:${broker}`)
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
