import { Effect } from "effect"
import type { Offset } from "../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import { groupSegments } from "../../../domain/log/cleanable.ts"
import { type CompactionCount, type CompactionRules, compactBatch, mapBatch, payloadOf } from "../../../domain/log/compaction.ts"
import { mapBytes, OffsetMap } from "../../../domain/log/offset-map.ts"
import type { Compacted, CompactionOrder } from "../../../src/ports/compaction.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import { attempt, faultOf } from "../disk/disk.ts"
import type { LogCore } from "../log-core.ts"
import { readChecksum } from "../segment/segment-checksum.ts"
import type { SealedSegment } from "../segment/segments.ts"
import { BatchReader } from "./batch-reader.ts"
import { Pace } from "./pace.ts"
import { CleanedSegmentWriter } from "./segment-writer.ts"
import { exclusively, putNote, swapIn } from "./swap.ts"

/** A batch is unpacked to at most so many bytes; one that would need more is kept as it is. */
const unpackedBytesMax = 67_108_864

/** Repeats `step` until it returns that nothing is left, and yields the event loop between. The log may be closed in the meantime. */
const inSlices = (log: LogCore, path: string, pace: Pace, step: () => boolean): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    for (let isDone = false; !isDone; ) {
      const closed = log.refusal()
      if (closed !== undefined) return yield* closed
      isDone = yield* attempt(path, "compact", () => {
        while (pace.mayGoOn) if (step()) return true
        return false
      })
      yield* pace.rest
    }
  })

const nothingDone = (cleanEnd: Offset): Compacted => ({
  cleanEnd,
  segmentsBefore: 0,
  segmentsAfter: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  recordsRead: 0,
  recordsKept: 0,
  unreadable: 0
})

/** Everything sealed, and the names of it all, is durable; so is a recovery point behind it. */
const settle = ({ parts, segments, syncing }: LogCore): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const { path, sync } = parts.recoveryPoint
    yield* syncing.sync
    if (segments.hasUnsyncedNames) yield* syncing.round
    yield* Effect.mapError(sync, (error) => faultOf(path, "sync", error))
  })

class Round {
  private readonly map: OffsetMap
  private readonly cuts: number
  private readonly pace: Pace
  private readonly count: CompactionCount = { read: 0, kept: 0, unreadable: 0 }
  private bytesBefore = 0
  private bytesAfter = 0
  private segmentsBefore = 0
  private segmentsAfter = 0

  constructor(
    private readonly log: LogCore,
    private readonly order: CompactionOrder
  ) {
    const { from, ioBytesPerSecondMax, mapBytesMax, mapLoadFactor, mapSeed, to } = order
    this.map = new OffsetMap(mapBytes(to - from, mapLoadFactor, mapBytesMax), mapLoadFactor, mapSeed)
    this.pace = new Pace(ioBytesPerSecondMax)
    this.cuts = log.segments.cuts
  }

  /** The log was cut under the round: the keys that it has looked at may be gone, so what they supersede stays. */
  private get wasCut(): LogFault | undefined {
    const { directory, segments } = this.log
    return segments.cuts === this.cuts ? undefined : new LogFault({ path: directory, reason: "io", message: `${directory} was cut while it was compacted.` })
  }

  private payload(batch: RecordBatch): Uint8Array | undefined {
    return payloadOf(batch, this.order.compression.decompress, unpackedBytesMax)
  }

  /** A reader that is closed in the end, whatever happens. */
  private reading<A>(segment: SealedSegment, use: (reader: BatchReader) => Effect.Effect<A, LogFault>): Effect.Effect<A, LogFault> {
    const { crc32c, disk } = this.log.parts
    const { path, sizeInBytes } = segment
    return Effect.acquireUseRelease(
      attempt(
        path.log,
        "read",
        () => new BatchReader(disk, path.log, sizeInBytes, this.order.ioBufferBytes, crc32c, readChecksum(disk, segment, crc32c)?.entries)
      ),
      use,
      (reader) => Effect.sync(() => reader.close())
    )
  }

  /** Enters the keys of what is dirty, as much as the map holds; answers up to where it covers the log now. */
  fillMap(segments: ReadonlyArray<SealedSegment>): Effect.Effect<Offset, LogFault> {
    const { from } = this.order
    return Effect.gen(this, function* () {
      let coveredTo = from
      let isFull = false
      for (const segment of segments) {
        if (segment.endOffset <= from || isFull) continue
        yield* this.reading(segment, (reader) => {
          const start = attempt(segment.path.log, "read", () => (from > segment.baseOffset ? segment.positionFor(from) : 0))
          return Effect.zipRight(
            Effect.map(start, (position) => reader.seek(position)),
            inSlices(this.log, segment.path.log, this.pace, () => {
              const batch = reader.next()
              if (batch === undefined) return true
              const payload = batch.nextOffset <= from ? undefined : this.payload(batch)
              this.pace.spend(batch.bytes.length, Math.max(batch.bytes.length, payload?.length ?? 0))
              if (batch.nextOffset <= from) return false
              const mapped = mapBatch(this.map, batch, payload, from)
              coveredTo = Math.max(coveredTo, mapped.latest + 1)
              isFull = mapped.isFull
              return isFull
            })
          )
        })
        // What is missing behind its last batch is covered, too.
        if (!isFull) coveredTo = segment.endOffset
      }
      return coveredTo
    })
  }

