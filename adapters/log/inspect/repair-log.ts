import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import { rangesBefore } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { defaultLogConfig, type LogFault } from "../../../src/ports/log-store.ts"
import { type CompactionNote, writeNote } from "../compaction/note.ts"
import { attempt, type Disk, type DiskFile, faultOf } from "../disk/disk.ts"
import { type RecoveryPoint, RecoveryPointFile, recoveryPointFileName } from "../recovery/recovery-point.ts"
import { chainOf, writeChecksum } from "../segment/segment-checksum.ts"
import { filesOf, rebuildIndexes, type SegmentPath, segmentPath } from "../segment/segment-files.ts"
import { pendingCut } from "./pending-cut.ts"
import type { VerifiedLog, VerifiedSegment } from "./verify-log.ts"

/** One thing that a repair does. What it takes away is kept beside the file, as `NAME.cut-TIME`. */
export type RepairStep =
  | { readonly _tag: "PutAside"; readonly file: string }
  | { readonly _tag: "Cut"; readonly file: string; readonly position: number; readonly bytes: number }
  /** The files beside it: its indexes and its checksum. */
  | { readonly _tag: "MakeIndexes"; readonly segment: Pick<VerifiedSegment, "baseOffset" | "path"> }
  /** A bit was turned over that no batch's CRC covers, and the checksum of the segment says which. */
  | { readonly _tag: "TurnBit"; readonly file: string; readonly position: number; readonly mask: number }
  /** A header changed, and its old value is unknown: the segment is taken as it is. */
  | { readonly _tag: "TakeHeaders"; readonly segment: Pick<VerifiedSegment, "baseOffset" | "path">; readonly position: number }
  | { readonly _tag: "SetRecoveryPoint"; readonly point: RecoveryPoint }
  /** What compaction noted of offsets behind the cut does not hold any more. */
  | { readonly _tag: "TrimCompactionNote"; readonly note: CompactionNote }
  /** An empty segment: the log continues where it was, so that no offset is given twice. */
  | { readonly _tag: "StartAt"; readonly file: string; readonly offset: Offset }

export interface RepairPlan {
  readonly steps: ReadonlyArray<RepairStep>
  /** Offsets that were durable or are in whole batches, and that the log does not have afterwards: from (included) to (left out). */
  readonly lost: { readonly from: Offset; readonly to: Offset } | undefined
  /** Why it cannot be repaired here; then there are no steps. */
  readonly refusal: string | undefined
}

/** The steps that put everything from the break on aside, the last segment first: whatever interrupts them, the log is a prefix of what it was. */
const cutSteps = (disk: Disk, { compaction: { note }, firstBreak, recoveryPoint, segments }: VerifiedLog): ReadonlyArray<RepairStep> => {
  if (firstBreak === undefined) return []
  const { baseOffset, offset, position } = firstBreak
  const first = segments[0]
  const isWhole = position === 0 && baseOffset !== first?.baseOffset
  const aside = segments.filter((segment) => segment.baseOffset > baseOffset || (isWhole && segment.baseOffset === baseOffset))
  const last = segments.filter((segment) => !aside.includes(segment)).at(-1)
  if (last === undefined) return []
  const end = isWhole ? last.sizeInBytes : position
  const steps: Array<RepairStep> = []
  // Lower the point first: a log that ends before it is not opened.
  if (recoveryPoint !== undefined && recoveryPoint.offset > offset)
    steps.push({ _tag: "SetRecoveryPoint", point: { ...recoveryPoint, offset, baseOffset: last.baseOffset, position: end, isClean: false, cut: undefined } })
  if (note !== undefined)
    steps.push({
      _tag: "TrimCompactionNote",
      note: {
        cleanEnd: Math.min(note.cleanEnd, offset),
        sparseEnd: Math.min(note.sparseEnd, offset),
        ranges: rangesBefore(note.ranges, offset),
        pending: undefined
      }
    })
  for (const { path } of aside.toReversed()) for (const file of filesOf(path)) if (disk.exists(file)) steps.push({ _tag: "PutAside", file })
  if (last.sizeInBytes > end) steps.push({ _tag: "Cut", file: last.path.log, position: end, bytes: last.sizeInBytes - end })
  steps.push({ _tag: "MakeIndexes", segment: last })
  return steps
}

