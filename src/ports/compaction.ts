import type { Offset } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { HashSeed } from "../../domain/log/key-hash.ts"
import type { Packing } from "../../domain/log/open-batch.ts"

/** The parameters of one round of compaction over a log. The comments name Kafka's settings. */
export interface CompactionOrder {
  /**
   * The first offset that is not compacted yet, and the offset at which the round stops; segments between them are
   * sealed.
   */
  readonly from: Offset
  readonly to: Offset
  /** When the round begins, ms since 1970: the age of tombstones is measured from it. */
  readonly now: number
  /** `delete.retention.ms`. */
  readonly deleteRetentionMs: number
  /**
   * Whether this is the last batch of an idempotent producer in the producer state. Such a batch is kept, without
   * records if all are superseded, so that the producer's sequence stays in the log.
   */
  readonly isLastOfProducer: (batch: RecordBatch) => boolean
  /**
   * `log.cleaner.dedupe.buffer.size`: memory for keys during the round; less is allocated where the segments hold fewer
   * keys.
   */
  readonly mapBytesMax: number
  /** `log.cleaner.io.buffer.load.factor`: how full the map may be, over 0 and up to 1. */
  readonly mapLoadFactor: number
  /** Drawn anew for each round, so that a producer cannot choose keys that collide. */
  readonly mapSeed: HashSeed
  /** `log.cleaner.io.buffer.size`: bytes of one read, and of one write. */
  readonly ioBufferBytes: number
  /** `log.cleaner.io.max.bytes.per.second`: for reads and writes together. */
  readonly ioBytesPerSecondMax: number
  readonly compression: Packing
}

/** The result of a round. */
export interface Compacted {
  /**
   * Everything before this offset is clean. It is less than the order's end where the map was full: another round
   * continues from there.
   */
  readonly cleanEnd: Offset
  readonly segmentsBefore: number
  readonly segmentsAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly recordsRead: number
  readonly recordsKept: number
  /** Batches that could not be decompressed and were kept as they are. */
  readonly unreadable: number
}
