import { realpathSync } from "node:fs"
import { basename, resolve } from "node:path"
import process from "node:process"
import { Clock, type Context, Effect, Either, Scope } from "effect"
import { groupMetadataTopicId, partitionOfStream, type StreamPartition } from "../../adapters/journal/stream-partition.ts"
import { type ReadableDisk, type ReadableFile, readOnly } from "../../adapters/log/disk/disk.ts"
import { type HeldDirectory, holdDirectory } from "../../adapters/log/file/directory-lock.ts"
import { nodeDisk } from "../../adapters/log/file/node-disk.ts"
import { type DataDirectory, dataDirectories, type LogPlace, mayBeHeld } from "../../adapters/log/inspect/data-directories.ts"
import { planRepair, type RepairPlan, type RepairStep, repairLog } from "../../adapters/log/inspect/repair-log.ts"
import { entryReader, segmentPieces } from "../../adapters/log/inspect/segment-walk.ts"
import { type VerifiedLog, verifyLog } from "../../adapters/log/inspect/verify-log.ts"
import { groupMetadataTopic, metadataTopic, metadataTopicId } from "../../domain/cluster/topic/name.ts"
import type { TopicId } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { offsetEntryAt, offsetEntrySize } from "../../domain/log/offset-index.ts"
import { type Decompress, readRecords } from "../../domain/log/record.ts"
import { timeEntryAt, timeEntrySize } from "../../domain/log/time-index.ts"
import type { Finding } from "../../domain/log/verify.ts"
import type { Dumped, LogTool } from "../cli/log/tool.ts"
import { CliFailure } from "../cli/shell/failure.ts"
import { Checksum } from "../ports/checksum.ts"
import { Compression, type CompressionFault } from "../ports/compression.ts"
import type { DirectoryLocked, LogFault } from "../ports/log-store.ts"
import { checkJournal, readSnapshot } from "./journal-check.ts"
import { nodeFailure } from "./node-failure.ts"

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error))
/** What a verification reads: this disk refuses to change anything. */
const inspected = readOnly(nodeDisk)

/** Runs plain disk methods; what they throw ends the command. */
const reading = <A>(path: string, run: () => A): Effect.Effect<A, CliFailure> =>
  Effect.try({ try: run, catch: (error) => new CliFailure({ exit: "disk", message: `${path} cannot be read: ${said(error)}` }) })

const find = (disk: ReadableDisk, directory: string): Effect.Effect<ReadonlyArray<DataDirectory>, CliFailure> =>
  Effect.gen(function* () {
    const path = resolve(directory)
    if (!disk.exists(path)) return yield* new CliFailure({ exit: "usage", message: `There is no directory ${path}.` })
    const found = yield* reading(path, () => dataDirectories(disk, path))
    if (found.length === 0)
      return yield* new CliFailure({
        exit: "usage",
        message: `${path} holds no logs.`,
        hint: "Expected what --data of a node names, the directory of `franz up` with leader/ and broker-N/ in it, or one partition's directory."
      })
    // A leader's journal knows the topics' names: it is read first.
    const isLeader = ({ logs }: DataDirectory): boolean => logs.some(({ topicId }) => topicId === metadataTopicId)
    return [...found.filter(isLeader), ...found.filter((one) => !isLeader(one))]
  })

const hold = (directory: string): Effect.Effect<HeldDirectory, DirectoryLocked | LogFault, Scope.Scope> =>
  Effect.suspend(() =>
    holdDirectory({
      disk: nodeDisk,
      directory,
      realPath: realpathSync(directory),
      processId: process.pid,
      withFile: mayBeHeld(inspected, directory)
    })
  )

/** The stream whose log this is, if it is a journal's. */
const streamOf = ({ partition, topicId }: LogPlace): { readonly stream: string; readonly place: StreamPartition } | undefined => {
  const stream = topicId === metadataTopicId ? metadataTopic : topicId === groupMetadataTopicId ? `${groupMetadataTopic}-${partition}` : undefined
  const place = stream === undefined ? undefined : partitionOfStream(stream)
  return stream === undefined || place === undefined ? undefined : { stream, place }
}

