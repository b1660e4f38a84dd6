import type { Either } from "effect"
import type { KafkaError } from "../../domain/kernel/error-code.ts"
import type { BrokerId, Epoch, Offset, TopicId } from "../../domain/kernel/id.ts"
import type { RecordBatch } from "../../domain/log/batch.ts"
import type { DivergingEpoch, ReplicaFetch } from "../../domain/partition/lead.ts"
import type { LogFault } from "../ports/log-store.ts"

/** A partition that clients can read from this node: a broker's log, or the leader's journal. */
export interface ReadablePartition {
  readonly topic: string
  readonly topicId: TopicId
  readonly partition: number
  readonly leaderEpoch: () => Epoch
  /** The lowest offset that a reader may begin at. */
  readonly start: () => Offset
  /** The snapshot with which a reader below `start` can begin (KIP-630); undefined where there is none. Absent where there never is. */
  readonly snapshot?: () => { readonly endOffset: Offset; readonly epoch: Epoch } | undefined
  /** The offset at which a reader from the beginning starts; absent if that is `start`. */
  readonly earliest?: () => Offset
  /** A consumer sees offsets below this one. */
  readonly highWatermark: () => Offset
  readonly end: () => Offset
  /** The high watermark that a response names, where a reader reads further than that: a replica. */
  readonly committed?: () => Offset
  /** Whether a leader knows the newest committed offset (KIP-207); absent if it always does. */
  readonly isLatestKnown?: () => boolean
  /** The in-sync replica nearest to a consumer of this rack, if that is another broker and has the records from `from` on (KIP-392). Absent where consumers read here alone. */
  readonly nearerReplica?: (rack: string, from: Offset) => BrokerId | undefined
  /** Notes the fetch of a replica; or returns its error, or where the replica's log leaves this one (KIP-595). Absent where no replica may read. */
  readonly fetchedBy?: (fetch: ReplicaFetch) => KafkaError | DivergingEpoch | undefined
  /** How fast replicas that catch up may read: whether the replica of a broker gets no records now; and counts what one got (KIP-73). Absent where no replica may read. */
  readonly throttle?: { readonly holds: (broker: number) => boolean; readonly took: (bytes: number) => void }
  /** As PartitionLog.sparseEnd; absent where no replica may read. */
  readonly sparseEnd?: () => Offset
  /** As PartitionLog.read, up to the high watermark. */
  readonly read: (from: Offset, maxBytes: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  /** As `read`, for the response to a replica of that broker. Absent where no replica may read. */
  readonly readBy?: (broker: number, from: Offset, maxBytes: number) => Either.Either<ReadonlyArray<Uint8Array>, LogFault>
  /** As PartitionLog.batchAtTime, below the high watermark. */
  readonly batchAtTime: (timestamp: number, from?: Offset) => Either.Either<RecordBatch | undefined, LogFault>
  /** Returns the end offset of a leader epoch, or of the largest one before it; undefined before the first. Absent if no epoch ever lost a record: then each ends at the end. */
  readonly epochEnd?: (epoch: Epoch) => { readonly epoch: Epoch; readonly endOffset: Offset } | undefined
  /** The largest timestamp of the records, ms; absent if that is not known without reading them. */
  readonly latestTimestamp?: () => number
  /** Calls `note` after each rise of `committed`: no fetch is woken by it (KAFKA-9731), and the next response has it. Returns a function that stops the calls. */
  readonly onCommitted?: (note: () => void) => () => void
  /** Calls `wake` after each rise of the high watermark or of the start, when the leader epoch changes, and once when the partition stops being readable here; returns a function that stops the calls. */
  readonly onAdvance: (wake: () => void) => () => void
}

/**
 * Finds a partition that this node can read as its leader; as a replica reads it; or as a consumer that may read from a follower (KIP-392). Returns Kafka's error if it cannot. Finds the topic by id if `topicId` is given (Fetch 13 on), otherwise by name.
 * OFFSET_NOT_AVAILABLE: a follower does not know yet what is committed; the consumer asks the leader, or again.
 */
export type FindReadable = (
  topic: { readonly name: string } | { readonly topicId: TopicId },
  partition: number,
  reader?: "consumer" | "replica"
) => ReadablePartition | "UNKNOWN_TOPIC_OR_PARTITION" | "UNKNOWN_TOPIC_ID" | "NOT_LEADER_OR_FOLLOWER" | "OFFSET_NOT_AVAILABLE" | "KAFKA_STORAGE_ERROR"
