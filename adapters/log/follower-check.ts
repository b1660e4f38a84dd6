import { Either } from "effect"
import type { Epoch, Offset } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { Crc32c } from "../../domain/log/crc32c.ts"
import { batchFault, type LogWalk, walkOn } from "../../domain/log/verify.ts"
import { MisplacedBatch } from "../../src/ports/log-store.ts"
import { walkHeaders } from "./segment/header-walk.ts"
import type { SegmentList } from "./segment/segment-list.ts"

/** Checks a leader's batches before a follower appends them. It remembers the leader epoch of the log's last batch. */
export class FollowerCheck {
  private epoch: Epoch | undefined
  /** Where the batch of that epoch ends, and how often the log was cut by then: other appends and cuts make it read the last batch anew. */
  private end: Offset = -1
  private cuts = -1

  constructor(
    private readonly directory: string,
    private readonly segments: SegmentList,
    private readonly crc32c: Crc32c,
    /** Up to where batches may have fewer records than offsets. */
    private readonly sparseEnd: () => Offset
  ) {}

  /** Whether all of them follow the log. Throws what the disk throws. */
  check(batches: ReadonlyArray<RecordBatch>): Either.Either<void, MisplacedBatch> {
    const sparseEnd = this.sparseEnd()
    let walk: LogWalk = { next: this.segments.end, epoch: this.lastEpoch(), sparseEnd }
    for (const batch of batches) {
      const wrong = batchFault(batch, walk, this.crc32c)
      if (wrong !== undefined) return Either.left(this.misplaced(batch, walk, wrong))
      walk = { ...walkOn(batch), sparseEnd }
    }
    return Either.void
  }

  /** They were appended. */
  appended(batches: ReadonlyArray<RecordBatch>): void {
    const last = batches.at(-1)
    if (last === undefined) return
    this.epoch = last.partitionLeaderEpoch
    this.end = last.nextOffset
    this.cuts = this.segments.cuts
  }

  private lastEpoch(): Epoch {
    const { cuts, end, start } = this.segments
    if (this.epoch !== undefined && this.end === end && this.cuts === cuts) return this.epoch
    // Of an empty log nothing is known here: its owner has the epochs of the batches that went.
    let epoch: Epoch = 0
    if (end > start)
      for (const segment of this.segments.from(end - 1))
        walkHeaders(segment.file(), segment.positionFor(end - 1), segment.sizeInBytes, ({ partitionLeaderEpoch }) => {
          epoch = partitionLeaderEpoch
          return true
        })
    return epoch
  }

  private misplaced({ baseOffset, partitionLeaderEpoch }: RecordBatch, { epoch, next }: LogWalk, wrong: string): MisplacedBatch {
    return new MisplacedBatch({
      path: this.directory,
      baseOffset,
      leaderEpoch: partitionLeaderEpoch,
      message: `A batch of the leader (offset ${baseOffset}, leader epoch ${partitionLeaderEpoch}) does not follow ${this.directory}, which ends at offset ${next} with leader epoch ${epoch}: ${wrong}. Nothing was appended.`
    })
  }
}
