import { Effect } from "effect"
import { bug } from "../../domain/kernel/bug.ts"
import type { Offset } from "../../domain/kernel/id.ts"
import { LogFault } from "../../src/ports/log-store.ts"
import { cutEpochs } from "./derived-files.ts"
import { attempt, type DiskFile, faultOf } from "./disk/disk.ts"
import type { LogCore } from "./log-core.ts"
import { finishCut } from "./recovery/finish-cut.ts"
import { newActiveSegment } from "./recovery/open-segments.ts"
import type { RecoveryPoint } from "./recovery/recovery-point.ts"
import { lastEndBefore, reopenedAt } from "./segment/cut-segment.ts"
import { readChecksum } from "./segment/segment-checksum.ts"
import { type ActiveSegment, SealedSegment } from "./segment/segments.ts"

/** Where a log is cut, and how its last segment is made once the recovery point that says so is durable. */
interface Cut {
  readonly point: RecoveryPoint
  readonly activate: () => ActiveSegment
  /** The cut does not happen: closes what was opened for it. */
  readonly drop: () => void
}

/** What appends fail with while the log is cut. The one writer of a log cuts it, so it appends nothing meanwhile. */
const beingCut = (directory: string): LogFault =>
  new LogFault({
    path: directory,
    reason: "io",
    message: `${directory} is being cut, so nothing is appended. The append can be tried again when that is over.`
  })

/** Everything that was appended is durable, and so are all names. Callers that wait for a sync are answered by it: what they wait for is on the disk before it is cut. */
const settle = ({ segments, syncing }: LogCore): Effect.Effect<void, LogFault> =>
  Effect.zipRight(
    syncing.sync,
    Effect.suspend(() => (segments.hasUnsyncedNames || segments.hasUnsyncedFiles ? syncing.round : Effect.void))
  )

const lowered = ({ parts }: LogCore, point: RecoveryPoint): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    yield* Effect.try({ try: () => parts.recoveryPoint.write(point), catch: (error) => error })
    yield* parts.recoveryPoint.sync
    // The name of the point's file may be new, where an older version wrote the log.
    yield* parts.disk.syncDirectory(parts.directory)
  })

/**
 * The steps of a cut. The recovery point that tells of it is durable before anything else changes: from there on the cut happens, in this life or when the log is
 * opened next. Readers see the shorter log from the same moment on.
 */
const perform = (log: LogCore, { activate, drop, point }: Cut): Effect.Effect<void, LogFault> => {
  const { derived, directory, parts, segments, syncing } = log
  const { cut, offset } = point
  const offline = (cause: unknown): LogFault => {
    const why = cause instanceof Error ? cause.message : String(cause)
    return syncing.goOffline(
      `It could not be cut to offset ${offset}: ${why} Look at the disk, then start again: the cut is finished when the log is opened.`,
      cause
    )
  }
  const change = Effect.gen(function* () {
    if (syncing.end !== segments.end) bug(`${directory} is cut to offset ${offset} while records are appended to it.`)
    syncing.appendFault = beingCut(directory)
    yield* Effect.onError(lowered(log, point), () => Effect.sync(drop))
    const active = yield* attempt(directory, "cut", activate)
    segments.cutTo(active, cut === "restart")
    syncing.cutTo(point)
    log.forgetReads()
    const { note, retired } = yield* finishCut(parts, point, log.note, false, (path, cause) => faultOf(path, "sync", cause))
    log.note = note
    active.rewriteEntries()
    yield* attempt(directory, "cut", () => derived.reload(parts.disk.list(directory), segments.start, active))
    if (syncing.fault !== undefined) return yield* syncing.fault
    syncing.appendFault = undefined
    log.removeLater(retired)
  })
  return syncing.betweenRounds(Effect.mapError(change, offline))
}

const opened = (log: LogCore, baseOffset: Offset): DiskFile => {
  const segment = [...log.segments.from(0)].find((each) => each.baseOffset === baseOffset)
  return log.parts.disk.open((segment ?? log.segments.active).path.log, "write")
}

/** The cut of a log at the last batch that ends at or before `offset`. Throws what the disk throws. */
const truncation = (log: LogCore, offset: Offset): Cut => {
  const { config, parts, segments } = log
  const segment = segments.sealed.findLast(({ baseOffset, endOffset }) => baseOffset <= offset && offset < endOffset) ?? segments.active
  const at = lastEndBefore(segment, offset)
  const headers = segment instanceof SealedSegment ? readChecksum(parts.disk, segment, parts.crc32c)?.entries : segment.headerEntries()
  const file = opened(log, segment.baseOffset)
  const drop = () => void attempt(file.path, "close", () => file.close())
  try {
    const active = reopenedAt(parts, segment, headers, at, file, config, parts.clock())
    return { point: { ...at, baseOffset: segment.baseOffset, isClean: false, syncFailed: false, cut: "truncate" }, activate: () => active, drop }
  } catch (error) {
    drop()
    throw error
  }
}

/** The log is empty afterwards, and its next offset is `offset`. */
const restart = (log: LogCore, offset: Offset): Cut => ({
  point: { offset, baseOffset: offset, position: 0, isClean: false, syncFailed: false, cut: "restart" },
  activate: () => newActiveSegment({ ...log.parts, config: log.config, now: log.parts.clock() }, offset),
  drop: () => undefined
})

/** One cut at a time, beside no other change of the segments, and not interrupted. */
const exclusively = (log: LogCore, change: Effect.Effect<void, LogFault>): Effect.Effect<void, LogFault> =>
  Effect.uninterruptible(log.exclusive(Effect.suspend(() => log.refusal() ?? Effect.zipRight(settle(log), change))))

/** As LogWriter.truncateTo. */
export const truncateTo = (log: LogCore, offset: Offset): Effect.Effect<void, LogFault> =>
  exclusively(
    log,
    Effect.gen(function* () {
      const { directory, parts, segments, syncing } = log
      if (offset < segments.start) return yield* perform(log, restart(log, offset))
      if (offset < segments.end) return yield* perform(log, yield* attempt(directory, "cut", () => truncation(log, offset)))
      // Nothing of the log goes, and yet a leader epoch may that began at its end and has no records.
      const isCut = yield* cutEpochs(parts.disk, directory, segments.end)
      if (!isCut) return
      segments.mustSyncNames()
      yield* syncing.round
      log.derived.epochsChanged()
    })
  )

/** As LogWriter.restartAt. */
export const restartAt = (log: LogCore, offset: Offset): Effect.Effect<void, LogFault> =>
  exclusively(
    log,
    Effect.suspend(() => perform(log, restart(log, offset)))
  )
