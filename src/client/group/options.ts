export type AssignorName = "range" | "roundrobin" | "sticky" | "cooperative-sticky"

/** The membership of a consumer in its group. Durations are in ms. Kafka's name for each setting is in brackets. */
export interface GroupOptions {
  /**
   * The assignors that the member supports, the preferred first. All members must have one in common. Default range,
   * roundrobin, sticky. With `["cooperative-sticky"]` alone a member keeps its partitions in a rebalance and reads on,
   * except those that move to another member (KIP-429). Beside other assignors it gives all of them away first, which
   * is the step on the way from those to it. [partition.assignment.strategy]
   */
  readonly assignors?: ReadonlyArray<AssignorName>
  /** The group removes a member that sends no heartbeat for this long. Default 10,000. [session.timeout.ms] */
  readonly sessionTimeoutMs?: number
  /** Default: a third of the session timeout. [heartbeat.interval.ms] */
  readonly heartbeatIntervalMs?: number
  /**
   * How long the group waits for this member in a rebalance. The member waits half of it for the next poll of its
   * caller, and no longer than `maxPollIntervalMs`, so that the delivered messages are committed and no other member
   * receives them. Default 60,000.
   * [rebalance.timeout.ms]
   */
  readonly rebalanceTimeoutMs?: number
  /**
   * The longest time between two polls, and the longest that a handler of `run` may take. A member over it leaves the
   * group, which gives its partitions to other members, and its handlers are interrupted. It joins again with the next
   * poll, or when its handlers have ended, after `sessionTimeoutMs` at the earliest: the other members come first. Noticed within a heartbeat interval. Default 300,000. [max.poll.interval.ms]
   */
  readonly maxPollIntervalMs?: number
  /**
   * The id of a static member: one that rejoins under it within the session timeout keeps its partitions (KIP-345).
   * [group.instance.id]
   */
  readonly instanceId?: string
}

/** `GroupOptions` with every default filled in. */
export interface MembershipSettings {
  readonly assignors: ReadonlyArray<AssignorName>
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
  readonly maxPollIntervalMs: number
  readonly instanceId: string | null
  /** The consumer's rack, for assignors that regard it (KIP-881). */
  readonly rack: string | null
}

/** Fills in the defaults. `rack`: that of the consumer. */
export const membershipSettings = (options: GroupOptions, rack: string | null = null): MembershipSettings => {
  const sessionTimeoutMs = Math.max(1, options.sessionTimeoutMs ?? 10_000)
  return {
    assignors: options.assignors ?? ["range", "roundrobin", "sticky"],
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.max(1, options.heartbeatIntervalMs ?? Math.floor(sessionTimeoutMs / 3)),
    rebalanceTimeoutMs: Math.max(1, options.rebalanceTimeoutMs ?? 60_000),
    maxPollIntervalMs: Math.max(1, options.maxPollIntervalMs ?? 300_000),
    instanceId: options.instanceId ?? null,
    rack
  }
}

/** Whether the member keeps its partitions in a rebalance: all its assignors support that, as Java's consumer decides it. */
export const isCooperative = ({ assignors }: MembershipSettings): boolean => assignors.every((name) => name === "cooperative-sticky")
