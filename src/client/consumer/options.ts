import type { Effect } from "effect"
import type { Undecodable } from "../error.ts"
import type { GroupOptions } from "../group/options.ts"
import type { ConnectionOptions } from "../options.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { FetchSettings } from "./fetch/settings.ts"

/**
 * Where a member begins to read a partition for which its group has no offset:
 * - "subscribed": with what came since it subscribed; all of a partition that was added later.
 * - "earliest": with the oldest message. - "latest": with what comes after the partition was assigned.
 */
export type From = "subscribed" | "earliest" | "latest"
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

export interface Reading extends FetchSettings {
  readonly from: From
  readonly commitIntervalMs: number | "never"
  readonly pollRecordsMax: number
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

export interface PollOptions {
  /** Default: `pollRecordsMax` of the consumer's options. */
  readonly maxRecords?: number
  /** How long to wait for the first message, ms. Default 1,000; 0 takes what is there. */
  readonly timeoutMs?: number
  /**
   * When a message counts as processed, so that its offset may be committed: "at the next poll" (the default), or only when `acknowledge` was called for it ("each"). One
   * way or the other for the life of a consumer.
   */
  readonly acknowledge?: "at the next poll" | "each"
}

export interface RecordsOptions<E = never, R = never> extends GroupOptions {
  readonly group: string
  /**
   * What becomes of a message that the topic's schemas do not decode, and of a tombstone where the value's schema does not take null:
   * - "fail" (the default): the stream ends with Undecodable, which names the message's position; the message stays unacknowledged, so that the next worker reads it again.
   * - "skip": its position is written to the log, and it counts as processed.
   * - a function, for a dead letter topic: it is run with the message and the error, and then the message counts as processed. Its failure ends the stream, and the message
   *   stays unacknowledged.
   */
  readonly onUndecodable?: "fail" | "skip" | ((record: ConsumedRecord, error: Undecodable) => Effect.Effect<unknown, E, R>)
}

export interface EventsOptions {
  /** Index of the first event; default 0. */
  readonly from?: number
  /** Whether to go on with events as they come; default false: ends with the last that is there. */
  readonly follow?: boolean
}
