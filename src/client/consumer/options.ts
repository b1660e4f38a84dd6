import type { Effect } from "effect"
import type { Isolation } from "../cluster/start-offsets.ts"
import type { Undecodable } from "../error.ts"
import type { GroupOptions } from "../group/options.ts"
import type { ConnectionOptions } from "../options.ts"
import type { ConsumedRecord } from "./fetch/record.ts"
import type { FetchSettings } from "./fetch/settings.ts"
import type { OnAssigned } from "./partition-work.ts"

/**
 * Where a member begins in a partition for which its group has no offset:
 * - "subscribed": with the messages after the subscription; with the first message of a partition that was added later.
 * - "earliest": with the oldest message. - "latest": with the messages after the assignment.
 */
export type From = "subscribed" | "earliest" | "latest"

export interface JoinOptions extends GroupOptions {
  /**
   * Runs for each partition that the group assigns, before its first message. What it acquires in its scope is released
   * before the partition is given away, after the delivered messages were processed and before the last commit; after
   * the partition where the member lost it. A failure is logged, and the partition is read all the same. The group
   * waits for it: keep it shorter than a quarter of `rebalanceTimeoutMs`.
   */
  readonly onAssigned?: OnAssigned
}

/** How a consumer reads. Durations are in ms, sizes in bytes. Kafka's name for each setting is in brackets. */
export interface ConsumerOptions extends ConnectionOptions {
  /** Default "subscribed". [auto.offset.reset] */
  readonly from?: From
  /**
   * How often the offsets of processed messages are committed. Messages of a poll count as processed at the next poll.
   * Default 5,000; "never": only `commit` commits. [auto.commit.interval.ms]
   */
  readonly commitIntervalMs?: number | "never"
  /** Messages of one poll. Default 500. [max.poll.records] */
  readonly pollRecordsMax?: number
  /** How long a broker waits for messages before it responds to a fetch. Default 500. [fetch.max.wait.ms] */
  readonly fetchWaitMs?: number
  /** Bytes of one fetch response. Default 50 MiB. [fetch.max.bytes] */
  readonly fetchBytesMax?: number
  /** Bytes of one partition in a fetch response. Default 1 MiB. [max.partition.fetch.bytes] */
  readonly partitionBytesMax?: number
  /** Bytes of the messages that are fetched ahead. One or two fetch responses may come on top. Default 64 MiB. */
  readonly bufferBytesMax?: number
  /** Bytes of one batch after decompression. Default 128 MiB. */
  readonly batchBytesMax?: number
  /**
   * What to do with damaged batches. "fail" (the default): every poll fails with CorruptRecords until a `seek` passes
   * them. "skip": the consumer logs their position and continues behind them.
   */
  readonly onCorrupt?: "fail" | "skip"
  /**
   * "read_committed": messages of open transactions wait, and those of aborted ones are left out. Default
   * "read_uncommitted". [isolation.level]
   */
  readonly isolation?: Isolation
  /**
   * Where this consumer is. A leader may name a replica in the same rack, from which the consumer fetches then, where the
   * cluster supports it (KIP-392: a `replica.selector.class` in Kafka). Default: none, so that it fetches from leaders.
   * [client.rack]
   */
  readonly rack?: string
}

/** `ConsumerOptions` with every default filled in. */
export interface ConsumerSettings extends FetchSettings {
  readonly from: From
  readonly commitIntervalMs: number | "never"
  readonly pollRecordsMax: number
}

/** Fills in the defaults. */
export const consumerSettings = (options: ConsumerOptions): ConsumerSettings => ({
  from: options.from ?? "subscribed",
  commitIntervalMs: options.commitIntervalMs ?? 5000,
  pollRecordsMax: Math.max(1, options.pollRecordsMax ?? 500),
  fetchWaitMs: Math.max(0, options.fetchWaitMs ?? 500),
  fetchBytesMax: Math.max(1, options.fetchBytesMax ?? 50 * 1024 * 1024),
  partitionBytesMax: Math.max(1, options.partitionBytesMax ?? 1024 * 1024),
  bufferBytesMax: Math.max(1, options.bufferBytesMax ?? 64 * 1024 * 1024),
  batchBytesMax: Math.max(1, options.batchBytesMax ?? 128 * 1024 * 1024),
  onCorrupt: options.onCorrupt ?? "fail",
  isolation: options.isolation ?? "read_uncommitted",
  rack: options.rack ?? ""
})

export interface PollOptions {
  /** Default: `pollRecordsMax` of the consumer's options. */
  readonly maxRecords?: number
  /** How long to wait for the first message, ms. Default 1,000; 0 returns what is buffered. */
  readonly timeoutMs?: number
  /**
   * When a message counts as processed, so that its offset may be committed: "at the next poll" (the default), or only
   * after `acknowledge` ("each"). A consumer must use the same for all its polls.
   */
  readonly acknowledge?: "at the next poll" | "each"
}

/** The membership of a stream or a worker, which joins and leaves by itself. */
export interface MemberOptions extends GroupOptions {
  readonly group: string
}

/** How a stream reads. */
export interface ReadingOptions extends MemberOptions {
  /**
   * Messages in one chunk of the stream, at most. Default 1: each message is delivered when the caller asks for it, and
   * none of a partition that is given away. With more a message costs a fraction of the processor time, as with `poll`:
   * the chunk is in the caller's hand as a whole, a rebalance waits for its messages to be acknowledged (for half of
   * `rebalanceTimeoutMs` at most), and those behind that are delivered, and read again by the partition's next member.
   */
  readonly chunkRecordsMax?: number
}

export interface RecordsOptions<E = never, R = never> extends ReadingOptions {
  /**
   * What to do with a message that the topic's schemas cannot decode, and with a tombstone where the value's schema
   * does not accept null:
   * - "fail" (the default): the stream ends with Undecodable, which names the position. The message is not
   *   acknowledged, so the next member of the group reads it again.
   * - "skip": the position goes to the log, and the message counts as processed.
   * - a function, such as `deadLetter("orders.dead")`: it runs with the message and the error, and then the message counts as
   *   processed. Its failure ends the stream, and the message is not acknowledged.
   */
  readonly onUndecodable?: "fail" | "skip" | ((record: ConsumedRecord, error: Undecodable) => Effect.Effect<unknown, E, R>)
}

export interface EventsOptions {
  /**
   * The index of the first event. Default: the first that the journal has. InvalidArgument where the journal was trimmed
   * and begins later.
   */
  readonly from?: number
  /**
   * Whether the stream continues with new events. Default false: it ends with the last event at the time of the call.
   */
  readonly follow?: boolean
}
