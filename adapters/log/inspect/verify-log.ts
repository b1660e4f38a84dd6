import type { Offset } from "../../../domain/kernel/id.ts"
import { headerSize } from "../../../domain/log/batch.ts"
import { gapsEnd, mayFollow } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { type ChangedHeader, HeaderCheck } from "../../../domain/log/header-check.ts"
import { offsetEntryAt, offsetEntrySize } from "../../../domain/log/offset-index.ts"
import { baseOffsetOfLogFile } from "../../../domain/log/segment.ts"
import { timeEntryAt, timeEntrySize } from "../../../domain/log/time-index.ts"
import { batchFault, type Finding, type LogWalk, OffsetIndexCheck, TimeIndexCheck, walkOn } from "../../../domain/log/verify.ts"
import type { ReadableDisk, ReadableFile } from "../disk/disk.ts"
import { type RecoveryPoint, readRecoveryPoint, recoveryPointFileName } from "../recovery/recovery-point.ts"
import { type SegmentPath, segmentPath } from "../segment/segment-files.ts"
import { type CompactionView, compactionView } from "./compaction-view.ts"
import { checksumFileFinding, expectedHeaders, headerFinding } from "./headers.ts"
import { boundsAfter, concernsWhatStays, cutFinding, type PendingCut, pendingCut } from "./pending-cut.ts"
import { entryReader, segmentPieces } from "./segment-walk.ts"

/** Where a log stops being right. Everything before it is whole. */
interface Break {
  readonly baseOffset: Offset
  readonly position: number
  /** The offset that would come next there. */
  readonly offset: Offset
  /** Whole batches follow it, or what follows was durable: a cut loses what may have been acknowledged. */
  readonly losesMore: boolean
}

/** A segment as a verification found it. */
export interface VerifiedSegment {
  readonly baseOffset: Offset
  readonly path: SegmentPath
  readonly sizeInBytes: number
  /** Files beside it that are missing or wrong. */
  readonly wrongIndexes: ReadonlyArray<string>
}

export interface VerifiedLog {
  readonly directory: string
  readonly segments: ReadonlyArray<VerifiedSegment>
  readonly batches: number
  readonly records: number
  readonly bytes: number
  readonly start: Offset
  readonly end: Offset
  readonly findings: ReadonlyArray<Finding>
  /** Findings that are not in the list, which is bounded. */
  readonly moreFindings: number
  readonly firstBreak: Break | undefined
  /** Headers that are not what they were when their segments were ended. */
  readonly changedHeaders: ReadonlyArray<{ readonly path: SegmentPath; readonly changed: ChangedHeader }>
  readonly recoveryPoint: RecoveryPoint | undefined
  readonly compaction: CompactionView
}

/** More of them in one log are of no use. */
const findingsMax = 1000

const cutAdvice = (directory: string): string =>
  `Stop the node, look for a copy of the file (a backup), and put it back. Without one, \`franz log repair ${directory}\` shows what a cut there would lose.`
const healed = "Nothing needs to be done: the next start of the node does it. `franz log repair` does it now."

class LogVerification {
  readonly findings: Array<Finding> = []
  readonly segments: Array<VerifiedSegment> = []
  readonly changedHeaders: Array<{ readonly path: SegmentPath; readonly changed: ChangedHeader }> = []
  moreFindings = 0
  batches = 0
  records = 0
  bytes = 0
  firstBreak: Break | undefined
  walk: LogWalk
  /** What looks like a torn end as long as no whole batch follows, and what it is if one does. */
  private torn: { readonly at: number; readonly damage: Finding } | undefined
  /** Bytes could not be read: the next batch may have any offset. */
  private isLost = false

  constructor(
    private readonly disk: ReadableDisk,
    private readonly directory: string,
    private readonly crc32c: Crc32c,
    private readonly compaction: CompactionView,
    private readonly point: RecoveryPoint | undefined,
    private readonly progress: (bytes: number) => void
  ) {
    this.walk = { next: compaction.bases[0] ?? 0, epoch: 0 }
    for (const finding of compaction.findings) this.report(finding)
  }

  report(finding: Finding): void {
    if (this.findings.length < findingsMax) this.findings.push(finding)
    else this.moreFindings++
  }

