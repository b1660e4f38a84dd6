import { Effect } from "effect"
import { rangesBefore } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { type CompactionNote, noNote, writeNote } from "../compaction/note.ts"
import { basesIn } from "../compaction/recover.ts"
import { cutDerivedFiles } from "../derived-files.ts"
import { attempt, type Disk } from "../disk/disk.ts"
import { damaged, segmentPath } from "../segment/segment-files.ts"
import { retireSegmentFiles } from "./open-segments.ts"
import type { RecoveryPoint, RecoveryPointFile } from "./recovery-point.ts"

/** A log whose recovery point, durable already, says that the log is cut. */
interface CutLog {
  readonly disk: Disk
  readonly directory: string
  readonly crc32c: Crc32c
  readonly recoveryPoint: RecoveryPointFile
}

interface FinishedCut {
  /** What compaction did to the log that is left. */
  readonly note: CompactionNote
  /** Files that were renamed out of the log, to be removed. */
  readonly retired: ReadonlyArray<string>
}

/** What compaction did to a log that ends at the point. */
const noteBefore = (note: CompactionNote, { cut, offset }: RecoveryPoint): CompactionNote => {
  const { cleanEnd, pending, ranges, sparseEnd } = note
  if (cut === "restart") return cleanEnd === 0 && sparseEnd === 0 && ranges.size === 0 && pending === undefined ? note : noNote
  const isWhole = pending === undefined && Math.max(cleanEnd, sparseEnd) <= offset && [...ranges].every(([base, end]) => base < offset && end <= offset)
  return isWhole
    ? note
    : { cleanEnd: Math.min(cleanEnd, offset), sparseEnd: Math.min(sparseEnd, offset), ranges: rangesBefore(ranges, offset), pending: undefined }
}

/**
 * Cuts the last segment at the point. `isAgain`: a life before may have cut it and failed to sync it. The kernel calls such a size clean and would not write it, so
 * the size changes once more.
 */
const cutFile = (log: CutLog, { baseOffset, cut, position }: RecoveryPoint, isAgain: boolean, failed: (path: string, cause: unknown) => LogFault) => {
  const path = segmentPath(log.directory, baseOffset)
  const { disk } = log
  return Effect.acquireUseRelease(
    attempt(path.log, "open", () => disk.open(path.log, cut === "restart" ? "create" : "write")),
    (file) =>
      attempt(path.log, "cut", () => {
        // What is beside the segment tells of batches that go: a checksum of them would accuse the batches that are written in their place.
        for (const beside of [path.offsetIndex, path.timeIndex, path.checksum]) if (disk.exists(beside)) disk.unlink(beside)
        if (isAgain && file.size() === position) file.truncate(position + 1)
        if (file.size() > position) file.truncate(position)
      }).pipe(Effect.andThen(Effect.mapError(file.sync, (error) => failed(path.log, error)))),
    (file) => Effect.sync(() => file.close())
  )
}

/**
 * Does what is left of a cut, in an order in which a power cut at any step leaves a log that this finishes: the recovery point that tells of the cut is durable, and
 * stays so until the end. Whole segments go from the back, each with a sync of the directory, so that also a program that does not know of cuts finds a prefix; then the last
 * segment is cut and synced; then goes what is derived from the batches that are gone; then the point says that the cut is over.
 * The log's own life does this, and so does the opening of a log whose life before did not come to the end of it.
 */
export const finishCut = (
  log: CutLog,
  point: RecoveryPoint,
  note: CompactionNote,
  isAgain: boolean,
  failed: (path: string, cause: unknown) => LogFault
): Effect.Effect<FinishedCut, LogFault> =>
  Effect.gen(function* () {
    const { crc32c, directory, disk, recoveryPoint } = log
    const { baseOffset, cut, offset, position } = point
    const restarts = cut === "restart"
    const syncNames = Effect.mapError(disk.syncDirectory(directory), (error) => failed(directory, error))
    const retired: Array<string> = []
    const { log: last } = segmentPath(directory, baseOffset)
    const size = yield* attempt(last, "look at", () => disk.size(last))
    if (!restarts && (size ?? -1) < position)
      return yield* damaged(
        last,
        size ?? 0,
        `the log is being cut at byte ${position} of it, and ${size === undefined ? "the file is gone" : "it ends before"}`
      )
    const bases = yield* attempt(directory, "cut", () => basesIn(disk, directory))
    for (const base of bases.toReversed()) {
      if (restarts ? base === baseOffset : base <= baseOffset) continue
      retired.push(...(yield* attempt(directory, "cut", () => retireSegmentFiles(disk, directory, base))))
      yield* syncNames
    }
    yield* cutFile(log, point, isAgain, failed)
    yield* cutDerivedFiles(disk, directory, offset, restarts)
    const left = noteBefore(note, point)
    if (left !== note) yield* writeNote(disk, directory, left, crc32c, failed)
    yield* syncNames
    const over: RecoveryPoint = { offset, baseOffset, position, isClean: false, syncFailed: false }
    yield* Effect.mapError(recoveryPoint.replace(over), (error) => failed(recoveryPoint.path, error))
    return { note: left, retired }
  })
