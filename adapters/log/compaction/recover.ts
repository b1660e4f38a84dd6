import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { withRange } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { baseOffsetOfLogFile } from "../../../domain/log/segment.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { attempt, type Disk, faultOf, type ReadableDisk } from "../disk/disk.ts"
import { filesOf, type SegmentPath, segmentPath } from "../segment/segment-files.ts"
import { type CompactionNote, noNote, noteFileName, readNote, temporaryNoteName, writeNote } from "./note.ts"

/** Behind the names of a segment that is being written. */
export const cleanedSuffix = ".cleaned"
/** Behind the names of a segment that is whole and durable, and takes the place of others from now on. */
export const swapSuffix = ".swap"

/** What recovery needs to know of a log. */
interface RecoveredLog {
  readonly disk: Disk
  readonly directory: string
  readonly crc32c: Crc32c
}

/** What a compaction leaves that did not come to its end. */
export const isLeftOfCompaction = (name: string): boolean => name.endsWith(cleanedSuffix) || name.endsWith(swapSuffix) || name === temporaryNoteName

/** The base offsets of a log's segments, rising. Throws what the disk throws. */
export const basesIn = (disk: Disk, directory: string): ReadonlyArray<Offset> =>
  disk
    .list(directory)
    .map(baseOffsetOfLogFile)
    .filter((base) => base !== undefined)
    .sort((one, other) => one - other)

/** The compacted segment that is decided upon and not in its place yet. The decision is the note, and its name: the one without the other is nothing. */
export const interruptedSwap = (disk: ReadableDisk, directory: string, { pending }: CompactionNote): SegmentPath | undefined => {
  const path = pending && segmentPath(directory, pending.baseOffset, swapSuffix)
  return path !== undefined && disk.exists(path.log) ? path : undefined
}

/**
 * What the note says of the segments that are there, with a swap that came to its end before the note did. Of one segment alone it is unknown whether it is the old
 * or the new one: it counts as compacted, which costs the check for missing records and nothing else.
 */
export const settledNote = (note: CompactionNote, bases: ReadonlyArray<Offset>): CompactionNote => {
  const { pending, ranges } = note
  if (pending === undefined) return note
  const there = bases.filter((base) => base >= pending.baseOffset && base < pending.end)
  const isDone = there.length === 1 && there[0] === pending.baseOffset
  return { ...note, pending: undefined, ranges: isDone ? withRange(ranges, pending.baseOffset, pending.end, bases[0] ?? 0) : ranges }
}

/** It is unknown which segments were compacted: each but the last may lack records. */
export const anyRange = (bases: ReadonlyArray<Offset>): CompactionNote => ({
  ...noNote,
  ranges: new Map(bases.slice(0, -1).map((base, i) => [base, bases[i + 1] as Offset]))
})

/** Puts the new segment where the old ones are, which go first: each step is durable before the next one. */
const finishSwap = ({ crc32c, directory, disk }: RecoveredLog, note: CompactionNote, swap: SegmentPath): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const { pending, ranges } = note
    if (pending === undefined) return
    const { baseOffset, end } = pending
    const syncDirectory = Effect.mapError(disk.syncDirectory(directory), (error) => faultOf(directory, "sync", error))
    yield* attempt(directory, "finish the compaction of", () => {
      for (const base of basesIn(disk, directory))
        if (base >= baseOffset && base < end) for (const file of filesOf(segmentPath(directory, base))) if (disk.exists(file)) disk.unlink(file)
    })
    yield* syncDirectory
    yield* attempt(directory, "finish the compaction of", () => {
      for (const file of filesOf(swap)) if (disk.exists(file)) disk.rename(file, file.slice(0, -swapSuffix.length))
    })
    yield* syncDirectory
    yield* writeNote(disk, directory, { ...note, pending: undefined, ranges: withRange(ranges, baseOffset, end, 0) }, crc32c)
    yield* syncDirectory
  })

/**
 * Finishes a compaction that was decided upon when the node ended, forgets one that was not, and answers what may be missing in which segment. Runs before the
 * segments are opened. A note that is damaged cannot say it: then nothing that is missing before the last segment is told from what was compacted away.
 */
export const recoverCompaction = (place: RecoveredLog): Effect.Effect<CompactionNote, LogFault> =>
  Effect.gen(function* () {
    const { crc32c, directory, disk } = place
    if (!(yield* attempt(directory, "open", () => disk.exists(directory)))) return noNote
    const found = (yield* attempt(directory, "read", () => readNote(disk, directory, crc32c))) ?? noNote
    if (found === "damaged") {
      yield* Effect.logWarning(
        `${directory}/${noteFileName} is damaged: records that are missing there cannot be told from those that compaction removed. The next compaction writes it again.`
      )
      return anyRange(yield* attempt(directory, "read", () => basesIn(disk, directory)))
    }
    const swap = yield* attempt(directory, "read", () => interruptedSwap(disk, directory, found))
    if (swap !== undefined) yield* finishSwap(place, found, swap)
    const left = yield* attempt(directory, "read", () => disk.list(directory).filter(isLeftOfCompaction))
    yield* attempt(directory, "remove", () => {
      for (const name of left) disk.unlink(`${directory}/${name}`)
    })
    const settled = settledNote(found, yield* attempt(directory, "read", () => basesIn(disk, directory)))
    if (found.pending === undefined || swap !== undefined) return settled
    // A later swap from the same offset must not be taken for this one.
    yield* writeNote(disk, directory, settled, crc32c)
    yield* Effect.mapError(disk.syncDirectory(directory), (error) => faultOf(directory, "sync", error))
    return settled
  })
