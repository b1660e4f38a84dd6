import { Chunk, Effect, Either } from "effect"
import { decodeEntries } from "../../../adapters/journal/entry-record.ts"
import { partitionOfStream } from "../../../adapters/journal/stream-partition.ts"
import { readNote } from "../../../adapters/log/compaction/note.ts"
import { Checkpoints } from "../../../adapters/log/disk/checkpoint.ts"
import type { Disk } from "../../../adapters/log/disk/disk.ts"
import type { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { type RecordBatch, readableBatches, verify } from "../../../domain/log/batch.ts"
import { crc32c } from "../../../domain/log/crc32c.ts"
import { readInt64 } from "../../../domain/log/int.ts"
import { decodeRecords } from "../../../domain/log/record.ts"
import { baseOffsetOfLogFile } from "../../../domain/log/segment.ts"
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

/** The segments that count, in order: of a swap that was decided upon and not done the new one, which the next start puts in the place of the old ones (decision 0020). */
const segmentsIn = (session: Disk, directory: string): ReadonlyArray<string> => {
  const names = session.list(directory)
  const logs = names.filter((name) => name.endsWith(".log")).sort()
  const note = readNote(session, directory, crc32c)
  const pending = note === undefined || note === "damaged" ? undefined : note.pending
  if (pending === undefined) return logs
  const swap = names.find((name) => name.endsWith(".log.swap") && baseOffsetOfLogFile(name.slice(0, -".swap".length)) === pending.baseOffset)
  if (swap === undefined) return logs
  const isReplaced = (name: string) => (baseOffsetOfLogFile(name) ?? 0) >= pending.baseOffset && (baseOffsetOfLogFile(name) ?? 0) < pending.end
  return [...logs.filter((name) => !isReplaced(name)), swap].sort()
}

/** Whole batches of a log as they are in its files, up to the first that is torn, and where they end. */
const logOf = (disk: MemoryDisk, directory: string): { readonly batches: ReadonlyArray<RecordBatch>; readonly end: number } => {
  const session = disk.session()
  const found: Array<RecordBatch> = []
  let end = 0
  if (!session.exists(directory)) return { batches: found, end }
  for (const name of segmentsIn(session, directory)) {
    const bytes = disk.contents(`${directory}/${name}`)
    let read = 0
    end = Math.max(end, baseOffsetOfLogFile(name.replace(/\.swap$/, "")) ?? 0)
    for (const batch of wholePrefix(bytes)) {
      if (verify(batch, crc32c) !== undefined) break
      found.push(batch)
      read += batch.bytes.length
      end = batch.nextOffset
    }
    if (read < bytes.length) break
  }
  return { batches: found, end }
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