type Names = Map<TopicId, string>
const nameOf = (names: Names, log: LogPlace): string => {
  const journal = streamOf(log)
  if (journal !== undefined) return journal.stream
  const topic = log.topicId === undefined ? undefined : names.get(log.topicId)
  return topic === undefined ? basename(log.directory) : `${topic}-${log.partition}`
}

interface Checked {
  readonly log: VerifiedLog
  readonly events: number | undefined
  readonly findings: ReadonlyArray<Finding>
}

/** A log's own structure, and for a journal what it comes to. */
const checkLog = (
  root: string,
  place: LogPlace,
  names: Names,
  crc32c: Crc32c,
  progress: (file: string, bytes: number) => void
): Effect.Effect<Checked, CliFailure> =>
  Effect.gen(function* () {
    const log = yield* reading(place.directory, () => verifyLog(inspected, place.directory, crc32c, progress))
    const journal = streamOf(place)
    if (journal === undefined) return { log, events: undefined, findings: log.findings }
    const checked = yield* Effect.mapError(checkJournal(inspected, root, log, journal.stream, journal.place, crc32c), nodeFailure)
    for (const [topicId, name] of checked.topics) names.set(topicId, name)
    return { log, events: checked.events, findings: [...log.findings, ...checked.findings] }
  })

const inUse = (path: string, why: DirectoryLocked | LogFault): string =>
  why._tag === "DirectoryLocked" ? `${path} is held by ${why.holder}` : `${path} could not be locked, so a node may be writing to it (${why.message})`

