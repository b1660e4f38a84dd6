import { Effect } from "effect"
import type { Offset } from "../../domain/kernel/id.ts"
import type { LogFault } from "../../src/ports/log-store.ts"
import type { DerivedFiles } from "./derived-files.ts"
import { attempt, type Disk, type DiskFile, faultOf } from "./disk/disk.ts"
import { retireSegmentFiles } from "./recovery/open-segments.ts"
import type { RecoveryPointFile } from "./recovery/recovery-point.ts"
import type { SealedSegment } from "./segment/segments.ts"

/** What a log lends to whoever drops its first segments. */
export interface ShortenedLog {
  readonly place: { readonly disk: Disk; readonly directory: string }
  readonly recoveryPoint: RecoveryPointFile
  readonly derived: DerivedFiles
  /** What the scrub found; undefined where nothing is known to be wrong. */
  readonly damage: () => LogFault | undefined
  /** Its sealed segments now, rising. */
  readonly sealed: () => ReadonlyArray<SealedSegment>
  /** What was appended is durable. */
  readonly sync: Effect.Effect<void, LogFault>
  /** A whole round of syncs, whatever there is to sync. */
  readonly commit: Effect.Effect<void, LogFault>
  /** Ends the segment that is still written if all of it lies before `offset`. Throws what the disk throws. */
  readonly sealUpTo: (offset: Offset) => void
  /** The next round makes these files and their names durable, too. */
  readonly alsoSync: (files: ReadonlyArray<DiskFile>) => void
  /** The next round makes the names in the directory durable, too. */
  readonly changesNames: () => void
  /** All names in the directory are durable. */
  readonly isNamed: () => boolean
  /** The first segment, this one, is not there any more. */
  readonly dropped: (segment: SealedSegment) => void
  /** Removes files that nobody needs any more, when readers of old are gone. */
  readonly removeLater: (paths: ReadonlyArray<string>) => void
}

const dropFirst = (log: ShortenedLog, segment: SealedSegment): ReadonlyArray<string> => {
  const { directory, disk } = log.place
  log.changesNames()
  // One that cannot be renamed stays the first: the next try would leave a hole behind it.
  const retired = retireSegmentFiles(disk, directory, segment.baseOffset)
  log.dropped(segment)
  return retired
}

/** Drops the segments that end at or before `offset`, durably, one after the other. */
export const dropBefore = (log: ShortenedLog, offset: Offset): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const { directory } = log.place
    const damage = log.damage()
    // Whoever repairs a damaged log wants to find it as it was.
    if (damage !== undefined) return yield* damage
    // What is not durable is not let go of: afterwards the log starts with what follows it.
    yield* log.sync
    yield* attempt(directory, "delete segments of", () => log.sealUpTo(offset))
    log.alsoSync(log.derived.writeFor(log.sealed(), offset))
    if (!log.isNamed()) yield* log.commit
    const { path, sync } = log.recoveryPoint
    const goes = (): SealedSegment | undefined => {
      const first = log.sealed()[0]
      return first !== undefined && first.endOffset <= offset ? first : undefined
    }
    // A log whose first segment starts after its recovery point has lost what was before it: the point is durable first.
    if (goes() !== undefined) yield* Effect.mapError(sync, (error) => faultOf(path, "sync", error))
    const retired: Array<string> = []
    for (let first = goes(); first !== undefined; first = goes()) {
      const segment = first
      retired.push(...(yield* attempt(directory, "delete segments of", () => dropFirst(log, segment))))
      // A power cut keeps any part of what was not synced. One after the other they leave no hole.
      yield* log.commit
    }
    if (retired.length > 0) log.removeLater(retired)
  })
