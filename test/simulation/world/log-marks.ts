import type { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { fieldAt, headerSize, lengthOverhead, magic2 } from "../../../domain/log/batch.ts"
import { baseOffsetOfLogFile } from "../../../domain/log/segment.ts"
import type { BatchMark } from "../checker/replicas.ts"

/** Adds the batches of a segment up to the first that is not whole. Of the bytes that the CRC covers, the mark has the CRC. */
const addMarks = (bytes: Uint8Array, marks: Array<BatchMark>): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = 0; at + headerSize <= bytes.length; ) {
    const size = lengthOverhead + view.getInt32(at + fieldAt.batchLength)
    if (size < headerSize || at + size > bytes.length || bytes[at + fieldAt.magic] !== magic2) return
    const baseOffset = Number(view.getBigInt64(at + fieldAt.baseOffset))
    marks.push({
      baseOffset,
      lastOffset: baseOffset + view.getInt32(at + fieldAt.lastOffsetDelta),
      leaderEpoch: view.getInt32(at + fieldAt.leaderEpoch),
      crc: view.getUint32(at + fieldAt.crc)
    })
    at += size
  }
}

/** The segments of a partition's log on a disk, by their base offsets: as they are written, or as a power cut leaves them at least. */
const segmentsOnDisk = (disk: MemoryDisk, topicId: string, partition: number, state: "current" | "durable"): ReadonlyArray<readonly [number, Uint8Array]> =>
  [...disk.filesIn(`/data/${topicId}-${partition}`, state)]
    .filter(([name]) => name.endsWith(".log"))
    .map(([name, bytes]) => [baseOffsetOfLogFile(name) ?? 0, bytes] as const)
    .sort(([one], [other]) => one - other)

/** The batches of a partition's log on a disk. */
export const marksOnDisk = (disk: MemoryDisk, topicId: string, partition: number, state: "current" | "durable"): ReadonlyArray<BatchMark> => {
  const marks: Array<BatchMark> = []
  for (const [, bytes] of segmentsOnDisk(disk, topicId, partition, state)) addMarks(bytes, marks)
  return marks
}

/** The base offset of the first segment of a partition's log on a disk; undefined where there is none. */
export const startOnDisk = (disk: MemoryDisk, topicId: string, partition: number, state: "current" | "durable"): number | undefined =>
  segmentsOnDisk(disk, topicId, partition, state)[0]?.[0]
