import { Effect, Either } from "effect"
import type { CompactedRanges } from "../../domain/log/compacted-ranges.ts"
import { baseOffsetOfLogFile } from "../../domain/log/segment.ts"
import type { LogFault } from "../../src/ports/log-store.ts"
import { type CompactionNote, noNote, noteFileName } from "./compaction/note.ts"
import { isLeftOfCompaction, recoverCompaction } from "./compaction/recover.ts"
import { DerivedFiles } from "./derived-files.ts"
import { attempt, corrupt, type Disk, type DiskFile, faultOf } from "./disk/disk.ts"
import { ListedDirectory } from "./disk/listed-directory.ts"
import { inSlices } from "./disk/slices.ts"
import { LogCore } from "./log-core.ts"
import type { LogParts } from "./log-parts.ts"
import { SegmentedLog } from "./partition-log.ts"
import { finishCut } from "./recovery/finish-cut.ts"
import { type OpenSegments, openSegments } from "./recovery/open-segments.ts"
import { readWhole } from "./recovery/read-whole.ts"
import type { RecoveryPoint } from "./recovery/recovery-point.ts"
import { checkDamageMark, damageMarkFileName } from "./scrub/damage-mark.ts"

/** Writes a file over itself, so that the kernel takes every page for changed. */
const rewrite = (file: DiskFile): void => {
  const size = file.size()
  const bytes = new Uint8Array(1_048_576)
  for (let at = 0; at < size; at += bytes.length) file.write([bytes.subarray(0, file.read(bytes.subarray(0, Math.min(bytes.length, size - at)), at))], at)
}

/**
 * Recovery's result is made durable before any append builds on it. So is the log's name in the data directory where no point tells of a first sync: the process
 * that made the log may have ended before it.
 */
const settle = (
  { disk, directory, recoveryPoint, root }: LogParts,
  opened: OpenSegments,
  derived: DerivedFiles,
  point: RecoveryPoint | undefined
): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    if (opened.cut !== undefined) {
      const { bytes, offset, path, position, wrong } = opened.cut
      yield* Effect.logWarning(`Torn tail cut: ${path} lost ${bytes} bytes from byte ${position} on, the log ends before offset ${offset} now (${wrong}).`)
    }
    if (opened.unsynced.length === 0 && !derived.removedAhead) return
    const { active, mustRewrite } = opened
    const failed = (error: unknown) => faultOf(directory, "sync", error)
    for (const file of opened.unsynced) {
      if (mustRewrite) yield* attempt(file.path, "write", () => rewrite(file))
      yield* Effect.mapError(file.sync, failed)
    }
    yield* Effect.mapError(disk.syncDirectory(directory), failed)
    if (point === undefined || point.offset === 0) yield* Effect.mapError(disk.syncDirectory(root), (error) => faultOf(root, "sync", error))
    const { baseOffset, endOffset: offset, sizeInBytes: position } = active
    yield* attempt(recoveryPoint.path, "write", () => recoveryPoint.write({ offset, baseOffset, position, isClean: false, syncFailed: false }))
  })

/** Nothing is to be said, synced or written. */
const isSettled = ({ cut, unsynced }: OpenSegments, derived: Either.Either<DerivedFiles, LogFault>): boolean =>
  cut === undefined && unsynced.length === 0 && Either.isRight(derived) && !derived.right.removedAhead

const closeFiles = (opened: OpenSegments): void => {
  for (const file of new Set([...opened.unsynced, opened.active.file()])) attempt(file.path, "close", () => file.close())
}

const lost = (directory: string): LogFault =>
  corrupt(directory, `The log ${directory} is gone, and it was there before. Nothing was changed. Restore the directory from a copy, or mount its disk.`)

function* wholeOrClosed(opened: OpenSegments, ranges: CompactedRanges, { crc32c, progress }: LogParts): Generator<void> {
  try {
    yield* readWhole(opened, ranges, crc32c, progress)
  } catch (error) {
    closeFiles(opened)
    throw error
  }
}

const segmentsOf = (parts: LogParts, ranges: CompactedRanges, point: RecoveryPoint | undefined): Effect.Effect<OpenSegments, LogFault> => {
  const { config, directory, disk, recoveryPoint } = parts
  const work = function* (): Generator<void, OpenSegments> {
    const isNewDirectory = !disk.exists(directory)
    if (config.wasThere === true && (isNewDirectory || !disk.list(directory).some((name) => baseOffsetOfLogFile(name) !== undefined))) throw lost(directory)
    if (isNewDirectory) disk.makeDirectory(directory)
    const found = yield* openSegments({ ...parts, compacted: ranges, now: parts.clock() }, point)
    recoveryPoint.touch()
    if (config.readsWholeAtOpen === true && !found.isNew) yield* wholeOrClosed(found, ranges, parts)
    return { ...found, isNew: found.isNew || isNewDirectory }
  }
  return inSlices(parts.pace, directory, "open", work())
}

/** Finishes a cut that the life before began. */
const cutAgain = (parts: LogParts, point: RecoveryPoint, note: CompactionNote): Effect.Effect<CompactionNote, LogFault> =>
  Effect.zipRight(
    Effect.logInfo(`${parts.directory} was being cut to offset ${point.offset} when this node stopped: the cut is finished.`),
    Effect.map(
      finishCut(parts, point, note, true, (path, cause) => faultOf(path, "sync", cause)),
      (finished) => finished.note
    )
  )

/** The directory has nothing that compaction or a scrub left. */
const isQuiet = (disk: Disk, directory: string): boolean =>
  !disk.exists(directory) || !disk.list(directory).some((name) => name === noteFileName || name === damageMarkFileName || isLeftOfCompaction(name))

/** Opens a log, after what recovery found is durable. There may be thousands, each of them a small work: nothing is an Effect here that need not wait. */
export const openLog = (whole: LogParts): Effect.Effect<SegmentedLog, LogFault> => {
  const { crc32c, directory, pace } = whole
  const opening = Effect.suspend(() => {
    const listed = new ListedDirectory(whole.disk, directory)
    const { disk } = listed
    const parts = { ...whole, disk }
    const over = (note: CompactionNote, opened: OpenSegments, point: RecoveryPoint | undefined): Effect.Effect<SegmentedLog, LogFault> => {
      const start = (opened.sealed[0] ?? opened.active).baseOffset
      const derived = attempt(directory, "open", () => new DerivedFiles(disk, directory, disk.list(directory), start, opened.active))
      const settled = Effect.flatMap(derived, (known) => Effect.as(settle(parts, opened, known, point), known))
      const closing = Effect.onError(settled, () => Effect.sync(() => closeFiles(opened)))
      return Effect.map(isSettled(opened, derived) ? derived : closing, (known) => {
        for (const file of opened.unsynced) if (file !== opened.active.file()) file.close()
        listed.forget()
        return new SegmentedLog(new LogCore(whole, opened, note, known), opened.isAsClosed)
      })
    }
    const note = Effect.flatMap(
      attempt(directory, "read", () => isQuiet(disk, directory)),
      (quiet) => (quiet ? Effect.succeed(noNote) : Effect.zipLeft(recoverCompaction(parts), checkDamageMark(disk, directory, pace, crc32c)))
    )
    return Effect.flatMap(
      attempt(directory, "read", () => parts.recoveryPoint.read()),
      (point) =>
        Effect.flatMap(point?.cut === undefined ? note : Effect.flatMap(note, (known) => cutAgain(parts, point, known)), (known) =>
          Effect.flatMap(segmentsOf(parts, known.ranges, point), (opened) => over(known, opened, point))
        )
    )
  })
  return Effect.zipRight(pace.pause, opening)
}
