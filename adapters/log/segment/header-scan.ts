import type { Offset } from "../../../domain/kernel/id.ts"
import type { RecordBatch } from "../../../domain/log/batch.ts"
import { walkHeaders } from "./header-walk.ts"
import { damaged } from "./segment-files.ts"
import { locate } from "./segment-read.ts"
import type { ReadableSegment } from "./segments.ts"

/** Batches between two pauses: some milliseconds. */
const batchesPerSlice = 4096

/** Visits the headers of the batches from the one that holds `from` on; pauses between slices. Throws a LogFault where batches do not fit one after the other. */
export function* scanHeaders(segments: Iterable<ReadableSegment>, from: Offset, visit: (batch: RecordBatch) => void): Generator<void, void> {
  for (const segment of segments) {
    if (from >= segment.endOffset) continue
    let position = segment.baseOffset >= from ? 0 : locate(segment, from)
    while (position < segment.sizeInBytes) {
      let left = batchesPerSlice
      // The file is asked for again after each pause: meanwhile it may have been closed for another one.
      const walked = walkHeaders(segment.file(), position, segment.sizeInBytes, (header) => left-- > 0 && (visit(header), true))
      if (walked.wrong !== undefined) throw damaged(segment.path.log, walked.position, walked.wrong)
      position = walked.position
      yield
    }
  }
}
