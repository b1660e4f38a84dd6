import type { ConnectionOptions } from "../options.ts"

/**
 * Where a member begins to read a partition for which its group has no offset:
 * - "subscribed": with what came since it subscribed; all of a partition that was added later.
 * - "earliest": with the oldest message. - "latest": with what comes after the partition was assigned.
 */
export type From = "subscribed" | "earliest" | "latest"
/** Where to begin in a partition that is read without a group: also an offset, or the first message at or after a time (ms since 1970). */
export type StartAt = "earliest" | "latest" | { readonly offset: number } | { readonly timestamp: number }

export type AssignorName = "range" | "roundrobin" | "sticky"

/** How a consumer reads. Kafka's name for each setting stands in brackets. Durations are in ms. */
export interface ConsumerOptions extends ConnectionOptions {
  /** Default "subscribed". [auto.offset.reset] */
  readonly from?: From
  /** How often the offsets of what was processed are committed: what an earlier poll gave counts as processed at the next. Default 5,000; "never": only `commit` does. [auto.commit.interval.ms] */
  readonly commitIntervalMs?: number | "never"
  /** Messages of one poll. Default 500. [max.poll.records] */
  readonly pollRecordsMax?: number
  /** How long a broker may wait for something to come. Default 500. [fetch.max.wait.ms] */
  readonly fetchWaitMs?: number
  /** Bytes of one answer to a fetch. Default 50 MiB. [fetch.max.bytes] */
  readonly fetchBytesMax?: number
  /** Bytes of one partition in an answer. Default 1 MiB. [max.partition.fetch.bytes] */
  readonly partitionBytesMax?: number
  /** Bytes that are read ahead; an answer or two may come on top. Default 64 MiB. */
  readonly bufferBytesMax?: number
  /** Bytes that one compressed batch may unpack to. Default 128 MiB. */
  readonly batchBytesMax?: number
  /**
   * What becomes of bytes that are not the records they claim to be. "fail" (the default): every poll fails with CorruptRecords, until `seek` goes past them. "skip": the
   * consumer writes their position to the log and goes on behind them.
   */
  readonly onCorrupt?: "fail" | "skip"
}

export interface Reading {
  readonly from: From
  readonly commitIntervalMs: number | "never"
  readonly pollRecordsMax: number
  readonly fetchWaitMs: number
  readonly fetchBytesMax: number
  readonly partitionBytesMax: number
  readonly bufferBytesMax: number
  readonly batchBytesMax: number
  readonly onCorrupt: "fail" | "skip"
}

export const readingOf = (options: ConsumerOptions): Reading => ({
  from: options.from ?? "subscribed",
  commitIntervalMs: options.commitIntervalMs ?? 5000,
  pollRecordsMax: Math.max(1, options.pollRecordsMax ?? 500),
  fetchWaitMs: Math.max(0, options.fetchWaitMs ?? 500),
  fetchBytesMax: Math.max(1, options.fetchBytesMax ?? 50 * 1024 * 1024),
  partitionBytesMax: Math.max(1, options.partitionBytesMax ?? 1024 * 1024),
  bufferBytesMax: Math.max(1, options.bufferBytesMax ?? 64 * 1024 * 1024),
  batchBytesMax: Math.max(1, options.batchBytesMax ?? 128 * 1024 * 1024),
  onCorrupt: options.onCorrupt ?? "fail"
})

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
