import type { Offset } from "../kernel/id.ts"

/** A segment as far as retention looks at it. Segments of a log follow each other; the last one is still written. */
export interface SegmentExtent {
  readonly baseOffset: Offset
  /** The offset after its last record. */
  readonly endOffset: Offset
  readonly sizeInBytes: number
  /** The largest timestamp of its records, ms since 1970; -1 when none of them has one. */
  readonly maxTimestamp: number
}

/** How much of a log is kept; negative: without bound. Kafka's `retention.ms` and `retention.bytes`. */
interface RetentionBounds {
  readonly retentionMs: number
  readonly retentionBytes: number
}

export interface RetainedLog {
  /** In order, from the oldest. */
  readonly segments: ReadonlyArray<SegmentExtent>
  readonly start: Offset
  readonly highWatermark: Offset
}

/**
 * Where a log starts once retention has done its work: at or after where it starts now. As in Kafka, whole segments go,
 * the oldest first, while the log has `retentionBytes` or more without them, or while their newest record is older than
 * `retentionMs` (`now` in ms); the first that stays ends it, so that the log has no hole. Nothing at or over the high
 * watermark goes. A segment without any timestamp has no age and is let go by its size alone.
 */
export const retainedStart = ({ highWatermark, segments, start }: RetainedLog, { retentionBytes, retentionMs }: RetentionBounds, now: number): Offset => {
  const kept = segments.filter(({ endOffset }) => endOffset > start)
  let excess = retentionBytes < 0 ? -1 : kept.reduce((sum, { sizeInBytes }) => sum + sizeInBytes, 0) - retentionBytes
  let retained = start
  for (const { endOffset, maxTimestamp, sizeInBytes } of kept) {
    const isTooMuch = excess >= sizeInBytes
    // Compaction may have left nothing of a segment: then it has no age, and keeps nothing.
    const isTooOld = sizeInBytes === 0 || (retentionMs >= 0 && maxTimestamp >= 0 && now - maxTimestamp > retentionMs)
    if (endOffset > highWatermark || !(isTooMuch || isTooOld)) break
    excess -= sizeInBytes
    retained = endOffset
  }
  return retained
}

/** A clock that is wrong by less than this holds nothing back for long. */
const aheadMsMin = 60_000

/**
 * Returns the segment that ends what retention by time deletes, because its largest timestamp is more than a minute
 * after `now` (ms): it and all that follow stay until then, and `retentionMs` longer. Undefined where there is none, or
 * no retention by time. `start` is where retention has the log start.
 */
export const heldByFuture = ({ segments, start }: Pick<RetainedLog, "segments" | "start">, retentionMs: number, now: number): SegmentExtent | undefined => {
  if (retentionMs < 0) return undefined
  const first = segments.find(({ endOffset }) => endOffset > start)
  return first !== undefined && first.maxTimestamp - now > aheadMsMin ? first : undefined
}
