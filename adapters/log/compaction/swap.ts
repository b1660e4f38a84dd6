import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { withRange } from "../../../domain/log/compacted-ranges.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { attempt } from "../disk/disk.ts"
import type { LogCore } from "../log-core.ts"
import { retireSegmentFiles } from "../recovery/open-segments.ts"
import { filesOf, type SegmentPath, segmentPath } from "../segment/segment-files.ts"
import { SealedSegment } from "../segment/segments.ts"
import { type CompactionNote, writeNote } from "./note.ts"
import { cleanedSuffix, swapSuffix } from "./recover.ts"

/** A compacted segment, durable under its `.cleaned` names. */
interface CleanedSegment {
  readonly path: SegmentPath
  readonly sizeInBytes: number
  readonly maxTimestamp: number
}

const renamed = (log: LogCore, path: SegmentPath, from: string, to: string): void => {
  const { disk } = log.parts
  for (const file of filesOf(path)) if (disk.exists(file)) disk.rename(file, `${file.slice(0, file.length - from.length)}${to}`)
}

/** Writes a note, durably with everything else that changed in the directory before. */
export const putNote = (log: LogCore, note: CompactionNote, also: () => void = () => undefined): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const { crc32c, directory, disk } = log.parts
    yield* writeNote(disk, directory, note, crc32c, (path, cause) => log.syncFailed(path, cause))
    log.note = note
    yield* attempt(directory, "rename segments of", also)
    yield* syncNames(log)
  })

/** One change of the sealed segments at a time, and none is interrupted. */
export const exclusively = <A, E>(log: LogCore, change: Effect.Effect<A, E>): Effect.Effect<A, E> => Effect.uninterruptible(log.exclusive(change))

const syncNames = (log: LogCore): Effect.Effect<void, LogFault> =>
  Effect.mapError(log.parts.disk.syncDirectory(log.directory), (error) => log.syncFailed(log.directory, error))

/** Whether the segments are still those of the log: retention may have let go of some meanwhile. */
const areThere = (log: LogCore, old: ReadonlyArray<SealedSegment>): boolean => {
  const sealed = log.segments.sealed
  const at = sealed.indexOf(old[0] as SealedSegment)
  return at >= 0 && old.every((segment, i) => sealed[at + i] === segment)
}

/**
 * Puts a compacted segment in the place of those that it was made of, as Kafka does, and so that a power cut in any step loses nothing: the note says what is
 * about to happen, and the new segment gets its `.swap` name (both durable: from here on it will happen); the old ones go; the new one gets its name; the note
 * says that it happened. False where the old segments are not there any more, or the log was cut since it had had `cuts` of them: then nothing was done.
 */
export const swapIn = (log: LogCore, old: ReadonlyArray<SealedSegment>, cleaned: CleanedSegment, cuts: number): Effect.Effect<boolean, LogFault> =>
  exclusively(
    log,
    Effect.gen(function* () {
      const closed = log.refusal()
      if (closed !== undefined) return yield* closed
      const [first] = old
      if (first === undefined || log.segments.cuts !== cuts || !areThere(log, old)) return false
      const { caches, directory, disk } = log.parts
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
      }).pipe(Effect.mapError((fault) => log.syncFailed(fault.path, fault)))
      yield* syncNames(log)
      yield* attempt(directory, "compact", () => {
        const swapped = log.segments.sealed.filter(({ path }) => path.log === swapPath.log)
        renamed(log, swapPath, swapSuffix, "")
        caches.forget(swapPath.log)
        log.replace(swapped, sealedAt(log, segmentPath(directory, baseOffset), baseOffset, end, cleaned))
      }).pipe(Effect.mapError((fault) => log.syncFailed(fault.path, fault)))
      yield* syncNames(log)
      log.removeLater(retired)
      const start = log.segments.sealed[0]?.baseOffset ?? baseOffset
      log.note = { ...log.note, ranges: withRange(before.ranges, baseOffset, end, start) }
      yield* putNote(log, { ...log.note, pending: undefined })
      return true
    })
  )

const sealedAt = ({ config, parts }: LogCore, path: SegmentPath, baseOffset: Offset, end: Offset, cleaned: CleanedSegment): SealedSegment => {
  const { maxTimestamp, sizeInBytes } = cleaned
  const hasChecksum = parts.disk.exists(path.checksum)
  return new SealedSegment(parts.caches, config.indexIntervalBytes, path, baseOffset, end, sizeInBytes, maxTimestamp, hasChecksum, end)
}
