import type { Offset } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { HashSeed } from "../../domain/log/key-hash.ts"
import type { Packing } from "../../domain/log/open-batch.ts"

/** One round of compaction over a log: what is asked for. The comments name Kafka's settings. */
export interface CompactionOrder {
  /** The first offset whose key is not known to be looked at yet, and the one at which the round stops; segments between them are sealed. */
  readonly from: Offset
  readonly to: Offset
  /** When the round begins, ms since 1970: tombstones are judged by it. */
  readonly now: number
  /** `delete.retention.ms`. */
  readonly deleteRetentionMs: number
  /** Whether a producer that is remembered has written nothing after this batch: it stays, without records if need be, so that the sequence does. */
  readonly isLastOfProducer: (batch: RecordBatch) => boolean
  /** `log.cleaner.dedupe.buffer.size`: memory for keys, taken for the round, and less where fewer keys can be there. */
  readonly mapBytesMax: number
  /** `log.cleaner.io.buffer.load.factor`: how full it may be, over 0 and up to 1. */
  readonly mapLoadFactor: number
  /** Drawn anew for each round: nobody who writes keys can make two of them share a hash. */
  readonly mapSeed: HashSeed
  /** `log.cleaner.io.buffer.size`: what is read and what is written at a time. */
  readonly ioBufferBytes: number
  /** `log.cleaner.io.max.bytes.per.second`: of reads and writes together. */
  readonly ioBytesPerSecondMax: number
  readonly compression: Packing
}

/** What a round did. */
export interface Compacted {
  /** Everything before it is clean now. It lies before the order's end where the memory for keys was full: another round goes on there. */
  readonly cleanEnd: Offset
  readonly segmentsBefore: number
  readonly segmentsAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly recordsRead: number
  readonly recordsKept: number
  /** Batches that could not be opened and were kept as they are. */
  readonly unreadable: number
}