/** What a repair of the log would do. Throws what the disk throws. */
export const planRepair = (disk: Disk, log: VerifiedLog): RepairPlan => {
  const { directory, end, findings, firstBreak, recoveryPoint, segments } = log
  const refuse = (refusal: string): RepairPlan => ({ steps: [], lost: undefined, refusal })
  if (pendingCut(recoveryPoint) !== undefined)
    return refuse(`${directory} was being cut when its node stopped. Start the node once, which finishes the cut, stop it, and verify the log again.`)
  const misnamed = findings.find(({ kind }) => kind === "name")
  if (log.compaction.isSwapping)
    return refuse(
      `${directory} was compacted when its node ended, and a segment is on its way to its place. Start the node once, which finishes that, stop it, and try again.`
    )
  if (misnamed !== undefined)
    return refuse(
      `${misnamed.file} has the name of other offsets than it holds (its first is ${misnamed.offset}): only an operator can tell which is right. Rename it, then try again.`
    )
  if (segments.length === 0) {
    if (recoveryPoint === undefined || recoveryPoint.offset === 0) return { steps: [], lost: undefined, refusal: undefined }
    const { offset } = recoveryPoint
    const path = segmentPath(directory, offset)
    const steps: ReadonlyArray<RepairStep> = [
      { _tag: "StartAt", file: path.log, offset },
      { _tag: "MakeIndexes", segment: { baseOffset: offset, path } }
    ]
    return { steps, lost: { from: 0, to: offset }, refusal: undefined }
  }
  const turned = log.changedHeaders.flatMap(
    ({ changed: { flipped }, path }): ReadonlyArray<RepairStep> =>
      flipped === undefined ? [] : [{ _tag: "TurnBit", file: path.log, position: flipped.position, mask: flipped.mask }]
  )
  // A bit that is turned back may be what the rest follows from: it is looked at again afterwards.
  if (turned.length > 0) return { steps: turned, lost: undefined, refusal: undefined }
  const cut = cutSteps(disk, log)
  const kept =
    firstBreak === undefined
      ? segments
      : segments.filter(({ baseOffset }) => baseOffset < firstBreak.baseOffset || (firstBreak.position > 0 && baseOffset === firstBreak.baseOffset))
  const made = new Set(cut.flatMap((step) => (step._tag === "MakeIndexes" ? [step.segment.baseOffset] : [])))
  const indexes = kept
    .filter(({ baseOffset, wrongIndexes }) => wrongIndexes.length > 0 && !made.has(baseOffset))
    .map((segment): RepairStep => ({ _tag: "MakeIndexes", segment }))
  const taken = log.changedHeaders
    .filter(({ path }) => kept.some((segment) => segment.path.log === path.log && !made.has(segment.baseOffset)))
    .map(({ changed, path }): RepairStep => ({ _tag: "TakeHeaders", segment: { path, baseOffset: baseOfPath(segments, path) }, position: changed.from }))
  const pointFile = `${directory}/${recoveryPointFileName}`
  const point: ReadonlyArray<RepairStep> = findings.some(({ file, kind }) => kind === "unreadable" && file === pointFile)
    ? [{ _tag: "PutAside", file: pointFile }]
    : []
  const start = segments[0]?.baseOffset ?? 0
  const isBehind = recoveryPoint !== undefined && recoveryPoint.offset < start
  const raised: ReadonlyArray<RepairStep> = isBehind
    ? [{ _tag: "SetRecoveryPoint", point: { ...recoveryPoint, offset: start, baseOffset: start, position: 0, isClean: false, cut: undefined } }]
    : []
  const lost = firstBreak?.losesMore === true ? { from: firstBreak.offset, to: Math.max(end, recoveryPoint?.offset ?? 0) } : undefined
  return { steps: [...point, ...raised, ...cut, ...indexes, ...taken], lost, refusal: undefined }
}

const baseOfPath = (segments: ReadonlyArray<VerifiedSegment>, { log }: SegmentPath): Offset => segments.find(({ path }) => path.log === log)?.baseOffset ?? 0

const copyBytes = 1_048_576

/** The name that what is taken away gets; one that is free. */
const keptName = (disk: Disk, file: string, stamp: string): string => {
  const wanted = `${file}.cut-${stamp}`
  let name = wanted
  for (let n = 2; disk.exists(name); n++) name = `${wanted}-${n}`
  return name
}

const using = <A>(path: string, open: () => DiskFile, use: (file: DiskFile) => Effect.Effect<A, LogFault>): Effect.Effect<A, LogFault> =>
  Effect.acquireUseRelease(attempt(path, "open", open), use, (file) => Effect.sync(() => file.close()))

const synced = (file: DiskFile): Effect.Effect<void, LogFault> => Effect.mapError(file.sync, (error) => faultOf(file.path, "sync", error))

/** Keeps the end of a file under another name, durably, and only then cuts it. */
const cutFile = (disk: Disk, directory: string, file: string, position: number, stamp: string): Effect.Effect<string, LogFault> =>
  using(
    file,
    () => disk.open(file, "write"),
    (from) =>
      Effect.gen(function* () {
        const kept = keptName(disk, file, stamp)
        yield* using(
          kept,
          () => disk.open(kept, "create"),
          (to) =>
            attempt(kept, "write", () => {
              const bytes = new Uint8Array(copyBytes)
              for (let at = position, size = from.size(); at < size; at += copyBytes) {
                const count = from.read(bytes.subarray(0, Math.min(copyBytes, size - at)), at)
                to.write([bytes.subarray(0, count)], at - position)
              }
            }).pipe(Effect.andThen(synced(to)))
        )
        yield* Effect.mapError(disk.syncDirectory(directory), (error) => faultOf(directory, "sync", error))
        yield* attempt(file, "cut", () => from.truncate(position))
        yield* synced(from)
        return kept
      })
  )