  private breakAt(baseOffset: Offset, position: number, offset: Offset, losesMore: boolean): void {
    if (this.firstBreak === undefined) this.firstBreak = { baseOffset, position, offset, losesMore }
    else if (!this.firstBreak.losesMore) this.firstBreak = { ...this.firstBreak, losesMore: true }
  }

  segment(baseOffset: Offset, isLast: boolean): void {
    const path = this.compaction.pathOf(baseOffset)
    // Damage at the end of the segment before this one explains why it does not end here.
    if (this.isLost) this.walk = { ...this.walk, next: baseOffset }
    this.isLost = false
    if (this.walk.next !== baseOffset) {
      const { next } = this.walk
      const offset = Math.min(next, baseOffset)
      this.report({
        kind: "gap",
        file: path.log,
        position: undefined,
        offset,
        meaning: `The segment begins with offset ${baseOffset}, the one before it ends with ${next - 1}: ${next < baseOffset ? `offsets ${next} to ${baseOffset - 1} are missing` : "offsets are there twice"}.`,
        advice: `A segment file may be missing: look for it. ${cutAdvice(this.directory)}`
      })
      this.breakAt(baseOffset, 0, next, true)
      this.walk = { ...this.walk, next: baseOffset }
    }
    this.walk = { ...this.walk, gapsEnd: gapsEnd(this.compaction.ranges, baseOffset), sparseEnd: this.compaction.note?.sparseEnd ?? 0 }
    const file = this.disk.open(path.log, "read")
    try {
      const sizeInBytes = file.size()
      this.segments.push({ baseOffset, path, sizeInBytes, wrongIndexes: this.checkSegment(file, path, baseOffset, sizeInBytes, isLast) })
      this.bytes += sizeInBytes
      // What is missing at the end of a segment that was compacted is not lost, either.
      const { gapsEnd: end = 0, next } = this.walk
      if (!isLast) this.walk = { ...this.walk, next: Math.max(next, end) }
    } finally {
      file.close()
    }
  }

  private checkSegment(file: ReadableFile, path: SegmentPath, baseOffset: Offset, size: number, isLast: boolean): ReadonlyArray<string> {
    const opened: Array<ReadableFile> = []
    const openIndex = (name: string): ReadableFile | undefined => {
      if (!this.disk.exists(name)) return undefined
      const index = this.disk.open(name, "read")
      opened.push(index)
      return index
    }
    try {
      const offsetFile = openIndex(path.offsetIndex)
      const timeFile = openIndex(path.timeIndex)
      const offsets = new OffsetIndexCheck(offsetFile ? entryReader(offsetFile, offsetEntrySize, offsetEntryAt, baseOffset) : () => undefined)
      const times = new TimeIndexCheck(timeFile ? entryReader(timeFile, timeEntrySize, timeEntryAt, baseOffset) : () => undefined)
      const expected = expectedHeaders(this.disk, { path, baseOffset, sizeInBytes: size }, isLast, this.point, this.crc32c)
      const headers = new HeaderCheck(expected === undefined || expected === "damaged" ? [] : expected)
      this.walkBatches(file, path, baseOffset, size, offsets, times, headers)
      for (const changed of headers.changed) {
        this.changedHeaders.push({ path, changed })
        this.report(headerFinding(this.directory, path.log, changed))
      }
      if (expected === "damaged") this.report(checksumFileFinding(this.directory, path.checksum))
      const wrong = [
        expected === "damaged" ? path.checksum : undefined,
        this.indexFault(path.offsetIndex, offsetFile, offsetEntrySize, offsets.finish(size)),
        // A log that was not closed cleanly may lack the last entry; it is written when the segment is ended.
        this.indexFault(path.timeIndex, timeFile, timeEntrySize, times.finish(this.walk.next, !isLast))
      ]
      return wrong.filter((name) => name !== undefined)
    } finally {
      for (const index of opened) index.close()
    }
  }

