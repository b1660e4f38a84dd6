import { Effect } from "effect"
import type { LogFault } from "../../src/ports/log-store.ts"
import { recoverCompaction } from "./compaction/recover.ts"
import { checkDamageMark } from "./damage-mark.ts"
import { DerivedFiles } from "./derived-files.ts"
import { attempt, type DiskFile, faultOf } from "./disk.ts"
import { ListedDirectory } from "./listed-directory.ts"
import { type OpenSegments, openSegments } from "./open-segments.ts"
import { type LogParts, SegmentedLog } from "./partition-log.ts"
import { inSlices } from "./slices.ts"

/** Writes a file over itself, so that the kernel takes every page for changed. */
const rewrite = (file: DiskFile): void => {
  const size = file.size()
  const bytes = new Uint8Array(1_048_576)
  for (let at = 0; at < size; at += bytes.length) file.write([bytes.subarray(0, file.read(bytes.subarray(0, Math.min(bytes.length, size - at)), at))], at)
}

/** Recovery's result is made durable before anybody builds on it. */
const settle = ({ disk, directory, recoveryPoint }: LogParts, opened: OpenSegments, derived: DerivedFiles): Effect.Effect<void, LogFault> =>
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
    const { baseOffset, endOffset: offset, sizeInBytes: position } = active
    yield* attempt(recoveryPoint.path, "write", () => recoveryPoint.write({ offset, baseOffset, position, isClean: false, syncFailed: false }))
  })

const closeFiles = (opened: OpenSegments): void => {
  for (const file of new Set([...opened.unsynced, opened.active.file()])) attempt(file.path, "close", () => file.close())
}

/** Opens a log, after what recovery found is durable. */
export const openLog = (whole: LogParts): Effect.Effect<SegmentedLog, LogFault> =>
  Effect.gen(function* () {
    const { crc32c, directory, pace, recoveryPoint, scrubber } = whole
    // Each log is a small work, and there may be thousands.
    yield* pace.pause
    const listed = new ListedDirectory(whole.disk, directory)
    const { disk } = listed
    const parts = { ...whole, disk }
    const note = yield* recoverCompaction(parts)
    yield* checkDamageMark(disk, directory, pace, crc32c)
    const opened = yield* inSlices(
      pace,
      directory,
      "open",
      (function* () {
        const isNewDirectory = !disk.exists(directory)
        if (isNewDirectory) disk.makeDirectory(directory)
        const found = yield* openSegments({ ...parts, compacted: note.ranges, now: parts.clock() }, recoveryPoint.read())
        recoveryPoint.touch()
        return { ...found, isNew: found.isNew || isNewDirectory }
      })()
    )
    const settled = Effect.gen(function* () {
      const start = (opened.sealed[0] ?? opened.active).baseOffset
      const derived = yield* attempt(directory, "open", () => new DerivedFiles(disk, directory, disk.list(directory), start, opened.active))
      yield* settle(parts, opened, derived)
      return derived
    })
    const derived = yield* Effect.onError(settled, () => Effect.sync(() => closeFiles(opened)))
    for (const file of opened.unsynced) if (file !== opened.active.file()) file.close()
    listed.forget()
    const log = new SegmentedLog(whole, opened, note, derived)
    scrubber.add(log)
    return log
  })
