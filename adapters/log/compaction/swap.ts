import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { withRange } from "../../../domain/log/compacted-ranges.ts"
import type { LogConfig, LogFault } from "../../../src/ports/log-store.ts"
import { attempt } from "../disk/disk.ts"
import { retireSegmentFiles } from "../recovery/open-segments.ts"
import { filesOf, type SegmentPath, segmentPath } from "../segment/segment-files.ts"
import { SealedSegment } from "../segment/segments.ts"
import type { SharedCaches } from "../segment/shared-caches.ts"
import { type CompactionNote, writeNote } from "./note.ts"
import { cleanedSuffix, type RecoveredPlace, swapSuffix } from "./recover.ts"

/** What an open log lends to its compaction. */
export interface CompactedLog {
  readonly place: RecoveredPlace
  readonly caches: SharedCaches
  readonly config: () => LogConfig
  /** Why the log is closed; undefined while it is open. */
  readonly fault: () => LogFault | undefined
  readonly sealed: () => ReadonlyArray<SealedSegment>
  /** Everything sealed, and the names of it all, is durable; so is a recovery point behind it. */
  readonly settle: Effect.Effect<void, LogFault>
  /** One change of the sealed segments at a time, and none is interrupted. */
  readonly exclusive: <A, E>(change: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Readers find `by` from now on where `old` stood, one segment after the other. */
  readonly replace: (old: ReadonlyArray<SealedSegment>, by: SealedSegment) => void
  /** A sync failed: the log is closed for good. */
  readonly fail: (path: string, cause: unknown) => LogFault
  /** Removes files that nobody needs any more, when readers of old are gone. */
  readonly removeLater: (paths: ReadonlyArray<string>) => void
  /** What is written down about the log's compaction. */
  note: CompactionNote
}

/** A compacted segment, durable under its `.cleaned` names. */
export interface CleanedSegment {
  readonly path: SegmentPath
  readonly sizeInBytes: number
  readonly maxTimestamp: number
}

const renamed = (log: CompactedLog, path: SegmentPath, from: string, to: string): void => {
  const { disk } = log.place
  for (const file of filesOf(path)) if (disk.exists(file)) disk.rename(file, `${file.slice(0, file.length - from.length)}${to}`)
}

/** Writes a note, durably with everything else that changed in the directory before. */
export const putNote = (log: CompactedLog, note: CompactionNote, also: () => void = () => undefined): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const { crc32c, directory, disk } = log.place
    yield* writeNote(disk, directory, note, crc32c, log.fail)
    log.note = note
    yield* attempt(directory, "rename segments of", also)
    yield* syncNames(log)
  })

const syncNames = (log: CompactedLog): Effect.Effect<void, LogFault> =>
  Effect.mapError(log.place.disk.syncDirectory(log.place.directory), (error) => log.fail(log.place.directory, error))

/** Whether the segments are still those of the log: retention may have let go of some meanwhile. */
const areThere = (log: CompactedLog, old: ReadonlyArray<SealedSegment>): boolean => {
  const sealed = log.sealed()
  const at = sealed.indexOf(old[0] as SealedSegment)
  return at >= 0 && old.every((segment, i) => sealed[at + i] === segment)
}

/**
 * Puts a compacted segment in the place of those that it was made of, as Kafka does, and so that a power cut in any step loses nothing: the note says what is
 * about to happen, and the new segment gets its `.swap` name (both durable: from here on it will happen); the old ones go; the new one gets its name; the note
 * says that it happened. False where the old segments are not there any more: then nothing was done.
 */
export const swapIn = (log: CompactedLog, old: ReadonlyArray<SealedSegment>, cleaned: CleanedSegment): Effect.Effect<boolean, LogFault> =>
  log.exclusive(
    Effect.gen(function* () {
      const closed = log.fault()
      if (closed !== undefined) return yield* closed
      const [first] = old
      if (first === undefined || !areThere(log, old)) return false
      const { caches, place } = log
      const { directory, disk } = place
      const end = (old.at(-1) as SealedSegment).endOffset
      const { baseOffset } = first
      // A swap before this one may have come to its end without its note.
      if (log.note.pending !== undefined) yield* putNote(log, { ...log.note, pending: undefined })
      const before = log.note
      const swapPath = segmentPath(directory, baseOffset, swapSuffix)
      yield* putNote(log, { ...before, pending: { baseOffset, end } }, () => renamed(log, cleaned.path, cleanedSuffix, swapSuffix))
      const retired = yield* attempt(directory, "compact", () => {
        const gone = old.flatMap((segment) => retireSegmentFiles(disk, directory, segment.baseOffset))
        log.replace(old, sealedAt(log, swapPath, baseOffset, end, cleaned))
        return gone
      }).pipe(Effect.mapError((fault) => log.fail(fault.path, fault)))
      yield* syncNames(log)
      yield* attempt(directory, "compact", () => {
        const swapped = log.sealed().filter(({ path }) => path.log === swapPath.log)
        renamed(log, swapPath, swapSuffix, "")
        caches.forget(swapPath.log)
        log.replace(swapped, sealedAt(log, segmentPath(directory, baseOffset), baseOffset, end, cleaned))
      }).pipe(Effect.mapError((fault) => log.fail(fault.path, fault)))
      yield* syncNames(log)
      log.removeLater(retired)
      const start = log.sealed()[0]?.baseOffset ?? baseOffset
      log.note = { ...log.note, ranges: withRange(before.ranges, baseOffset, end, start) }
      yield* putNote(log, { ...log.note, pending: undefined })
      return true
    })
  )

const sealedAt = ({ caches, config, place }: CompactedLog, path: SegmentPath, baseOffset: Offset, end: Offset, cleaned: CleanedSegment): SealedSegment => {
  const { maxTimestamp, sizeInBytes } = cleaned
  const hasChecksum = place.disk.exists(path.checksum)
  return new SealedSegment(caches, config().indexIntervalBytes, path, baseOffset, end, sizeInBytes, maxTimestamp, hasChecksum, end)
}
