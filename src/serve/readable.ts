import type { Either } from "effect"
import type { Epoch, Offset, TopicId } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { LogFault } from "../ports/log-store.ts"

/** A partition that this node may be read from: a broker's log, or the leader's journal. */
export interface ReadablePartition {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  readonly leaderEpoch: () => Epoch
  /** A reader may begin at no offset below it. */
  readonly start: () => Offset
  /** Where a reader from the beginning starts; absent where that is `start`. */
  readonly earliest?: () => Offset
  /** A consumer sees offsets below this one. */
  readonly highWatermark: () => Offset
  readonly end: () => Offset
  /** As PartitionLog.read, up to the high watermark. */
  readonly read: (from: Offset, maxBytes: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  /** As PartitionLog.batchAtTime, among what can be read. */
  readonly batchAtTime: (timestamp: number, from?: Offset) => Either.Either<RecordBatch | undefined, LogFault>
  /** Where a leader epoch ended, or the largest one before it; undefined before the first. Absent where no epoch ever lost a record: then each ended at the end. */
  readonly epochEnd?: (epoch: Epoch) => { readonly epoch: Epoch; readonly endOffset: Offset } | undefined
  /** No record has a larger timestamp, ms; absent where that is not known without a look at them. */
  readonly latestTimestamp?: () => number
  /** Calls `wake` after each rise of the high watermark or of the start, when the leader epoch changes, and once when the partition stops being readable here; answers how to stop that. */
  readonly onAdvance: (wake: () => void) => () => void
}

/** Finds what this node reads from; an answer in words of Kafka's errors where it does not. Topic by id where `topicId` is given (Fetch 13 on), by name else. */
export type FindReadable = (
  topic: { readonly name: string } | { readonly topicId: TopicId },
  partition: number
) => ReadablePartition | "UNKNOWN_TOPIC_OR_PARTITION" | "UNKNOWN_TOPIC_ID" | "NOT_LEADER_OR_FOLLOWER" | "KAFKA_STORAGE_ERROR"