  /** Makes one segment of a group, and puts it in their place unless it says what they say. */
  compactGroup(group: ReadonlyArray<SealedSegment>, mappedTo: Offset): Effect.Effect<void, LogFault> {
    const first = group[0] as SealedSegment
    const last = group.at(-1) as SealedSegment
    const rules: CompactionRules = { ...this.order, map: this.map, mappedTo }
    let isChanged = group.length > 1
    const write = (writer: CleanedSegmentWriter) => (segment: SealedSegment) =>
      this.reading(segment, (reader) =>
        inSlices(this.log, segment.path.log, this.pace, () => {
          const batch = reader.next()
          if (batch === undefined) return true
          const payload = this.payload(batch)
          const kept = compactBatch(batch, payload, rules, { ...this.order.compression, crc32c: this.log.parts.crc32c }, this.count)
          const size = batch.bytes.length
          this.pace.spend(size + (kept?.bytes.length ?? 0), Math.max(size, payload?.length ?? 0))
          isChanged ||= kept !== batch
          if (kept !== undefined) writer.add(kept)
          return false
        })
      )
    return Effect.acquireUseRelease(
      attempt(first.path.log, "compact", () => new CleanedSegmentWriter(this.log, first.baseOffset, last.endOffset, this.order.ioBufferBytes)),
      (writer) =>
        Effect.gen(this, function* () {
          yield* Effect.forEach(group, write(writer), { discard: true })
          const { maxTimestamp, path, sizeInBytes } = writer
          this.segmentsBefore += group.length
          this.segmentsAfter++
          this.bytesBefore += group.reduce((sum, segment) => sum + segment.sizeInBytes, 0)
          this.bytesAfter += sizeInBytes
          if (!isChanged) return
          yield* writer.finish
          yield* swapIn(this.log, group, { path, sizeInBytes, maxTimestamp }, this.cuts)
        }),
      (writer) =>
        Effect.sync(() => {
          writer.close()
          writer.discard()
        })
    )
  }

  readonly run: Effect.Effect<Compacted, LogFault> = Effect.gen(this, function* () {
    const { log, order } = this
    yield* settle(log)
    yield* this.pace.begin
    const segments = log.segments.sealed.filter(({ baseOffset }) => baseOffset < order.to)
    const cleanEnd = yield* this.fillMap(segments)
    const { disk } = log.parts
    const touched = segments.filter(({ baseOffset }) => baseOffset < cleanEnd)
    const sized = touched.map((segment) => {
      const { baseOffset, endOffset, path, sizeInBytes } = segment
      return { segment, baseOffset, endOffset, sizeInBytes, indexBytes: Math.max(disk.size(path.offsetIndex) ?? 0, disk.size(path.timeIndex) ?? 0) }
    })
    for (const group of groupSegments(sized, log.config))
      yield* this.compactGroup(
        group.map(({ segment }) => segment),
        cleanEnd
      )
    const { bytesAfter, bytesBefore, count, segmentsAfter, segmentsBefore } = this
    yield* exclusively(
      log,
      Effect.suspend(() => log.refusal() ?? this.wasCut ?? putNote(log, { ...log.note, cleanEnd }))
    )
    const { kept: recordsKept, read: recordsRead, unreadable } = count
    return { cleanEnd, segmentsBefore, segmentsAfter, bytesBefore, bytesAfter, recordsRead, recordsKept, unreadable }
  })
}

/**
 * One round of compaction over an open log, as Kafka's log cleaner does it: first the latest offset of each key of what is dirty, then every segment up to there is
 * written again without what those keys supersede, some of them together. It may be interrupted wherever it waits, the log may be closed meanwhile, and the power may
 * go: nothing is lost, and what is not done is dirty as before.
 */
export const compactLog = (log: LogCore, order: CompactionOrder): Effect.Effect<Compacted, LogFault> =>
  Effect.suspend(() => {
    const { cuts } = log.segments
    const start = log.segments.sealed[0]?.baseOffset ?? 0
    // A file that retention or a cut took away under the round is no fault: the next round begins with what is left.
    const isLetGo = () =>
      log.refusal() === undefined && (log.segments.cuts !== cuts || (log.segments.sealed[0]?.baseOffset ?? Number.POSITIVE_INFINITY) > start)
    return Effect.catchIf(new Round(log, order).run, isLetGo, () => Effect.succeed(nothingDone(order.from)))
  })