  private indexFault(path: string, file: ReadableFile | undefined, entrySize: number, wrong: string | undefined): string | undefined {
    const size = file?.size() ?? 0
    const found = size % entrySize === 0 ? wrong : `its ${size} bytes are no whole entries of ${entrySize}`
    if (file !== undefined && found === undefined) return undefined
    const what = file === undefined ? "The index is missing." : `The index does not fit its log: ${found}.`
    this.report({
      kind: "index",
      file: path,
      position: undefined,
      offset: undefined,
      meaning: `${what} Reads may be slow or go astray; no message is lost.`,
      advice: `\`franz log repair ${this.directory} --execute\` makes it again from the log.`
    })
    return path
  }

  private walkBatches(
    file: ReadableFile,
    path: SegmentPath,
    baseOffset: Offset,
    size: number,
    offsets: OffsetIndexCheck,
    times: TimeIndexCheck,
    headers: HeaderCheck
  ): void {
    for (const piece of segmentPieces(file, size, this.crc32c, () => this.walk.next)) {
      const { position } = piece
      this.progress(position)
      if (piece._tag === "Damage") {
        this.damage(path, baseOffset, piece)
        headers.visitDamage(readHeader(file, piece), position, piece.until)
        offsets.skip(piece.until)
        times.skip()
        continue
      }
      const { batch } = piece
      if (this.isLost) this.walk = { ...this.walk, next: batch.baseOffset }
      this.isLost = false
      this.settleTorn()
      const wrong = batchFault(batch, this.walk, this.crc32c)
      if (wrong !== undefined) this.misplaced(path, baseOffset, position, batch.baseOffset, wrong)
      this.batches++
      this.records += batch.recordCount
      this.walk = { ...this.walk, ...walkOn(batch) }
      offsets.visit(batch, position)
      times.visit(batch)
      headers.visit(batch, position)
    }
  }

  private misplaced(path: SegmentPath, baseOffset: Offset, position: number, offset: Offset, wrong: string): void {
    const isName = position === 0 && this.walk.next === baseOffset && !mayFollow(offset, baseOffset, this.walk.gapsEnd ?? 0)
    this.report({
      kind: isName ? "name" : "batch",
      file: path.log,
      position,
      offset,
      meaning: isName
        ? `The file is named after offset ${baseOffset}, its first batch has offset ${offset}: it was renamed, or it belongs to another log.`
        : `The batch is whole, but ${wrong}.`,
      advice: isName ? "Find out where the file comes from, and give it the name of its first offset or its own place again." : cutAdvice(this.directory)
    })
    this.breakAt(baseOffset, position, this.walk.next, true)
  }

  private damage(
    path: SegmentPath,
    baseOffset: Offset,
    { isLast, position, reason, until }: { position: number; until: number; isLast: boolean; reason: string }
  ): void {
    const { next } = this.walk
    const durable = this.point !== undefined && next < this.point.offset ? `, and everything before offset ${this.point.offset} was durable` : undefined
    const damage: Finding = {
      kind: "batch",
      file: path.log,
      position,
      offset: next,
      meaning: `Bytes ${position} to ${until - 1} are damaged: ${reason}${durable ?? ", and whole batches follow"}. What stood there, from offset ${next} on, is unreadable. This is no torn end of a last write.`,
      advice: cutAdvice(this.directory)
    }
    const isTorn = isLast && durable === undefined
    this.isLost = true
    this.breakAt(baseOffset, position, next, !isTorn)
    if (!isTorn) return this.report(damage)
    this.torn = { at: this.findings.length, damage }
    const meaning = `The last ${until - position} bytes are no whole batch: ${reason}. A write was under way when the node or the machine stopped, and it was not acknowledged as durable.`
    this.report({ ...damage, kind: "torn", meaning, advice: healed })
  }

  /** A whole batch follows: what looked like a torn end is damage. */
  private settleTorn(): void {
    if (this.torn === undefined) return
    const { at, damage } = this.torn
    if (at < this.findings.length) this.findings[at] = damage
    if (this.firstBreak !== undefined) this.firstBreak = { ...this.firstBreak, losesMore: true }
    this.torn = undefined
  }

