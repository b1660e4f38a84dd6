export type AssignorName = "range" | "roundrobin" | "sticky"

/** How a consumer is a member of its group. */
export interface GroupOptions {
  /** Rules of assignment that it offers, the preferred first. All members must have one in common. Default range, roundrobin, sticky. [partition.assignment.strategy] */
  readonly assignors?: ReadonlyArray<AssignorName>
  /** A member that is silent for this long loses its partitions. Default 10,000. [session.timeout.ms] */
  readonly sessionTimeoutMs?: number
  /** Default a third of the session timeout. [heartbeat.interval.ms] */
  readonly heartbeatIntervalMs?: number
  /**
   * How long the group waits for this member when partitions are given out anew. Half of it is what the member waits for its user to poll again, so that the messages in hand
   * are committed and go to nobody else. Default 60,000. [rebalance.timeout.ms, max.poll.interval.ms]
   */
  readonly rebalanceTimeoutMs?: number
  /** A name that outlives the process: a member that comes back under it within the session timeout keeps its partitions (KIP-345). [group.instance.id] */
  readonly instanceId?: string
}

export interface Membership {
  readonly assignors: ReadonlyArray<AssignorName>
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
  readonly instanceId: string | null
}

export const membershipOf = (options: GroupOptions): Membership => {
  const sessionTimeoutMs = Math.max(1, options.sessionTimeoutMs ?? 10_000)
  return {
    assignors: options.assignors ?? ["range", "roundrobin", "sticky"],
    sessionTimeoutMs,
    heartbeatIntervalMs: Math.max(1, options.heartbeatIntervalMs ?? Math.floor(sessionTimeoutMs / 3)),
    rebalanceTimeoutMs: Math.max(1, options.rebalanceTimeoutMs ?? 60_000),
    instanceId: options.instanceId ?? null
  }
}
