import { Clock, type Context, Effect, Either } from "effect"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import type { LogReport, RepairReport } from "../../../domain/log/inspection.ts"
import { Checksum } from "../../../src/ports/checksum.ts"
import { Compression } from "../../../src/ports/compression.ts"
import type { LogFault } from "../../../src/ports/log-store.ts"
import { nodeDisk } from "../file/node-disk.ts"
import { type CheckedLog, type JournalInspection, LogChecks } from "./check-log.ts"
import type { LogLocation } from "./data-directories.ts"
import { dumpFile } from "./dump-file.ts"
import { holdInspected, type InspectionFault, inspectedDirectories, reading } from "./inspected-directories.ts"
import { planRepair, type RepairPlan, type RepairStep, repairLog } from "./repair-log.ts"

interface VerifyOptions {
  readonly directory: string
  readonly forceRead: boolean
  readonly note: (sentence: string) => void
  readonly progress: (file: string, bytes: number) => void
  readonly each: (report: LogReport) => void
}
const inUse = (path: string, { cause, message }: InspectionFault): string =>
  cause?._tag === "DirectoryLocked" ? `${path} is held by ${cause.holder}` : `${path} could not be locked, so a node may be writing to it (${message})`

const verify =
  (journals: JournalInspection, crc32c: Crc32c) =>
  ({ directory, each, forceRead, note, progress }: VerifyOptions): Effect.Effect<void, InspectionFault | LogFault> =>
    Effect.gen(function* () {
      const checks = new LogChecks(journals, crc32c, progress)
      for (const { logs, path } of yield* inspectedDirectories(directory)) {
        const held = yield* Effect.either(holdInspected(path))
        if (Either.isLeft(held)) {
          if (!forceRead) return yield* held.left
          note(`${inUse(path, held.left)}: the end of a log that is being written may look torn, or its indexes behind.`)
        }
        for (const place of logs) {
          const { events, findings, log } = yield* checks.check(path, place)
          const { batches, bytes, end, moreFindings, records, segments, start } = log
          const name = checks.nameOf(place)
          each({ name, directory: place.directory, segments: segments.length, batches, records, bytes, start, end, events, findings, moreFindings })
          yield* Effect.yieldNow()
        }
      }
    }).pipe(Effect.scoped)

const sentence = (step: RepairStep): string => {
  switch (step._tag) {
    case "Cut":
      return `cut ${step.file} at byte ${step.position}, keeping its last ${step.bytes} bytes beside it`
    case "PutAside":
      return `rename ${step.file} to NAME.cut-TIME`
    case "MakeIndexes":
      return `make ${step.segment.path.offsetIndex}, .timeindex and .checksum again from the log`
    case "TurnBit":
      return `turn bit ${Math.log2(step.mask)} of byte ${step.position} of ${step.file} back, as the checksum of the segment says; no message is lost`
    case "TakeHeaders":
      return `take the headers in ${step.segment.path.log} from byte ${step.position} on as they are now, and write their checksum down; no message is lost, a leader epoch may be wrong`
    case "SetRecoveryPoint":
      return `write down that the log was durable up to offset ${step.point.offset} only`
    case "TrimCompactionNote":
      return `write down that compaction went up to offset ${step.note.cleanEnd}, and removed nothing behind that`
    case "StartAt":
      return `make an empty ${step.file}, so that new messages get offsets from ${step.offset} on`
  }
}

interface RepairOptions {
  readonly directory: string
  readonly execute: boolean
  readonly progress: (file: string, bytes: number) => void
  readonly each: (report: RepairReport) => void
}
/**
 * Why a journal is not repaired: a fold cannot be repaired by a cut, and a snapshot must not be ahead of its journal.
 */
const journalRefusal = (
  checks: LogChecks,
  root: string,
  place: LogLocation,
  { events, findings, log }: CheckedLog
): Effect.Effect<string | undefined, LogFault> =>
  Effect.gen(function* () {
    if (events === undefined) return undefined
    const snapshot = yield* checks.snapshotIndex(root, place)
    const broken = log.firstBreak?.offset ?? log.end
    if (snapshot !== undefined && broken < snapshot)
      return `This is the leader's own journal, and it is damaged before its snapshot at ${snapshot}: a cut would leave a leader that does not start. Put a copy of the leader's directory back.`
    const unfolded = findings.find(({ kind }) => kind === "journal")
    return unfolded === undefined ? undefined : `No cut repairs a journal whose entries do not fold. ${unfolded.advice}`
  })

const repairOne = (
  checks: LogChecks,
  root: string,
  place: LogLocation,
  crc32c: Crc32c,
  { each, execute }: RepairOptions
): Effect.Effect<void, InspectionFault | LogFault> =>
  Effect.gen(function* () {
    const checked = yield* checks.check(root, place)
    const own = yield* reading(place.directory, () => planRepair(nodeDisk, checked.log))
    const refusal = own.refusal ?? (yield* journalRefusal(checks, root, place, checked))
    const plan: RepairPlan = refusal === undefined ? own : { steps: [], lost: undefined, refusal }
    const about = {
      name: checks.nameOf(place),
      directory: place.directory,
      findings: checked.findings,
      steps: plan.steps.map(sentence),
      lost: plan.lost,
      refusal
    }
    if (!execute || plan.steps.length === 0) return each({ ...about, kept: undefined, remaining: undefined })
    const stamp = new Date(yield* Clock.currentTimeMillis).toISOString().replace(/[-:]|\.\d+/g, "")
    const kept = yield* repairLog(nodeDisk, place.directory, plan, stamp, crc32c)
    const after = yield* checks.check(root, place)
    each({ ...about, kept, remaining: after.findings })
  })

const repair =
  (journals: JournalInspection, crc32c: Crc32c) =>
  (options: RepairOptions): Effect.Effect<void, InspectionFault | LogFault> =>
    Effect.gen(function* () {
      const found = yield* inspectedDirectories(options.directory)
      // All are held before the first is changed: half a cluster is not repaired under a node that runs.
      for (const { path } of found) yield* holdInspected(path)
      const checks = new LogChecks(journals, crc32c, options.progress)
      for (const { logs, path } of found) for (const place of logs) yield* repairOne(checks, path, place, crc32c, options)
    }).pipe(Effect.scoped)

/** The tools of `franz log` over the files of this machine. */
export const makeLogTool = (journals: JournalInspection) =>
  Effect.gen(function* () {
    const { crc32c } = yield* Checksum
    const compression: Context.Tag.Service<Compression> = yield* Compression
    return { verify: verify(journals, crc32c), repair: repair(journals, crc32c), dump: dumpFile(crc32c, compression) }
  })