const setPoint = (disk: Disk, directory: string, point: RecoveryPoint, crc32c: Crc32c): Effect.Effect<void, LogFault> =>
  Effect.suspend(() => {
    const file = new RecoveryPointFile(disk, directory, crc32c)
    return attempt(file.path, "write", () => {
      // The newest generation must be known: the new point is written over the older slot.
      file.read()
      file.write(point)
    }).pipe(Effect.andThen(Effect.mapError(file.sync, (error) => faultOf(file.path, "sync", error))), Effect.ensuring(Effect.sync(() => file.close())))
  })

const makeIndexes = (disk: Disk, { baseOffset, path }: Pick<VerifiedSegment, "baseOffset" | "path">, crc32c: Crc32c): Effect.Effect<void, LogFault> =>
  using(
    path.log,
    () => disk.open(path.log, "read"),
    (file) =>
      attempt(path.offsetIndex, "write", () => {
        const extent = { path, baseOffset, endOffset: baseOffset, sizeInBytes: file.size() }
        rebuildIndexes(disk, file, extent, defaultLogConfig.indexIntervalBytes)
        // An index without entries is an empty file, and is there.
        for (const index of [path.offsetIndex, path.timeIndex]) disk.open(index, "create").close()
        makeChecksum(disk, file, extent, crc32c)
      })
  )

/** Takes the headers of a segment for right, as they are. Throws what the disk throws. */
const makeChecksum = (disk: Disk, file: DiskFile, { baseOffset, path }: Pick<VerifiedSegment, "baseOffset" | "path">, crc32c: Crc32c): void => {
  const { chain, wrong } = chainOf(file, file.size())
  if (wrong !== undefined) return
  writeChecksum(disk, path.checksum, { baseOffset, sizeInBytes: chain.sizeInBytes }, chain, crc32c)
}

const takeHeaders = (disk: Disk, segment: Pick<VerifiedSegment, "baseOffset" | "path">, crc32c: Crc32c): Effect.Effect<void, LogFault> =>
  using(
    segment.path.log,
    () => disk.open(segment.path.log, "read"),
    (file) => attempt(segment.path.checksum, "write", () => makeChecksum(disk, file, segment, crc32c))
  )

const turnBit = (disk: Disk, path: string, position: number, mask: number): Effect.Effect<void, LogFault> =>
  using(
    path,
    () => disk.open(path, "write"),
    (file) =>
      attempt(path, "write", () => {
        const byte = new Uint8Array(1)
        file.read(byte, position)
        byte[0] = (byte[0] as number) ^ mask
        file.write([byte], position)
      }).pipe(Effect.andThen(synced(file)))
  )

/** Does one step; answers the name under which what it took away is kept. `stamp` is for that name. */
const execute = (disk: Disk, directory: string, step: RepairStep, stamp: string, crc32c: Crc32c): Effect.Effect<string | undefined, LogFault> => {
  switch (step._tag) {
    case "PutAside":
      return attempt(step.file, "rename", () => {
        const kept = keptName(disk, step.file, stamp)
        disk.rename(step.file, kept)
        return kept
      })
    case "Cut":
      return cutFile(disk, directory, step.file, step.position, stamp)
    case "MakeIndexes":
      return Effect.as(makeIndexes(disk, step.segment, crc32c), undefined)
    case "TurnBit":
      return Effect.as(turnBit(disk, step.file, step.position, step.mask), undefined)
    case "TakeHeaders":
      return Effect.as(takeHeaders(disk, step.segment, crc32c), undefined)
    case "SetRecoveryPoint":
      return Effect.as(setPoint(disk, directory, step.point, crc32c), undefined)
    case "TrimCompactionNote":
      return Effect.as(writeNote(disk, directory, step.note, crc32c), undefined)
    case "StartAt":
      return using(
        step.file,
        () => disk.open(step.file, "create"),
        (file) => Effect.as(synced(file), undefined)
      )
  }
}

/** Does what the plan says, durably; answers the names of the files that keep what was taken away. The caller holds the data directory. */
export const repairLog = (
  disk: Disk,
  directory: string,
  { steps }: RepairPlan,
  stamp: string,
  crc32c: Crc32c
): Effect.Effect<ReadonlyArray<string>, LogFault> =>
  Effect.gen(function* () {
    const kept: Array<string> = []
    for (const step of steps) {
      const name = yield* execute(disk, directory, step, stamp, crc32c)
      if (name !== undefined) kept.push(name)
      yield* Effect.mapError(disk.syncDirectory(directory), (error) => faultOf(directory, "sync", error))
    }
    return kept
  }).pipe(Effect.uninterruptible)
