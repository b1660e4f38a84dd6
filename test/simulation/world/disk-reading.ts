import { Chunk, Effect, Either } from "effect"
import { partitionOfStream } from "../../../adapters/journal/stream-partition.ts"
import { noNote, readNote } from "../../../adapters/log/compaction/note.ts"
import { anyRange, settledNote } from "../../../adapters/log/compaction/recover.ts"
import { Checkpoints } from "../../../adapters/log/disk/checkpoint.ts"
import type { Disk } from "../../../adapters/log/disk/disk.ts"
import type { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { type RecordBatch, readableBatches, verify } from "../../../domain/log/batch.ts"
import { type CompactedRanges, gapsEnd, mayFollow, withRange } from "../../../domain/log/compacted-ranges.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { readInt64 } from "../../../domain/log/int.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import { baseOffsetOfLogFile } from "../../../domain/log/segment.ts"
import { decodeBatches, decodeEntries } from "../../../src/ports/entry-record.ts"
import { headerOf } from "../../../src/stream/partition/stream-log.ts"
import type { BatchRead, JournalEvent, SnapshotRead } from "../history.ts"

const root = "/data"
const utf8 = new TextDecoder()

/** A batch as a history has it. Nothing in a run is compressed. */
export const batchRead = (batch: RecordBatch): BatchRead => {
  const records = Either.getOrElse(decodeRecords(batch, batch.records), () => [])
  return {
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    leaderEpoch: batch.partitionLeaderEpoch,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    values: records.map(({ value }) => utf8.decode(value ?? new Uint8Array(0))),
    offsets: records.map(({ offset }) => offset),
    keys: records.map(({ key }) => (key === null ? null : utf8.decode(key)))
  }
}

/** The segments that count, in order, and where compaction may have left gaps: of a swap that was decided upon and not done the new one (decision 20). */
const segmentsIn = (session: Disk, directory: string): { readonly names: ReadonlyArray<string>; readonly ranges: CompactedRanges } => {
  const names = session.list(directory)
  const logs = names.filter((name) => name.endsWith(".log")).sort()
  const bases = logs.map((name) => baseOffsetOfLogFile(name) ?? 0)
  const note = readNote(session, directory, crc32c) ?? noNote
  if (note === "damaged") return { names: logs, ranges: anyRange(bases).ranges }
  const { pending } = note
  const swap = names.find((name) => name.endsWith(".log.swap") && baseOffsetOfLogFile(name.slice(0, -".swap".length)) === pending?.baseOffset)
  if (pending === undefined || swap === undefined) return { names: logs, ranges: settledNote(note, bases).ranges }
  const isReplaced = (name: string) => (baseOffsetOfLogFile(name) ?? 0) >= pending.baseOffset && (baseOffsetOfLogFile(name) ?? 0) < pending.end
  return {
    names: [...logs.filter((name) => !isReplaced(name)), swap].sort(),
    ranges: withRange(note.ranges, pending.baseOffset, pending.end, 0)
  }
}

/**
 * Whole batches of a log as its files hold them, up to the first that is torn or does not follow, and where they end. What is whole behind a hole does not count: nothing
 * behind the last sync was acknowledged, and recovery cuts the log there (decision 13). By the same rule as recovery's a gap that compaction left is no hole.
 */
const logOf = (disk: MemoryDisk, directory: string): { readonly batches: ReadonlyArray<RecordBatch>; readonly end: number } => {
  const session = disk.session()
  const found: Array<RecordBatch> = []
  let end: number | undefined
  if (!session.exists(directory)) return { batches: found, end: 0 }
  const { names, ranges } = segmentsIn(session, directory)
  for (const name of names) {
    const bytes = disk.contents(`${directory}/${name}`)
    const base = baseOffsetOfLogFile(name.replace(/\.swap$/, "")) ?? 0
    if (end !== undefined && base !== end) break
    const gaps = gapsEnd(ranges, base)
    let read = 0
    let next = base
    for (const batch of wholePrefix(bytes)) {
      if (verify(batch, crc32c) !== undefined || !mayFollow(batch.baseOffset, next, gaps)) break
      found.push(batch)
      read += batch.bytes.length
      next = batch.nextOffset
    }
    const isLast = name === names.at(-1)
    end = isLast || read < bytes.length ? next : Math.max(next, gaps)
    if (read < bytes.length) break
  }
  return { batches: found, end: end ?? 0 }
}

/** Batches up to the first bytes that are none: a torn header is the end too. */
const wholePrefix = (bytes: Uint8Array): ReadonlyArray<RecordBatch> => {
  const all = readableBatches(bytes)
  if (Either.isRight(all)) return all.right
  return Either.getOrElse(readableBatches(bytes.subarray(0, all.left.position)), () => [])
}

const logForm = /^([A-Za-z0-9_-]{22})-(\d+)$/

/** Every partition's log on a disk, by topic id. */
export const logsOnDisk = (
  disk: MemoryDisk
): ReadonlyArray<{ readonly topicId: string; readonly partition: number; readonly batches: ReadonlyArray<BatchRead>; readonly end: number }> => {
  const session = disk.session()
  if (!session.exists(root)) return []
  return session
    .list(root)
    .flatMap((name) => {
      const [, topicId = "", partition = ""] = logForm.exec(name) ?? []
      if (topicId === "") return []
      const { batches, end } = logOf(disk, `${root}/${name}`)
      return [{ topicId, partition: Number(partition), batches: batches.map(batchRead), end }]
    })
    .sort((one, other) => (`${one.topicId}-${one.partition}` < `${other.topicId}-${other.partition}` ? -1 : 1))
}

/** A stream of the journal on a disk: undefined where there is none. */
export const streamOnDisk = (
  disk: MemoryDisk,
  stream: string
): { readonly events: ReadonlyArray<JournalEvent>; readonly snapshot: SnapshotRead | undefined } | undefined => {
  const place = partitionOfStream(stream)
  if (place === undefined) return undefined
  const { batches } = logOf(disk, `${root}/${place.topicId}-${place.partition}`)
  const entries = Either.getOrThrow(
    decodeEntries(
      stream,
      batches.map(({ bytes }) => bytes),
      crc32c
    )
  )
  const events = Chunk.toReadonlyArray(entries).map(({ commandId, index, type, value }) => ({ index, commandId, type, json: utf8.decode(value) }))
  const session = disk.session()
  if (!session.exists(`${root}/checkpoints`)) return { events, snapshot: undefined }
  const held = Effect.runSync(Effect.orDie(new Checkpoints(session, root, crc32c).read(`${place.name}.snapshot`)))
  return { events, snapshot: held === undefined ? undefined : { index: readInt64(held, 0), json: utf8.decode(held.subarray(8)) } }
}

/** A stream as the log of its partition has it. */
export interface PartitionStream {
  /** The entries, each with the leader epoch under which it was appended. */
  readonly entries: ReadonlyArray<JournalEvent & { readonly epoch: number }>
  /** The snapshots that are whole. */
  readonly snapshots: ReadonlyArray<SnapshotRead>
  /** The index of the next entry. */
  readonly end: number
}

/** A stream of groups in the log of its partition on a broker's disk. */
export const partitionStreamOnDisk = (disk: MemoryDisk, stream: string, topicId: string, partition: number): PartitionStream => {
  const { batches } = logOf(disk, `${root}/${topicId}-${partition}`)
  const decoded = Either.getOrThrow(
    decodeBatches(
      stream,
      batches.map(({ bytes }) => bytes),
      crc32c
    )
  )
  const entries: Array<JournalEvent & { readonly epoch: number }> = []
  const snapshots: Array<SnapshotRead> = []
  let parts: Array<Uint8Array> = []
  let end = 0
  for (const { batch, entries: found, numberOf } of decoded) {
    const [index = 0, part, count = 0] = [numberOf(headerOf.index), numberOf(headerOf.part), numberOf(headerOf.parts)]
    if (part === undefined) {
      for (const [nth, { commandId, type, value }] of found.entries())
        entries.push({ index: index + nth, commandId, type, json: utf8.decode(value), epoch: batch.partitionLeaderEpoch })
      end = index + found.length
      continue
    }
    parts = part === 0 ? [] : parts
    parts.push(found[0]?.value ?? new Uint8Array(0))
    if (parts.length < count) continue
    const json = utf8.decode(Buffer.concat(parts))
    // The state of a stream that never had an entry has no bytes.
    if (json !== "") snapshots.push({ index, json })
    end = Math.max(end, index)
  }
  return { entries, snapshots, end }
}
