import { Either } from "effect"
import { headerSize, type RecordBatch, viewHeader } from "../../../domain/log/batch.ts"
import type { DiskFile } from "../disk/disk.ts"

const chunkBytes = 65_536
/** Above this size of a batch it is cheaper to ask for the next header alone than to read on through records that are not used. */
const smallBatchBytes = 16_384

/** Where a walk ended. `wrong` says what stood there instead of a batch; it is undefined at the end of the bytes, or where the visitor had seen enough. */
export interface Walked {
  readonly position: number
  readonly wrong: string | undefined
}

/**
 * Visits the batches of a segment by their headers, from the batch at `from` up to `size` bytes. `visit` answers false to stop before the next one.
 * A header is a view of memory of its own: it may be kept. Checks that batches fit one after the other, not their CRC.
 */
export const walkHeaders = (
  file: DiskFile,
  from: number,
  size: number,
  visit: (header: RecordBatch, position: number) => boolean | undefined,
  firstChunkBytes: number = chunkBytes
): Walked => {
  let position = from
  let chunk = new Uint8Array(0)
  let chunkAt = from
  let nextChunkBytes = firstChunkBytes
  while (position < size) {
    if (position + headerSize > chunkAt + chunk.length) {
      chunk = new Uint8Array(Math.min(nextChunkBytes, size - position))
      chunkAt = position
      chunk = chunk.subarray(0, file.read(chunk, position))
    }
    const header = viewHeader(chunk, position - chunkAt)
    if (Either.isLeft(header)) return { position, wrong: header.left.reason }
    if (header.right === undefined) return { position, wrong: `only ${size - position} bytes are left, less than a batch's header` }
    const batchSize = header.right.sizeInBytes
    if (position + batchSize > size) return { position, wrong: `a batch of ${batchSize} bytes starts here, ${size - position} are left` }
    if (visit(header.right, position) === false) return { position, wrong: undefined }
    nextChunkBytes = batchSize > smallBatchBytes ? headerSize : chunkBytes
    position += batchSize
  }
  return { position, wrong: undefined }
}
