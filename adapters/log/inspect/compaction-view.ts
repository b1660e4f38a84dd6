import type { Offset } from "../../../domain/kernel/id.ts"
import { type CompactedRanges, withRange } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { Finding } from "../../../domain/log/verify.ts"
import { type CompactionNote, noNote, noteFileName, readNote } from "../compaction/note.ts"
import { anyRange, interruptedSwap, settledNote } from "../compaction/recover.ts"
import type { ReadableDisk } from "../disk/disk.ts"
import { type SegmentPath, segmentPath } from "../segment/segment-files.ts"

/** A log's segments as the next start would have them: it finishes a compaction that was under way. */
export interface CompactionView {
  readonly bases: ReadonlyArray<Offset>
  /** Where compaction may have removed records. */
  readonly ranges: CompactedRanges
  readonly pathOf: (baseOffset: Offset) => SegmentPath
  /** What the log's note says; undefined where there is none, or none that can be read. */
  readonly note: CompactionNote | undefined
  readonly isSwapping: boolean
  readonly findings: ReadonlyArray<Finding>
}

const damagedNote = (directory: string): Finding => ({
  kind: "unreadable",
  file: `${directory}/${noteFileName}`,
  position: undefined,
  offset: undefined,
  meaning: "The note of what compaction did is damaged: records that are missing cannot be told from those that it removed.",
  advice: "Nothing needs to be done: the node serves the log, and its next compaction writes the note again."
})

/** Throws what the disk throws. */
export const compactionView = (disk: ReadableDisk, directory: string, bases: ReadonlyArray<Offset>, crc32c: Crc32c): CompactionView => {
  const plain = { bases, pathOf: (base: Offset) => segmentPath(directory, base), isSwapping: false, findings: [] }
  const found = readNote(disk, directory, crc32c)
  if (found === "damaged") return { ...plain, ranges: anyRange(bases).ranges, note: undefined, findings: [damagedNote(directory)] }
  const note = found ?? noNote
  const { pending } = note
  const swap = interruptedSwap(disk, directory, note)
  if (swap === undefined || pending === undefined) return { ...plain, ranges: settledNote(note, bases).ranges, note: found }
  const { baseOffset, end } = pending
  return {
    ...plain,
    bases: [...bases.filter((base) => base < baseOffset || base >= end), baseOffset].sort((one, other) => one - other),
    ranges: withRange(note.ranges, baseOffset, end, 0),
    pathOf: (base) => (base === baseOffset ? swap : segmentPath(directory, base)),
    note: found,
    isSwapping: true
  }
}