  checkPoint(): void {
    const { directory, point, walk } = this
    const path = `${directory}/${recoveryPointFileName}`
    if (this.compaction.bases.length === 0) {
      if (point !== undefined && point.offset > 0)
        this.report({
          kind: "lost",
          file: directory,
          position: undefined,
          offset: 0,
          meaning: `The segments are gone: the log held offsets up to ${point.offset - 1}.`,
          advice: cutAdvice(directory)
        })
      return
    }
    if (point === undefined && this.disk.exists(path) && (this.disk.size(path) ?? 0) > 0)
      this.report({
        kind: "unreadable",
        file: path,
        position: undefined,
        offset: undefined,
        meaning:
          "The recovery point is damaged, or of another version of this program: it is unknown up to where the log was durable, so a torn end cannot be told from lost messages.",
        advice: `\`franz log repair ${directory} --execute\` puts it aside; the next start reads the whole log and writes a new one.`
      })
    if (point !== undefined && point.offset < (this.compaction.bases[0] as Offset))
      this.report({
        kind: "lost",
        file: directory,
        position: undefined,
        offset: point.offset,
        meaning: `The log begins with offset ${this.compaction.bases[0]}, but it was last known to end with ${point.offset - 1}: segments before the first one are missing.`,
        advice: `Look for the missing files, or for a copy of the directory. Without them, \`franz log repair ${directory}\` takes the log as it is.`
      })
    if (point === undefined || walk.next >= point.offset || this.firstBreak !== undefined) return
    this.report({
      kind: "lost",
      file: segmentPath(directory, this.compaction.bases.at(-1) as Offset).log,
      position: undefined,
      offset: walk.next,
      meaning: `The log ends before offset ${walk.next}, but everything before ${point.offset} was durable: ${point.offset - walk.next} offsets are gone.`,
      advice: cutAdvice(directory)
    })
    const last = this.segments.at(-1)
    if (last !== undefined) this.breakAt(last.baseOffset, last.sizeInBytes, walk.next, true)
  }
}

/** The first bytes of what is damaged. */
const readHeader = (file: ReadableFile, { position, until }: { readonly position: number; readonly until: number }): Uint8Array => {
  const bytes = new Uint8Array(Math.min(headerSize, until - position))
  return bytes.subarray(0, file.read(bytes, position))
}

/** Base offsets of the segments in a log's directory, rising. */
const segmentBases = (disk: ReadableDisk, directory: string): ReadonlyArray<Offset> =>
  disk
    .list(directory)
    .map(baseOffsetOfLogFile)
    .filter((base) => base !== undefined)
    .sort((one, other) => one - other)

/**
 * Reads everything that a log's directory holds and changes nothing: L6 over all batches and index entries, and the recovery point (L9). `progress` hears how far it is in
 * the segment that is read, in bytes. A segment takes a second for each GiB or so and never waits. Throws what the disk throws.
 */
export const verifyLog = (
  disk: ReadableDisk,
  directory: string,
  crc32c: Crc32c,
  progress: (file: string, bytes: number) => void = () => undefined
): VerifiedLog => {
  const compaction = compactionView(disk, directory, segmentBases(disk, directory), crc32c)
  const { bases } = compaction
  const point = readRecoveryPoint(disk, directory, crc32c)
  let name = directory
  const found = new LogVerification(disk, directory, crc32c, compaction, point, (bytes) => progress(name, bytes))
  for (const [at, base] of bases.entries()) {
    name = compaction.pathOf(base).log
    found.segment(base, at === bases.length - 1)
  }
  const cut = pendingCut(point)
  if (cut === undefined) found.checkPoint()
  const { batches, bytes, changedHeaders, findings, firstBreak, moreFindings, records, segments, walk } = found
  const log: VerifiedLog = {
    directory,
    segments,
    batches,
    records,
    bytes,
    start: bases[0] ?? 0,
    end: firstBreak?.losesMore === false ? firstBreak.offset : walk.next,
    findings,
    moreFindings,
    firstBreak,
    changedHeaders,
    recoveryPoint: point,
    compaction
  }
  return cut === undefined ? log : afterCut(log, cut)
}

/** The log as the next start makes it. */
const afterCut = (log: VerifiedLog, cut: PendingCut): VerifiedLog => ({
  ...log,
  ...boundsAfter(cut, log.start, log.end),
  findings: [cutFinding(log.directory, cut), ...log.findings.filter((finding) => concernsWhatStays(finding, cut))],
  firstBreak: cut.cut === "truncate" && log.firstBreak !== undefined && log.firstBreak.offset < cut.offset ? log.firstBreak : undefined
})
