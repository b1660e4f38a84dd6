import type { Offset } from "../kernel/id.ts"
import type { SegmentExtent } from "./retention.ts"

/** When a log is compacted: Kafka's `min.cleanable.dirty.ratio`, `min.compaction.lag.ms`, `max.compaction.lag.ms`. */
export interface CompactionBounds {
  readonly dirtyRatioMin: number
  readonly lagMsMin: number
  readonly lagMsMax: number
}

/** A log as far as compaction looks at it. */
export interface CleanableLog {
  /** In order, from the oldest; the last one is still written and is never compacted. */
  readonly segments: ReadonlyArray<SegmentExtent>
  readonly start: Offset
  readonly highWatermark: Offset
  /** Everything before it was compacted already. */
  readonly cleanEnd: Offset
  /** The timestamp of the first batch from there on, ms; undefined where there is none, or it has none. */
  readonly firstDirtyTimestamp: number | undefined
}

/** What a round of compaction would go over. */
export interface Dirt {
  /** Nothing before it has to be read for its keys. */
  readonly from: Offset
  /** Nothing at or over it is touched. */
  readonly to: Offset
  /** Of the bytes that a round would rewrite, how much is dirty: 0 to 1. */
  readonly ratio: number
  /** A record has waited for `max.compaction.lag.ms`. */
  readonly isOverdue: boolean
  readonly isDue: boolean
}

/**
 * What of a log is to be compacted, and whether it is time to. The active segment is never touched, nor what is over
 * the high watermark, nor a segment with a record younger than `min.compaction.lag.ms` or anything after it; nor the
 * last segment before an empty active one, since a reader behind the last record of the log would find nothing to continue
 * with. `now` in ms.
 */
export const dirtOf = (log: CleanableLog, { dirtyRatioMin, lagMsMax, lagMsMin }: CompactionBounds, now: number): Dirt => {
  const { cleanEnd, firstDirtyTimestamp, highWatermark, segments, start } = log
  const active = segments.at(-1)
  const sealed = segments.slice(0, active?.sizeInBytes === 0 ? -2 : -1)
  // An offset outside of the log says nothing: all of it is taken for dirty.
  const from = cleanEnd < start || cleanEnd > highWatermark ? start : cleanEnd
  let to = from
  let dirtyBytes = 0
  let cleanBytes = 0
  for (const { baseOffset, endOffset, maxTimestamp, sizeInBytes } of sealed) {
    if (endOffset <= from) {
      cleanBytes += sizeInBytes
      continue
    }
    if (endOffset > highWatermark || (lagMsMin > 0 && maxTimestamp > now - lagMsMin)) break
    // A segment of which a part is clean counts as dirty, as in Kafka.
    if (baseOffset < from) cleanBytes += sizeInBytes
    dirtyBytes += sizeInBytes
    to = endOffset
  }
  const ratio = dirtyBytes === 0 ? 0 : dirtyBytes / (dirtyBytes + cleanBytes)
  const isOverdue = to > from && firstDirtyTimestamp !== undefined && firstDirtyTimestamp < now - lagMsMax
  return { from, to, ratio, isOverdue, isDue: to > from && (isOverdue || ratio > dirtyRatioMin) }
}

/** A segment that a round rewrites, with the sizes of its indexes. */
interface CompactableSegment {
  readonly baseOffset: Offset
  readonly endOffset: Offset
  readonly sizeInBytes: number
  readonly indexBytes: number
}
interface GroupBounds {
  readonly segmentBytesMax: number
  readonly segmentIndexBytesMax: number
}

/** An index writes offsets as int32, relative to its segment's base. */
const relativeOffsetMax = 0x7fff_ffff

/**
 * Segments that follow each other and become one: as many as fit the bounds of a segment before any record is dropped,
 * so that small ones do not stay small for ever.
 */
export const groupSegments = <S extends CompactableSegment>(
  segments: ReadonlyArray<S>,
  { segmentBytesMax, segmentIndexBytesMax }: GroupBounds
): ReadonlyArray<ReadonlyArray<S>> => {
  const groups: Array<Array<S>> = []
  let sizeInBytes = 0
  let indexBytes = 0
  for (const segment of segments) {
    const group = groups.at(-1)
    sizeInBytes += segment.sizeInBytes
    indexBytes += segment.indexBytes
    const base = group?.[0]?.baseOffset ?? segment.baseOffset
    if (group !== undefined && sizeInBytes <= segmentBytesMax && indexBytes <= segmentIndexBytesMax && segment.endOffset - 1 - base <= relativeOffsetMax)
      group.push(segment)
    else {
      groups.push([segment])
      ;({ sizeInBytes, indexBytes } = segment)
    }
  }
  return groups
}
