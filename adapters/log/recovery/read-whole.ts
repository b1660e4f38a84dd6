import { type CompactedRanges, gapsEnd } from "../../../domain/log/compacted-ranges.ts"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { damaged } from "../segment/segment-files.ts"
import type { OpenSegments } from "./open-segments.ts"
import type { OpeningProgress } from "./opening-progress.ts"
import { type Verified, verifyBatches } from "./verify-batches.ts"

/** Bytes that are read between two pauses: some milliseconds. */
const sliceBytes = 4_194_304

/**
 * Reads every batch of a log that is open: sizes, CRCs, the order of offsets and leader epochs, from each segment to the next. For a log that is folded whole sooner
 * or later, so that damage far from its end is found when the node starts. Throws a LogFault "corrupt" with the file and the byte.
 */
export function* readWhole({ active, sealed }: OpenSegments, compacted: CompactedRanges, crc32c: Crc32c, progress: OpeningProgress): Generator<void> {
  let epoch = 0
  for (const segment of [...sealed, active]) {
    const { baseOffset, endOffset, path, sizeInBytes } = segment
    const gaps = gapsEnd(compacted, baseOffset)
    let end: Verified = { position: 0, offset: baseOffset, epoch, wrong: undefined, isWhole: false }
    progress.due(sizeInBytes)
    while (end.position < sizeInBytes) {
      const from = end.position
      end = verifyBatches(segment.file(), sizeInBytes, { ...end, gapsEnd: gaps }, crc32c, () => undefined, sliceBytes)
      if (end.wrong !== undefined) throw damaged(path.log, end.position, end.wrong)
      progress.checked(end.position - from)
      yield
    }
    if (Math.max(end.offset, gaps) !== endOffset) throw damaged(path.log, end.position, `the segment ends at offset ${end.offset}, not at ${endOffset}`)
    epoch = end.epoch
  }
}
