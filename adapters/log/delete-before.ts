import { Effect } from "effect"
import type { Offset } from "../../domain/kernel/id.ts"
import type { LogFault } from "../../src/ports/log-store.ts"
import { attempt, faultOf } from "./disk/disk.ts"
import type { LogCore } from "./log-core.ts"
import { retireSegmentFiles } from "./recovery/open-segments.ts"
import type { SealedSegment } from "./segment/segments.ts"

/** The first segment, if all of it is before `offset`. */
const firstBefore = ({ segments }: LogCore, offset: Offset): SealedSegment | undefined => {
  const [first] = segments.sealed
  return first !== undefined && first.endOffset <= offset ? first : undefined
}

const dropFirst = (log: LogCore, segment: SealedSegment): ReadonlyArray<string> => {
  log.segments.mustSyncNames()
  // A segment whose files cannot be renamed stays the first: the next try would leave a hole behind it.
  const retired = retireSegmentFiles(log.parts.disk, log.directory, segment.baseOffset)
  log.dropFirst()
  return retired
}

/** Drops the segments that end at or before `offset`, durably, one after the other. The caller holds the log exclusively. */
export const dropBefore = (log: LogCore, offset: Offset): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const { derived, directory, parts, segments, syncing } = log
    // The operator who repairs a damaged log wants to find it as it was.
    if (log.damage !== undefined) return yield* log.damage
    // What is not durable is not deleted: afterwards the log starts with what follows it.
    yield* syncing.sync
    yield* attempt(directory, "delete segments of", () => {
      if (offset >= segments.end && segments.active.sizeInBytes > 0) log.roll()
    })
    segments.mustSync(derived.writeFor(segments.sealed, offset))
    if (segments.hasUnsyncedNames) yield* syncing.round
    const { path, sync } = parts.recoveryPoint
    // A log whose first segment starts after its recovery point has lost what was before it: the point is durable first.
    if (firstBefore(log, offset) !== undefined) yield* Effect.mapError(sync, (error) => faultOf(path, "sync", error))
    const retired: Array<string> = []
    for (let first = firstBefore(log, offset); first !== undefined; first = firstBefore(log, offset)) {
      const segment = first
      retired.push(...(yield* attempt(directory, "delete segments of", () => dropFirst(log, segment))))
      // A power cut keeps any part of what was not synced. One after the other they leave no hole.
      yield* syncing.round
    }
    if (retired.length > 0) log.removeLater(retired)
  })