const verify =
  (crc32c: Crc32c): LogTool["verify"] =>
  ({ directory, each, forceRead, note, progress }) =>
    Effect.gen(function* () {
      const names: Names = new Map()
      for (const { logs, path } of yield* find(inspected, directory)) {
        const held = yield* Effect.either(hold(path))
        if (Either.isLeft(held)) {
          if (!forceRead)
            return yield* new CliFailure({
              exit: nodeFailure(held.left).exit,
              message: held.left.message,
              hint: "--force-read reads it as it is; what is being written may then look torn."
            })
          note(`${inUse(path, held.left)}: the end of a log that is being written may look torn, or its indexes behind.`)
        }
        for (const place of logs) {
          const { events, findings, log } = yield* checkLog(path, place, names, crc32c, progress)
          const { batches, bytes, end, moreFindings, records, segments, start } = log
          const name = nameOf(names, place)
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

/** A journal's own no: a fold cannot be repaired by a cut, and a snapshot must not be ahead of its journal. */
const journalRefusal = (root: string, place: LogPlace, { findings, log }: Checked, crc32c: Crc32c): Effect.Effect<string | undefined, CliFailure> =>
  Effect.gen(function* () {
    const journal = streamOf(place)
    if (journal === undefined) return undefined
    const snapshot = yield* Effect.mapError(readSnapshot(inspected, root, journal.place, crc32c), nodeFailure)
    const broken = log.firstBreak?.offset ?? log.end
    if (snapshot !== undefined && broken < snapshot.index)
      return `This is the leader's own journal, and it is damaged before its snapshot at ${snapshot.index}: a cut would leave a leader that does not start. Put a copy of the leader's directory back.`
    const unfolded = findings.find(({ kind }) => kind === "journal")
    return unfolded === undefined ? undefined : `No cut repairs a journal whose entries do not fold. ${unfolded.advice}`
  })

const repairOne = (
  root: string,
  place: LogPlace,
  names: Names,
  crc32c: Crc32c,
  { each, execute, progress }: Parameters<LogTool["repair"]>[0]
): Effect.Effect<void, CliFailure> =>
  Effect.gen(function* () {
    const checked = yield* checkLog(root, place, names, crc32c, progress)
    const own = yield* reading(place.directory, () => planRepair(nodeDisk, checked.log))
    const refusal = own.refusal ?? (yield* journalRefusal(root, place, checked, crc32c))
    const plan: RepairPlan = refusal === undefined ? own : { steps: [], lost: undefined, refusal }
    const about = {
      name: nameOf(names, place),
      directory: place.directory,
      findings: checked.findings,
      steps: plan.steps.map(sentence),
      lost: plan.lost,
      refusal
    }
    if (!execute || plan.steps.length === 0) return each({ ...about, kept: undefined, remaining: undefined })
    const stamp = new Date(yield* Clock.currentTimeMillis).toISOString().replace(/[-:]|\.\d+/g, "")
    const kept = yield* Effect.mapError(repairLog(nodeDisk, place.directory, plan, stamp, crc32c), nodeFailure)
    const after = yield* checkLog(root, place, names, crc32c, progress)
    each({ ...about, kept, remaining: after.findings })
  })

const repair =
  (crc32c: Crc32c): LogTool["repair"] =>
  (options) =>
    Effect.gen(function* () {
      const found = yield* find(inspected, options.directory)
      // All are held before the first is changed: half a cluster is not repaired under a node that runs.
      for (const { path } of found) yield* Effect.mapError(hold(path), nodeFailure)
      const names: Names = new Map()
      for (const { logs, path } of found) for (const place of logs) yield* repairOne(path, place, names, crc32c, options)
    }).pipe(Effect.scoped)

/** Bytes that a batch's records may unpack to. */
const recordsBytesMax = 268_435_456

function* batches(file: ReadableFile, crc32c: Crc32c, decompress: Decompress<CompressionFault> | undefined): Generator<Dumped> {
  const opened = (batch: RecordBatch) => (decompress === undefined ? undefined : readRecords(batch, decompress, recordsBytesMax))
  for (const piece of segmentPieces(file, file.size(), crc32c, () => 0)) {
    if (piece._tag === "Damage") yield piece
    else {
      const records = opened(piece.batch)
      yield {
        ...piece,
        records: records === undefined || Either.isLeft(records) ? undefined : records.right,
        unreadable: records !== undefined && Either.isLeft(records) ? records.left.message : undefined
      }
    }
  }
}

/** The entries of an index, and what is left at its end. */
function* entries<Entry>(
  file: ReadableFile,
  entrySize: number,
  take: () => Entry | undefined,
  piece: (entry: Entry, slot: number) => Dumped
): Generator<Dumped> {
  let slot = 0
  for (let entry = take(); entry !== undefined; entry = take()) yield piece(entry, slot++)
  const size = file.size()
  const position = slot * entrySize
  if (size > position) yield { _tag: "Damage", position, until: size, reason: `${size - position} bytes are no whole entry of ${entrySize}` }
}

/** `00000000000000000042.timeindex`, or what a removal or a repair made of that name. */
const fileForm = /^(\d{20})\.(log|index|timeindex)(\..*)?$/

const dump =
  (crc32c: Crc32c, compression: Context.Tag.Service<Compression>): LogTool["dump"] =>
  (name, { records }) =>
    Effect.gen(function* () {
      const path = resolve(name)
      const [, digits, kind] = fileForm.exec(basename(path)) ?? []
      const baseOffset = Number(digits)
      if (kind === undefined || !Number.isSafeInteger(baseOffset))
        return yield* new CliFailure({ exit: "usage", message: `${path} is no segment: expected a file like 00000000000000000000.log, .index or .timeindex.` })
      if (!inspected.exists(path)) return yield* new CliFailure({ exit: "usage", message: `There is no file ${path}.` })
      const file = yield* Effect.acquireRelease(
        reading(path, () => inspected.open(path, "read")),
        (open) => Effect.sync(() => open.close())
      )
      if (kind === "log") return batches(file, crc32c, records ? compression.decompress : undefined)
      if (kind === "index")
        return entries(file, offsetEntrySize, entryReader(file, offsetEntrySize, offsetEntryAt, baseOffset), (entry, slot) => ({
          _tag: "OffsetEntry",
          slot,
          entry
        }))
      return entries(file, timeEntrySize, entryReader(file, timeEntrySize, timeEntryAt, baseOffset), (entry, slot) => ({ _tag: "TimeEntry", slot, entry }))
    })

export const makeLogTool: Effect.Effect<LogTool, never, Checksum | Compression> = Effect.gen(function* () {
  const { crc32c } = yield* Checksum
  return { verify: verify(crc32c), repair: repair(crc32c), dump: dump(crc32c, yield* Compression) }
})
