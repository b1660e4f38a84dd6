import type { Offset } from "../kernel/id.ts"

/** Segments that compaction has rewritten, each by its base offset: up to which offset records may be missing in it. */
export type CompactedRanges = ReadonlyMap<Offset, Offset>

/**
 * Up to which offset records may be missing in the segment that starts with `baseOffset`; `baseOffset` itself where
 * none may. Each batch of a segment must begin where the one before it ends, or later and at most at this offset; and a
 * segment that ends before it counts as ending there.
 */
export const gapsEnd = (ranges: CompactedRanges, baseOffset: Offset): Offset => ranges.get(baseOffset) ?? baseOffset

/** Whether a batch may begin at `offset` where `next` comes next. */
export const mayFollow = (offset: Offset, next: Offset, gaps: Offset): boolean => offset === next || (next < offset && offset <= gaps)

/**
 * The ranges after the segments from `baseOffset` up to `end` were rewritten into one; those before `start` are gone.
 */
export const withRange = (ranges: CompactedRanges, baseOffset: Offset, end: Offset, start: Offset): CompactedRanges => {
  const kept = [...ranges].filter(([base]) => base >= start && (base < baseOffset || base >= end))
  return new Map([...kept, [baseOffset, end] as const].sort(([one], [other]) => one - other))
}

/** The ranges of a log that was cut so that `end` is its next offset. */
export const rangesBefore = (ranges: CompactedRanges, end: Offset): CompactedRanges =>
  new Map([...ranges].filter(([base]) => base < end).map(([base, to]) => [base, Math.min(to, end)]))
