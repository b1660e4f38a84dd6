import type { Epoch, Offset } from "../kernel/id.ts"
import { fieldAt, headerSize, lengthOverhead, magic2, RecordBatch } from "./batch.ts"
import type { Crc32c } from "./crc32c.ts"
import { writeInt16, writeInt32, writeInt64 } from "./int.ts"

/** The offsets that one batch may span, well below the int32 of its last offset. */
const offsetsMax = 1_073_741_824

/** A batch without records: as compaction leaves one, and readers pass over it. */
const emptyBatch = (baseOffset: Offset, nextOffset: Offset, leaderEpoch: Epoch, crc32c: Crc32c): RecordBatch => {
  const bytes = new Uint8Array(headerSize)
  writeInt64(bytes, fieldAt.baseOffset, baseOffset)
  writeInt32(bytes, fieldAt.batchLength, headerSize - lengthOverhead)
  writeInt32(bytes, fieldAt.leaderEpoch, leaderEpoch)
  bytes[fieldAt.magic] = magic2
  writeInt32(bytes, fieldAt.lastOffsetDelta, nextOffset - baseOffset - 1)
  for (const at of [fieldAt.baseTimestamp, fieldAt.maxTimestamp, fieldAt.producerId]) writeInt64(bytes, at, -1)
  writeInt16(bytes, fieldAt.producerEpoch, -1)
  writeInt32(bytes, fieldAt.baseSequence, -1)
  writeInt32(bytes, fieldAt.crc, crc32c(bytes.subarray(fieldAt.attributes)) | 0)
  return new RecordBatch(bytes)
}

/** Whether compaction took records of a batch, or all of them. */
const isSparse = ({ lastOffsetDelta, recordCount }: RecordBatch): boolean => recordCount >= 0 && recordCount <= lastOffsetDelta

/** Batches of a leader as a follower appends them. */
interface Filled {
  readonly batches: ReadonlyArray<RecordBatch>
  /** Some have fewer records than offsets. */
  readonly isSparse: boolean
}

/**
 * Returns the batches of a compacted log with batches without records in the place of those that compaction removed, so
 * that each begins where the one before it ends. `end` and `lastEpoch` are those of the follower's log; an epoch below 0
 * means that it has none. Only gaps up to `sparseEnd` are filled, where the leader's log may lack records: one above it
 * is damage, and is left to be refused. The same array where nothing is to be filled.
 *
 * A gap has the leader epoch of the batch before it, so that no epoch begins earlier than on the leader.
 */
export const filledGaps = (
  batches: ReadonlyArray<RecordBatch>,
  { end, lastEpoch }: { readonly end: Offset; readonly lastEpoch: Epoch },
  sparseEnd: Offset,
  crc32c: Crc32c
): Filled => {
  let next = end
  let epoch = lastEpoch
  let isSparseToo = false
  let filled: Array<RecordBatch> | undefined
  for (const [at, batch] of batches.entries()) {
    if (batch.baseOffset > next && batch.baseOffset <= sparseEnd) {
      filled ??= batches.slice(0, at)
      for (; next < batch.baseOffset; next = Math.min(next + offsetsMax, batch.baseOffset))
        filled.push(emptyBatch(next, Math.min(next + offsetsMax, batch.baseOffset), epoch < 0 ? batch.partitionLeaderEpoch : epoch, crc32c))
    }
    filled?.push(batch)
    isSparseToo ||= isSparse(batch)
    next = batch.nextOffset
    epoch = batch.partitionLeaderEpoch
  }
  return { batches: filled ?? batches, isSparse: isSparseToo || filled !== undefined }
}
